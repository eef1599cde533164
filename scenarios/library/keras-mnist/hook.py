"""Gives the job the toolkit of the back end that was chosen."""

from __future__ import annotations

from typing import Any


def adjust(sections: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Turn the toolkit CNTK's settings into TensorFlow's if that is the back end."""
    job = sections["jobs"]["train"]
    if parameters["backend"] == "tensorflow":
        settings = job.pop("cntkSettings")
        job["tensorFlowSettings"] = {
            "pythonScriptFilePath": settings["pythonScriptFilePath"],
            "masterCommandLineArgs": settings["commandLineArgs"],
        }
        for metric in sections["expect"]["train"]["metrics"].values():
            metric["from"] = "stdout-wk-0.txt"
        image = "tensorflow/tensorflow:1.8.0"
    else:
        image = "microsoft/cntk:2.5.1-gpu-python2.7-cuda9.0-cudnn7.0"
    job["containerSettings"]["imageSourceRegistry"]["image"] = parameters["image"] or image
    return sections
