"""The small parts: text, durations, following a file, data sets, reporters, interrupts."""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from batchai_scenario.backends.base import OutputFile
from batchai_scenario.backends.errors import Interrupted, MachineError, NotFound, Unreachable
from batchai_scenario.scenarios.definition.datasets import DataOptions, make_dataset
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.json_lines import JsonLines
from batchai_scenario.scenarios.report.plain import Plain
from batchai_scenario.scenarios.report.screen import Screen
from batchai_scenario.scenarios.report.text import clean, duration, parse_duration, size
from batchai_scenario.scenarios.run.follow import Follower, notices
from batchai_scenario.scenarios.run.interrupts import Interrupts
from batchai_scenario.scenarios.run.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Buffer


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("0.5h", 1800), ("2 m", 120)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "m", "5 parsecs", "-3", "0", "1m2h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time span"):
        parse_duration(text)


def test_figures_are_short() -> None:
    assert [size(n) for n in (0, 999, 1000, 130_000_000)] == ["0 B", "999 B", "1.0 kB", "130 MB"]
    assert [duration(s) for s in (0.004, 4.21, 42, 65, 7380)] == [
        "0.00 s",
        "4.2 s",
        "42 s",
        "1 min 5 s",
        "2 h 3 min",
    ]


@given(st.text())
def test_no_text_can_do_anything_to_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert not any(ord(c) < 32 and c != "\t" for c in cleaned)
    assert not any(0x7F <= ord(c) < 0xA0 for c in cleaned)


def test_colours_go_and_progress_bars_leave_their_last_state() -> None:
    assert clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x") == "red x"
    assert clean("10%\r50%\r100%\n") == "100%"
    assert clean("a\u202eb") == "a\N{REPLACEMENT CHARACTER}b"


class Growing:
    """A job's files that grow, and that sometimes cannot be read."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = {name.replace("_", "."): content for name, content in contents.items()}
        self.visible = 0
        self.break_after: int | None = None

    def list(self, directory: str, path: str = "") -> list[OutputFile]:
        return [OutputFile(name, len(data[: self.visible])) for name, data in sorted(self.contents.items())]

    def read(self, directory: str, path: str, offset: int = 0) -> Iterator[bytes]:
        if path not in self.contents:
            raise NotFound("gone")
        data = self.contents[path][offset : self.visible]
        for at in range(0, len(data), 3):
            if self.break_after is not None:
                self.break_after -= 1
                if self.break_after < 0:
                    self.break_after = None
                    raise Unreachable("lost")
            yield data[at : at + 3]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6), st.integers(0, 9) | st.none())
def test_every_byte_is_told_once_in_order_however_it_comes(
    data: bytes, cuts: list[int], break_after: int | None
) -> None:
    files = Growing(stdout_txt=data)
    files.break_after = break_after
    heard: list[e.Event] = []
    follower = Follower("job", files, heard.append)  # type: ignore[arg-type]

    def look(*, last: bool = False) -> None:
        try:
            follower.look(last=last)
        except Unreachable:
            follower.look(last=last)

    for cut in sorted(cuts):
        files.visible = cut
        look()
    files.visible = len(data)
    look(last=True)
    lines = [event.text for event in heard if isinstance(event, e.LogLine)]
    text = data.decode("utf-8", "replace")
    wanted = [clean(line) for line in (text.removesuffix("\n")).split("\n")] if text else []
    assert lines == wanted


def test_the_services_own_log_tells_notices_and_errors_only() -> None:
    lines = [
        "2018-06-06T12:00:00Z INFO picked up",
        "2018-06-06T12:00:00.1Z NOTICE image: a is not available; running b (sha256:1)",
        "2018-06-06T12:00:01Z ERROR no such command",
        "something else",
    ]
    assert list(notices(lines)) == [
        "image: a is not available; running b (sha256:1)",
        "error: no such command",
    ]


def program(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "program.py"
    file.write_text("import json, sys\nsay = lambda **event: print(json.dumps(event), flush=True)\n" + text)
    return file


def make(
    file: Path, tmp_path: Path, waiting: Waiting | None = None, **options: Any
) -> tuple[list[Path], list[Any]]:
    heard: list[Any] = []
    files = make_dataset(
        "digits",
        file,
        DataOptions(tmp_path, **options),
        waiting=waiting or Waiting(),
        progress=lambda *far: heard.append(far),
        note=heard.append,
    )
    return files, heard


def test_a_data_sets_program_tells_its_progress_and_its_files(tmp_path: Path) -> None:
    file = program(
        tmp_path,
        "say(event='note', message=' '.join(sys.argv[1:]))\n"
        "say(event='progress', file='a.txt', done=1, total=2)\n"
        "say(event='done', files=['/data/a.txt'])\n",
    )
    files, heard = make(file, tmp_path, source=tmp_path / "s", offline=True)
    assert [str(path) for path in files] == ["/data/a.txt"]
    assert heard == [f"--cache {tmp_path} --json --source {tmp_path / 's'} --offline", ("a.txt", 1, 2)]


def test_data_that_cannot_be_had_says_what_to_do(tmp_path: Path) -> None:
    file = program(
        tmp_path, "say(event='error', message='no digits', remedy='Put them there.')\nsys.exit(3)\n"
    )
    with pytest.raises(MachineError, match=r"data set digits: no digits\. Put them there\."):
        make(file, tmp_path)
    file = program(tmp_path, "print('done', file=sys.stderr)\nraise SystemExit('broken pipe dream')\n")
    with pytest.raises(MachineError, match=r"exit code 1: broken pipe dream"):
        make(file, tmp_path)
    file = program(tmp_path, "say(event='done', files=[])\nsys.exit(1)\n")
    with pytest.raises(MachineError, match=r"exit code 1"):
        make(file, tmp_path)


def test_ctrl_c_ends_a_data_sets_program(tmp_path: Path) -> None:
    file = program(tmp_path, "import time\nsay(event='note', message='started')\ntime.sleep(600)\n")
    waiting = Waiting()
    threading.Timer(0.5, waiting.stop.set).start()
    with pytest.raises(Interrupted):
        make(file, tmp_path, waiting)


EVENTS: tuple[e.Event, ...] = (
    e.RunStarted("hello-1", "hello", "Say [bold]hello[/]", "local", {"greeting": "Hi \x1b[31m"}),
    e.StepStarted("upload", "Upload what changed"),
    e.Progress("upload", "data/a.txt", 50, 100),
    e.StepEnded("upload", "1 sent", 0.5),
    e.ClusterChanged("c", "resizing", 1, 0, {"preparing": 1}),
    e.JobChanged("train", "running", "/jobs/train"),
    e.Notice("train", "image: a is not available; running b"),
    e.Note("warning", "trying again"),
    e.LogLine("train", "stdout.txt", "epoch 1: [red]loss[/red] 0.5 " + "long " * 40),
    e.LogLine("train", "stderr.txt", "日本語のログ " * 20, important=True),
    e.Checked("train", "job train succeeded", met=True),
    e.Checked("train", "MODEL/*.dnn: 0 files, expected 2", met=False),
    e.Metric("train", "loss", 0.25, "%", "below 1", met=True),
    e.Saved("/tmp/x", 12),
    e.Finished(
        "hello-1", "failed", 1, {"loss": 0.25}, (e.Output("train", "MODEL", "1.dnn", 4),), reasons=("no",)
    ),
)


def test_every_reporter_hears_every_event(tmp_path: Path) -> None:
    plain, lines, screen = io.StringIO(), io.StringIO(), io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60, highlight=False)
    reporters = Plain(plain), JsonLines(lines), Screen(console)
    for event in EVENTS:
        for reporter in reporters:
            reporter.handle(event)
    for reporter in reporters:
        reporter.close()
        reporter.close()
    assert "epoch 1: [red]loss[/red] 0.5" in plain.getvalue()
    assert "\x1b" not in plain.getvalue()
    assert "NOT MET: MODEL/*.dnn" in plain.getvalue()
    objects = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [item["event"] for item in objects][-1] == "finished"
    assert objects[-1]["exitCode"] == 1
    assert objects[-1]["outputs"] == [{"job": "train", "directory": "MODEL", "path": "1.dnn", "size": 4}]
    shown = screen.getvalue()
    assert "[red]loss[/red]" in shown
    assert shown.count("日本語") >= 20 - 3  # wrapped, none lost
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h"), "the cursor comes back"


def test_a_reader_that_leaves_does_not_end_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    for event in EVENTS:
        Plain(Gone()).handle(event)
        JsonLines(Gone()).handle(event)


def test_the_second_ctrl_c_leaves_at_once() -> None:
    said: list[str] = []
    heard = threading.Event()

    def leave(code: int) -> None:
        said.append(str(code))
        heard.set()

    interrupts = Interrupts(lambda: said.append("first"), lambda: said.append("second"), leave)
    with interrupts.heard():
        signal.raise_signal(signal.SIGINT)
        assert interrupts.stop.wait(10)
        signal.raise_signal(signal.SIGTERM)
        assert heard.wait(10)
    assert said == ["first", "second", "130"]


def test_ctrl_c_in_the_middle_of_a_line_is_told_after_it() -> None:
    class Interrupted(io.RawIOBase):
        """A stream that is interrupted while it is written to."""

        lines: ClassVar[list[bytes]] = []

        def writable(self) -> bool:
            return True

        def write(self, data: Buffer) -> int:
            self.lines.append(bytes(data))
            if len(self.lines) == 1:
                signal.raise_signal(signal.SIGINT)
            return len(self.lines[-1])

    reporter = JsonLines(io.TextIOWrapper(io.BufferedWriter(Interrupted()), encoding="utf-8"))
    told = threading.Event()

    def first() -> None:
        reporter.handle(e.Note("warning", "stopping"))
        told.set()

    with Interrupts(first, lambda: None).heard():
        reporter.handle(e.Note("info", "working"))
        assert told.wait(10)
    assert [json.loads(line)["text"] for line in Interrupted.lines] == ["working", "stopping"]


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\nfrom batchai_scenario.scenarios.cli import main\nmain(['--help'])\n"
        "print([m for m in ('rich', 'pydantic', 'azure', 'yaml', 'requests', 'docker') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
