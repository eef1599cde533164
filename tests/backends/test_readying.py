"""Whether this machine can run a job: asked of the engine that will run it, for each kind of need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.readying import lacks, ready

if TYPE_CHECKING:
    from pathlib import Path

CNTK = {"cntkSettings": {"pythonScriptFilePath": "train.py"}}
CUSTOM = {"customToolkitSettings": {"commandLine": "true"}}


def nothing(*_: object) -> None:
    pass


def container(image: str) -> dict[str, Any]:
    return {"containerSettings": {"imageSourceRegistry": {"image": image}}}


def test_without_a_toolkit_a_process_needs_nothing(tmp_path: Path) -> None:
    assert lacks(tmp_path, "process", [CUSTOM, {**CUSTOM, **container("any/image")}]) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_would_be_fetched_is_said_in_words_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("PYENV_ROOT", "")
    monkeypatch.setenv("HOME", "/nowhere")
    assert lacks(tmp_path / "home", "process", [CNTK, CNTK, CUSTOM]) == ("CNTK 2.7 and Python 2.7 (133 MB)",)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_had_is_a_machine_error_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENARIO_CNTK_PYTHON", sys.executable)
    with pytest.raises(MachineError, match=r"is not a CPython 3\.6, 3\.5 or 2\.7") as caught:
        lacks(tmp_path, "process", [CNTK])
    assert "SCENARIO_CNTK_PYTHON" in caught.value.remedy


def test_brainscript_runs_where_its_program_is_and_is_told_where_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"cntkSettings": {"configFilePath": "net.cntk", "processCount": 2}}
    home, programs = tmp_path / "home", tmp_path / "bin"
    monkeypatch.setenv("PATH", str(programs))
    for named in (job, {"cntkSettings": {**job["cntkSettings"], "languageType": "brainscript"}}):
        with pytest.raises(
            MachineError, match="calls the program cntk for this job, and it is not on PATH"
        ) as caught:
            lacks(home, "process", [named])
        assert "install cntk where PATH finds it" in caught.value.remedy
    assert lacks(home, "process", [{**job, "jobPreparation": {"commandLine": "./install.sh"}}]) == ()
    programs.mkdir()
    (programs / "cntk").write_text("#!/bin/sh\n")
    (programs / "cntk").chmod(0o755)
    assert lacks(home, "process", [job]) == ()
    assert not home.exists()


def test_without_a_network_it_is_said_what_could_not_be_fetched_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PATH": "/nowhere",
        "PYENV_ROOT": "",
        "HOME": "/nowhere",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_NO_INDEX": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MachineError, match="could not be fetched") as caught:
        ready(tmp_path, "process", [CNTK], nothing, nothing)
    assert "cntk" in str(caught.value)
    assert caught.value.remedy
    assert not list((tmp_path / "cache" / "toolkits" / "cntk").glob("cntk-*"))


def test_an_engine_that_does_not_answer_is_said_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(MachineError, match="No Docker engine answers") as caught:
        lacks(tmp_path, "docker", [CUSTOM])
    assert "--engine process" in caught.value.remedy
    assert lacks(tmp_path, "auto", [CUSTOM]) == ()


@pytest.mark.parametrize(
    "job", [{}, {**CNTK, **CUSTOM}, {"caffeSettings": {}, "x": 1}, {**CUSTOM, **container("")}]
)
def test_what_is_wrong_with_a_job_is_not_said_here(tmp_path: Path, job: dict[str, Any]) -> None:
    assert lacks(tmp_path, "process", [job]) == ()


@pytest.mark.docker
def test_an_image_that_the_engine_has_is_not_lacking(tmp_path: Path, docker_image: str) -> None:
    assert lacks(tmp_path, "docker", [{**CUSTOM, **container(docker_image)}]) == ()


@pytest.mark.docker
def test_an_image_that_is_nowhere_is_said_before_anything_is_made(tmp_path: Path) -> None:
    job = {**CUSTOM, **container("localhost:9/no/such-image:1")}
    assert lacks(tmp_path, "docker", [job]) == ("image localhost:9/no/such-image:1",)
    with pytest.raises(MachineError, match="such-image"):
        ready(tmp_path, "docker", [job], nothing, nothing)


@pytest.mark.docker
def test_another_image_of_the_engine_stands_for_a_plain_system(tmp_path: Path, docker_image: str) -> None:
    (tmp_path / "images.yaml").write_text('"ubuntu:none": [{local: "scenario-test:*"}]\n')
    assert lacks(tmp_path, "docker", [{**CUSTOM, **container("ubuntu:none")}]) == ()
