"""Runs whose process died: found again, followed, finished, cleaned up; and never by two at once."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.errors import Interrupted, MachineError, UserError
from batchai_scenario.backends.memory import ProgramCall, Result
from batchai_scenario.scenarios.record.migrations import FORMAT
from batchai_scenario.scenarios.record.record import Run, find_run, new_id, now, read_runs
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.base import Recording
from batchai_scenario.scenarios.run.attach import follow_logs, settle, show_logs, stop
from batchai_scenario.scenarios.run.finish import download
from batchai_scenario.scenarios.run.waiting import Waiting
from tests.scenarios.worlds import World, trained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class KilledError(BaseException):
    """Stands for kill -9: nothing of ours runs after it."""


def kill_at(world: World, moment: Callable[[e.Event], bool]) -> Run:
    """Run until a moment, and die there; gives the record that is left."""
    inner = world.recording.handle

    def handle(event: e.Event) -> None:
        inner(event)
        if moment(event):
            raise KilledError

    world.recording.handle = handle  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        world.run()
    return world.record


def step(name: str) -> Callable[[e.Event], bool]:
    return lambda event: isinstance(event, e.StepStarted) and event.step == name


def running(event: e.Event) -> bool:
    return isinstance(event, e.JobChanged) and event.state == "running"


def settle_until_final(world: World, run: Run) -> e.Finished:
    for _ in range(20):
        event = settle(run, world.backend, lambda _: None)
        if event is not None:
            return event
    raise AssertionError("the run was never finished")


def test_a_run_whose_process_died_while_the_job_ran_gets_its_true_end(world: World) -> None:
    run = kill_at(world, running)
    assert run.state == "detached"
    event = settle_until_final(world, run)
    assert (event.state, event.exit_code, event.metrics) == ("succeeded", 0, {"loss": 0.25})
    assert world.record.record.state == "succeeded"
    assert world.empty


def test_the_true_end_of_a_detached_run_may_be_a_failure(world: World) -> None:
    world.programs["train 2"] = lambda _: Result(exit_code=3)
    world.__post_init__()
    event = settle_until_final(world, kill_at(world, running))
    assert (event.state, event.exit_code) == ("failed", 1)
    assert "exit code 3" in event.reasons[0]


@pytest.mark.parametrize("name", ["backend", "place", "cluster", "nodes", "submit", "job", "cleanup"])
def test_killed_at_any_step_a_run_is_finished_and_nothing_is_left(world: World, name: str) -> None:
    run = kill_at(world, step(name))
    event = settle_until_final(world, run)
    assert event.state == ("succeeded" if name in ("job", "cleanup") else "failed")
    if name not in ("job", "cleanup"):
        assert event.reasons
    assert world.empty
    assert world.record.record.final


def test_a_job_whose_request_was_sent_but_not_answered_is_found_by_its_name(world: World) -> None:
    submit = world.memory.submit

    def sent(spec: Any) -> Any:
        submit(spec)
        raise KilledError

    world.memory.submit = sent  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        world.run()
    assert world.record.record.jobs["train"].id == ""
    assert settle_until_final(world, world.record).state == "succeeded"
    assert world.empty


def test_a_run_that_is_owned_is_left_alone(world: World) -> None:
    run = kill_at(world, running)
    owner = Run.read(run.folder)
    assert owner.own()
    assert run.state == "running"
    assert settle(run, world.backend, lambda _: None) is None
    owner.release()
    assert run.state == "detached"


def test_logs_and_outputs_are_read_from_the_share_after_the_job_was_deleted(
    world: World, tmp_path: Path
) -> None:
    world.run()
    assert world.empty
    heard = Recording()
    show_logs(world.record, world.backend, heard.handle)
    lines = [event.text for event in heard.events if isinstance(event, e.LogLine)]
    assert lines == ["epoch 1: loss 0.500", "epoch 2: loss 0.250"]
    download(world.backend, world.record.record, tmp_path / "out", heard.handle)
    assert (tmp_path / "out" / "MODEL" / "1.dnn").read_bytes() == b"x"


def test_a_second_process_follows_from_the_first_byte_to_the_last(world: World) -> None:
    run = kill_at(world, running)
    heard = Recording()
    follow_logs(run, world.backend, heard.handle, Waiting(), lambda _: None)
    lines = [event.text for event in heard.events if isinstance(event, e.LogLine)]
    assert lines == ["epoch 1: loss 0.500", "epoch 2: loss 0.250"]


def test_following_ends_with_the_job_also_if_its_owner_deletes_it_meanwhile(world: World) -> None:
    run = kill_at(world, running)
    settle_until_final(world, Run.read(run.folder))
    heard = Recording()
    follow_logs(run, world.backend, heard.handle, Waiting(), lambda _: None)
    assert [event.text for event in heard.events if isinstance(event, e.LogLine)][-1] == "epoch 2: loss 0.250"


def test_a_detached_run_can_be_stopped(world: World) -> None:
    world.programs["train 2"] = lambda _: Result(endless=True)
    world.__post_init__()
    run = kill_at(world, running)
    assert settle(run, world.backend, lambda _: None) is None
    assert run.own()
    event = stop(run, world.backend, lambda _: None)
    run.release()
    assert event.state == "interrupted"
    assert world.empty


def test_what_a_run_kept_can_be_deleted_later(world: World) -> None:
    world.run(keep=True)
    run = world.record
    assert run.own()
    assert stop(run, world.backend, lambda _: None).exit_code == 0
    run.release()
    assert world.empty
    assert world.record.record.state == "succeeded"


def test_runs_are_found_by_parts_of_their_ids(world: World) -> None:
    first = world.run().run
    second = world.run().run
    assert first != second
    assert find_run(world.home, None).record.id == find_run(world.home, "last").record.id == second
    assert find_run(world.home, first).record.id == first
    assert find_run(world.home, first[-4:]).record.id == first
    with pytest.raises(UserError, match="stands for 2 runs"):
        find_run(world.home, "small")
    with pytest.raises(UserError, match="there is no run 'large'"):
        find_run(world.home, "large")


def test_a_record_that_cannot_be_read_hides_no_other(world: World) -> None:
    world.run()
    for name in ("broken", "small-29991231-235959-abcd"):
        broken = world.home / "runs" / name
        broken.mkdir()
        (broken / "run.json").write_text("{")
    (one,) = read_runs(world.home)[0]
    assert find_run(world.home, "last").record.id == one.record.id
    with pytest.raises(MachineError, match=r"abcd/run\.json: it is damaged"):
        find_run(world.home, "abcd")


def test_a_run_that_is_named_is_found_without_the_records_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = world.run().run, world.run().run
    read: list[str] = []
    reads = Run.read

    def counted(folder: Path) -> Run:
        read.append(folder.name)
        return reads(folder)

    monkeypatch.setattr(Run, "read", counted)
    old = world.home / "runs" / "small-20200101-000000-abcd"
    shutil.copytree(world.home / "runs" / first, old)
    assert find_run(world.home, first).record.id == first
    assert read == [first]
    read.clear()
    with pytest.raises(UserError, match="stands for 3 runs"):
        find_run(world.home, "small")
    assert read == []
    assert find_run(world.home, "last").record.id == second
    assert old.name not in read
    read.clear()
    shutil.rmtree(old)
    read_runs(world.home)
    assert sorted(read) == sorted([first, second]), "each is read once"
    for name in ("..", ".", "../runs", f"{first}/", f"{world.home}/runs/{first}"):
        with pytest.raises(UserError, match="there is no run"):
            find_run(world.home, name)


def test_ids_are_names_of_the_service() -> None:
    for name in ("mnist", "My Scenario!", "x" * 100, "..."):
        made = new_id(name, now())
        assert len(made) <= 64
        assert made.replace("-", "").isalnum()


def test_programs_of_the_small_scenario_do_what_it_expects() -> None:
    call = ProgramCall("train", "train 3", {}, lambda *_: b"")
    assert len(trained(call).outputs) == 3


def test_a_record_of_an_earlier_format_is_read_and_a_newer_one_is_left_as_it_is(world: World) -> None:
    world.run()
    file = world.record.folder / "run.json"
    data = json.loads(file.read_text())
    assert data.pop("format") == FORMAT
    del data["unsaved"]
    file.write_text(json.dumps({**data, "format": 1}))
    assert (world.record.record.format, world.record.record.unsaved) == (FORMAT, [])
    newer = json.dumps({**data, "format": FORMAT + 1, "jobs": "of another kind"})
    file.write_text(newer)
    assert read_runs(world.home)[0] == []
    ((folder, reason),) = read_runs(world.home)[1]
    assert folder == file.parent
    assert f"its format is {FORMAT + 1}, this one reads up to {FORMAT}" in reason
    with pytest.raises(MachineError, match="newer version"):
        find_run(world.home, folder.name)
    assert file.read_text() == newer


@pytest.mark.parametrize("text", ["", "[]", "null", '{"format": "2"}', '{"format": 0}', "[" * 100_000])
def test_a_record_that_is_none_is_unreadable(world: World, text: str) -> None:
    world.run()
    (world.record.folder / "run.json").write_text(text)
    assert [reason for _, reason in read_runs(world.home)[1]] == ["it is damaged"]


def test_a_job_that_left_too_much_keeps_its_run_detached(world: World) -> None:
    run = kill_at(world, running)

    def too_long() -> None:
        raise Interrupted("it takes longer than 20 s")

    def settle_soon() -> None:
        for _ in range(20):
            settle(run, world.backend, lambda _: None, too_long)

    with pytest.raises(Interrupted):
        settle_soon()
    assert not run.owned_elsewhere
    assert run.state == "detached"
    assert settle_until_final(world, run).exit_code == 0
