"""A run as it is seen: metrics while they change, several jobs, and the last words of a failure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from batchai_scenario.backends.memory import ProgramCall, Result
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.base import Recording
from batchai_scenario.scenarios.report.curves import ASCII_BLOCKS, Curve, remaining
from batchai_scenario.scenarios.report.folding import Folding
from batchai_scenario.scenarios.report.plain import Plain
from batchai_scenario.scenarios.report.screen import Screen

if TYPE_CHECKING:
    from tests.scenarios.worlds import World


def test_metrics_and_epochs_are_told_as_they_come(world: World) -> None:
    def program(_: ProgramCall) -> Result:
        lines = [f"epoch {n} of 2: loss {loss}" for n, loss in ((1, "0.5"), (2, "nan"), (2, "0.25"))]
        return Result(
            stdout="\n".join([*lines, "epoch 1 of 2"]), outputs={"MODEL/1.dnn": b"", "MODEL/2.dnn": b""}
        )

    world.programs["train 2"] = program
    world.__post_init__()
    world.run()
    assert world.heard(e.MetricSeen) == [
        e.MetricSeen("train", "loss", 0.5),
        e.MetricSeen("train", "loss", 0.25),
    ]
    assert world.heard(e.EpochEnded) == [e.EpochEnded("train", 1, 2), e.EpochEnded("train", 2, 2)]
    assert world.heard(e.LastWords) == []


def test_a_failed_jobs_last_twenty_lines_are_told(world: World) -> None:
    text = "".join(f"trouble {number}\n" for number in range(30))
    world.programs["train 2"] = lambda _: Result(exit_code=1, stdout="out\n", stderr=text)
    world.__post_init__()
    assert world.run().exit_code == 1
    (words,) = world.heard(e.LastWords)
    assert isinstance(words, e.LastWords)
    assert words.lines == tuple(f"trouble {number}" for number in range(10, 30))


def test_a_failure_that_is_expected_has_no_last_words(world: World) -> None:
    text = world.file.read_text()
    world.file.write_text(text[: text.index("expect:")] + "expect: {train: {executionState: failed}}\n")
    world.programs["train 2"] = lambda _: Result(exit_code=1, stderr="as it should\n")
    world.__post_init__()
    assert world.run().exit_code == 0
    assert world.heard(e.LastWords) == []


def test_a_curve_falls_from_its_highest_to_its_lowest() -> None:
    curve = Curve("%")
    assert (curve.drawn(), curve.last) == ("", "")
    for value in (8, 4, 2, 1):
        curve.add(value)
    assert curve.last == "1 %"
    assert curve.drawn() == "█▄▂▁"
    assert curve.drawn(ASCII_BLOCKS) == "#~._"
    flat = Curve()
    flat.add(1)
    assert flat.drawn() == "▄"
    for _ in range(100_000):
        curve.add(3)
    assert len(curve.drawn()) == 24
    assert len(curve.values) <= 4096
    assert remaining(30.0, 1, 4) == 90.0


RUN = (
    e.RunStarted("r-1", "r", "", "local", {}, ("one", "two")),
    e.StepStarted("job", "Run job one"),
    e.JobChanged("one", "running", "/jobs/one"),
    e.MetricSeen("one", "loss", 0.5),
    e.MetricSeen("one", "loss", 0.25),
    e.EpochEnded("one", 1, 2),
)


def drawn(*, ascii_only: bool) -> str:
    """Draw what stands at the bottom."""
    text = io.StringIO()
    screen = Screen(Console(file=text, force_terminal=True, width=80), ascii_only=ascii_only)
    for event in RUN:
        screen.handle(event)
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as captured:
        console.print(screen.bottom())
    screen.close()
    return captured.get()


def test_the_bottom_shows_jobs_curves_and_when_it_may_end() -> None:
    text = drawn(ascii_only=False)
    lines = [line.split() for line in text.splitlines()]
    assert ["one", "running"] in lines
    assert ["two", "waiting"] in lines
    assert ["loss", "0.25", "█▁"] in lines
    assert any(line[:4] == ["epoch", "1", "of", "2"] and line[-1] == "left" for line in lines)
    assert drawn(ascii_only=True).isascii()


def test_last_words_stand_under_the_reason() -> None:
    plain, screen = io.StringIO(), io.StringIO()
    for reporter in (Plain(plain), Screen(Console(file=screen, force_terminal=True, width=80))):
        reporter.handle(e.LastWords("one", ("Traceback", "[red]Boom[/red]\x1b[2J")))
        reporter.handle(e.Finished("r-1", "failed", 1, reasons=("job one failed",)))
        reporter.close()
    for text in (plain.getvalue(), screen.getvalue()):
        assert "[red]Boom[/red]" in text
        assert "\x1b[2J" not in text
    assert screen.getvalue().index("job one failed") < screen.getvalue().index("Boom")


def test_warnings_that_repeat_are_folded() -> None:
    recording = Recording()
    folding = Folding(recording, [])
    events = [e.Note("warning", "trying again"), e.Notice("j", "pulling: 4 %"), e.Note("warning", "other")]
    for event in [*events, *events, *events, e.Finished("r", "succeeded", 0)]:
        folding.handle(event)
    texts = [event.text for event in recording.events if isinstance(event, (e.Note, e.Notice))]
    assert texts == [
        "trying again",
        "pulling: 4 %",
        "other",
        "pulling: 4 %",
        "pulling: 4 %",
        "2 more times: trying again",
        "2 more times: other",
    ]
