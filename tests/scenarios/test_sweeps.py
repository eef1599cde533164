"""Sweeps: a job for each point, none lost and none made twice, whatever cuts them off; the best first."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from batchai_scenario.backends.errors import InvalidScenario, Unreachable, UserError
from batchai_scenario.backends.memory import MemoryBackend, ProgramCall, Result
from batchai_scenario.scenarios.record.record import Run
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.plain import Plain
from batchai_scenario.scenarios.report.points import PointTable
from batchai_scenario.scenarios.report.screen import Screen
from batchai_scenario.scenarios.run.attach import settle, stop
from batchai_scenario.scenarios.run.finish import download
from batchai_scenario.scenarios.sweep.launch import take_up
from tests.scenarios.sweeping import LEARNS, KilledError, Sweeps, empty

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_each_point_is_a_job_with_its_variables_and_the_best_is_first(sweeps: Sweeps) -> None:
    event = sweeps.begin("rate=0.5,0.25", "epochs=2,4")
    assert (event.state, event.exit_code, event.metrics) == ("succeeded", 0, {"loss": 0.5})
    assert [point.parameters for point in sweeps.ranked.points] == [
        {"rate": 0.25, "epochs": 4},
        {"rate": 0.5, "epochs": 4},
        {"rate": 0.25, "epochs": 2},
        {"rate": 0.5, "epochs": 2},
    ]
    assert event.jobs["train-0004"]["parameters"] == {"rate": 0.25, "epochs": 4}
    first = sweeps.calls[0].environment
    assert (first["PARAM_RATE"], first["PARAM_EPOCHS"], first["OWN"]) == ("0.5", "2", "1")
    assert empty(sweeps)


def test_a_sweep_has_as_many_jobs_at_a_time_as_it_may(sweeps: Sweeps) -> None:
    most = 0
    get_job = sweeps.memory.get_job

    def counted(job_id: str) -> Any:
        nonlocal most
        most = max(most, sum(not job.status.state.final for job in sweeps.memory.world.jobs.values()))
        return get_job(job_id)

    sweeps.memory.get_job = counted  # type: ignore[method-assign]
    sweeps.begin("epochs=" + ",".join(map(str, range(1, 17))), nodes=4)
    assert most == 8
    most = 0
    sweeps.begin("epochs=1,2,3,4", nodes=4, at_once=3)
    assert most == 3


def test_what_is_not_as_expected_at_one_point_is_told_of_it_and_the_others_go_on(sweeps: Sweeps) -> None:
    event = sweeps.begin("rate=0.1,0.9", "epochs=2,4")
    assert (event.state, event.exit_code) == ("failed", 1)
    assert event.reasons == ("loss is 1.15, expected below 0.9 (as epochs >= 3)",)
    unmet = [point for point in sweeps.ranked.points if not point.met]
    assert [point.parameters for point in unmet] == [{"rate": 0.9, "epochs": 4}]
    assert len(sweeps.calls) == 4


def test_a_job_that_fails_is_last(sweeps: Sweeps) -> None:
    learn = sweeps.train
    sweeps.memory = MemoryBackend(
        {"train": lambda call: Result(3) if call.environment["PARAM_RATE"] == "0.0" else learn(call)}
    )
    assert sweeps.begin("rate=0,0.5,0.25").exit_code == 1
    last = sweeps.ranked.points[-1]
    assert (last.parameters, last.state, last.value, last.met) == ({"rate": 0.0}, "failed", None, False)


MOMENTS: dict[str, Callable[[e.Event], bool]] = {
    "the place is made": lambda event: isinstance(event, e.StepStarted) and event.step == "place",
    "the cluster is made": lambda event: isinstance(event, e.StepStarted) and event.step == "cluster",
    "points are planned": lambda event: isinstance(event, e.PointPlanned) and event.job == "train-0003",
    "a job waits": lambda event: isinstance(event, e.JobChanged) and event.job == "train-0002",
    "a job has ended": lambda event: isinstance(event, e.PointEnded) and event.job == "train-0003",
    "the order is told": lambda event: isinstance(event, e.Ranked),
    "all is deleted": lambda event: isinstance(event, e.StepEnded) and event.step == "cleanup",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_sweep_that_was_cut_off_goes_on_without_a_lost_or_doubled_job(sweeps: Sweeps, moment: str) -> None:
    run = sweeps.kill_at(MOMENTS[moment], "rate=0.5,0.25,0.125", "epochs=1,2", nodes=2)
    assert run.state == "detached"
    event = sweeps.resume()
    assert (event.state, event.exit_code) == ("succeeded", 0)
    assert sorted(call.job for call in sweeps.calls) == [f"train-{number:04d}" for number in range(1, 7)]
    assert len(sweeps.ranked.points) == 6
    assert empty(sweeps)
    with pytest.raises(UserError, match="has ended"):
        take_up(sweeps.home, "last")


def test_a_job_whose_request_was_sent_but_not_answered_is_not_made_twice(sweeps: Sweeps) -> None:
    submit = sweeps.memory.submit

    def sent(spec: Any) -> Any:
        submit(spec)
        raise KilledError

    sweeps.memory.submit = sent  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        sweeps.begin("rate=0.5,0.25")
    sweeps.memory.submit = submit  # type: ignore[method-assign]
    assert sweeps.resume().exit_code == 0
    assert sorted(call.job for call in sweeps.calls) == ["train-0001", "train-0002"]


def test_ctrl_c_leaves_a_sweep_to_be_resumed_and_stop_ends_it(sweeps: Sweeps) -> None:
    def interrupt(call: ProgramCall) -> Result:
        sweeps.waiting.stop.set()
        return sweeps.train(call)

    sweeps.memory = MemoryBackend({"train": interrupt})
    event = sweeps.begin("rate=0.5,0.25,0.125")
    assert (event.state, event.exit_code) == ("detached", 130)
    assert f"sweep --resume {event.run}" in event.hint
    run = sweeps.record
    assert run.own()
    assert stop(run, sweeps.memory, lambda _: None).state == "interrupted"
    run.release()
    assert empty(sweeps)


def test_a_service_that_does_not_answer_leaves_a_sweep_to_be_resumed(sweeps: Sweeps) -> None:
    get_job = sweeps.memory.get_job

    def lost(job_id: str) -> Any:
        raise Unreachable("nobody answers")

    sweeps.memory.get_job = lost  # type: ignore[method-assign]
    sweeps.waiting.now = lambda: next(clock)  # type: ignore[method-assign]
    sweeps.waiting.pause = lambda seconds: None  # type: ignore[method-assign]
    clock = iter(range(0, 10**9, 100))
    assert sweeps.begin("rate=0.5,0.25").state == "detached"
    sweeps.memory.get_job = get_job  # type: ignore[method-assign]
    assert sweeps.resume().exit_code == 0
    assert len(sweeps.calls) == 2


def test_a_detached_sweep_is_not_taken_for_ended_while_points_are_left(sweeps: Sweeps) -> None:
    run = sweeps.kill_at(MOMENTS["a job has ended"], "rate=0.5,0.25,0.125,0.1", "epochs=1,2")
    assert settle(run, sweeps.memory, lambda _: None) is None
    assert run.state == "detached"
    assert sweeps.resume().exit_code == 0


def test_another_process_cannot_take_up_a_sweep_that_is_owned(sweeps: Sweeps) -> None:
    run = sweeps.kill_at(MOMENTS["a job has ended"], "rate=0.5,0.25,0.125")
    assert run.own()
    with pytest.raises(UserError, match="the living process"):
        take_up(sweeps.home, "last")
    run.release()


def test_a_scenario_that_changed_meanwhile_is_refused_and_the_sweep_left_as_it_was(sweeps: Sweeps) -> None:
    sweeps.kill_at(MOMENTS["a job has ended"], "rate=0.5,0.25,0.125")
    sweeps.file.write_text(LEARNS.replace("name: OWN, value", "name: OTHER, value"))
    event = sweeps.resume()
    assert event.exit_code == InvalidScenario.exit_code
    assert "is not what it was when the sweep began" in event.reasons[0]


def test_no_secret_stands_in_a_record(sweeps: Sweeps) -> None:
    sweeps.begin("rate=0.5,0.25")
    written = "".join(file.read_text() for file in sweeps.record.folder.rglob("*.json"))
    assert "PARAM_RATE" in written
    assert "very-secret" not in written


def test_outputs_of_each_job_are_saved_in_a_folder_of_its_own(sweeps: Sweeps, tmp_path: Path) -> None:
    sweeps.begin("rate=0.5")
    assert download(sweeps.memory, sweeps.record.record, tmp_path / "out", lambda _: None) == []
    assert (tmp_path / "out/train-0001/stdouterr/stdout.txt").read_text() == "loss 1.5\n"


def test_a_point_costs_the_same_however_many_there_are(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written for a job does not grow with their number: 100 points write four times what 25 do."""
    sent: list[int] = []
    write = Run._write

    def counted(run: Run, name: str, part: Any) -> None:
        write(run, name, part)
        sent.append((run.folder / name).stat().st_size)

    monkeypatch.setattr(Run, "_write", counted)
    totals = []
    for number in (25, 100):
        sent.clear()
        sweeps.begin("rate=0:1", random=number, nodes=20)
        totals.append(sum(sent))
    assert totals[1] / totals[0] < 5


def test_a_record_of_a_sweep_reads_as_it_was_written(sweeps: Sweeps) -> None:
    sweeps.begin("rate=0.5,0.25", keep=True)
    run = sweeps.record
    assert list(run.record.jobs) == ["train-0001", "train-0002"]
    assert run.record.jobs["train-0002"].parameters == {"rate": 0.25}
    assert json.loads((run.folder / "run.json").read_text())["jobs"] == {}


def test_the_live_table_shows_what_runs_and_what_ended_last(sweeps: Sweeps) -> None:
    drawn = io.StringIO()
    table = PointTable()
    for number in range(1, 9):
        table.planned(f"train-{number:04d}", {"rate": number})
    for number in range(1, 5):
        table.changed(f"train-{number:04d}", "running")
    table.seen("train-0004", "loss", 0.25)
    table.ended(e.PointEnded("train-0001", {}, "succeeded", 0, {"loss": 0.5}, ()))
    table.ended(e.PointEnded("train-0002", {}, "failed", 1, {}, ("it failed",)))
    Console(file=drawn, width=80).print(table.drawn(4))
    lines = [line.split() for line in drawn.getvalue().splitlines()]
    assert lines == [
        ["train-0001", "rate=1", "succeeded", "loss", "0.5"],
        ["train-0002", "rate=2", "failed"],
        ["train-0003", "rate=3", "running"],
        ["train-0004", "rate=4", "running", "loss", "0.25"],
        ["and", "4", "more"],
    ]
    assert table.counts() == "1 succeeded, 1 failed, 2 running, 4 planned"


@pytest.mark.parametrize("reporter", [Plain, lambda file: Screen(Console(file=file, width=100))])
def test_reporters_tell_the_points_their_ends_and_the_best_first(sweeps: Sweeps, reporter: Any) -> None:
    file = io.StringIO()
    sweeps.recording = reporter(file)
    sweeps.begin("rate=0.9,0.25", "epochs=4")
    sweeps.recording.close()
    told = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    place = told.index("2 jobs by loss, the smallest first")
    assert told[place + 1 : place + 3] == [
        "1. train-0002 0.5 rate=0.25 epochs=4",
        "2. train-0001 1.15 rate=0.9 epochs=4 succeeded, not as expected",
    ]
    assert sum("loss is 1.15, expected below 0.9" in line for line in told) >= 1
