"""The screen on terminals that can do less: narrow, without colours, without UTF-8, and on no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from batchai_scenario.scenarios.cli.console import ascii_only
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.plain import Plain
from batchai_scenario.scenarios.report.screen import Screen

EVENTS: list[e.Event] = [
    e.RunStarted(
        "small-1",
        "small",
        "Trains nothing at all, and says so in a rather long summary.",
        "local",
        {"epochs": 2},
    ),
    e.StepStarted("machine", "Get CNTK 2.7 and Python 2.7 (133 MB)"),
    e.Progress("machine", "cntk-2.7.post2-cp27-cp27mu-manylinux1_x86_64.whl", 30_000_000, 75_000_000),
    e.StepEnded("machine", "", 12.5),
    e.StepStarted("job", "Run job train"),
    e.Notice("train", "environment: cntk 2.7 of /a/rather/long/path/" + "x" * 80),
    e.LogLine("train", "stdout.txt", "Epoch 1 of 2: loss 0.4, " + "word " * 30, important=True),
    e.StepEnded("job", "succeeded, exit code 0", 60.0),
    e.Metric("train", "loss", 0.1, "", "below 1", met=True),
    e.Finished("small-1", "succeeded", 0, outputs=(e.Output("train", "MODEL", "a.dnn", 5),), hint="a hint"),
]


def drawn(*, width: int = 80, ascii_only: bool = False, colours: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, no_color=not colours, highlight=False)
    screen = Screen(console, ascii_only=ascii_only)
    for event in EVENTS:
        screen.handle(event)
    screen.close()
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 40])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=width, highlight=False))
    for event in EVENTS:
        screen.handle(event)
    screen.close()
    assert max(map(len, out.getvalue().splitlines())) <= width
    assert "exit code 0" in out.getvalue()


def test_without_utf_8_it_draws_with_ascii() -> None:
    text = drawn(ascii_only=True)
    assert text.isascii()
    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(Screen(console, ascii_only=True)._bar(e.Progress("machine", "file", 15, 30)))
    assert "[###############               ]" in out.getvalue()
    assert not drawn().isascii()


def test_without_colours_there_are_none() -> None:
    coloured = ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1;32m")
    assert any(code in drawn() for code in coloured)
    assert not any(code in drawn(colours=False) for code in coloured)


def test_a_hint_is_said_once() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, highlight=False))
    for reporter in (screen, Plain(out)):
        reporter.handle(e.Finished("a", "failed", 2, reasons=("no such size (use NC6)",), hint="use NC6"))
        reporter.handle(e.Finished("b", "failed", 2, reasons=("no such size",), hint="use NC7"))
        reporter.close()
    assert out.getvalue().count("use NC6") == 2
    assert out.getvalue().count("use NC7") == 2


def test_a_pipe_gets_plain_lines() -> None:
    out = io.StringIO()
    for event in EVENTS:
        Plain(out).handle(event)
    assert out.getvalue().isprintable() or "\x1b" not in out.getvalue()
    assert "notice: environment: cntk 2.7" in out.getvalue()


@pytest.mark.parametrize(
    ("environment", "encoding", "plain"),
    [
        ({"LANG": "C"}, "utf-8", True),
        ({}, "utf-8", True),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "utf-8", True),
        ({"LANG": "C.UTF-8"}, "utf-8", False),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, "UTF-8", False),
        ({"LANG": "de_DE"}, "iso-8859-1", True),
    ],
)
def test_which_terminals_may_have_only_ascii(
    environment: dict[str, str], encoding: str, *, plain: bool
) -> None:
    assert ascii_only(environment, encoding) is plain
