"""Gives the job the image, the Python and the expectation of the PyTorch that was chosen."""

from __future__ import annotations

from typing import Any

IMAGES = {
    "1.0": "pytorch/pytorch:0.4_cuda9_cudnn7",
    "current": "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime",
}
PYTHONS = {"1.0": "python", "current": "python3"}


def adjust(sections: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Fill in what was left open; a current PyTorch must be 2 or later."""
    chosen = parameters["pytorch"]
    job = sections["jobs"]["train"]
    job["containerSettings"]["imageSourceRegistry"]["image"] = parameters["image"] or IMAGES[chosen]
    job["pyTorchSettings"]["pythonInterpreterPath"] = parameters["python"] or PYTHONS[chosen]
    if chosen == "current":
        sections["expect"]["train"]["metrics"]["version"]["above"] = 1.99
    return sections
