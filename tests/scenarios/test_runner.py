"""The runner: success only if everything is as expected, and nothing left whatever happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import BatchAIError
from batchai_scenario.backends.errors import BackendError, Unreachable
from batchai_scenario.backends.memory import ProgramCall, Result
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.text import parse_duration
from tests.scenarios.worlds import World, trained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Wrapped:
    """A backend around another one, with some methods replaced."""

    def __init__(self, inner: Any, **replaced: Callable[..., Any]) -> None:
        self._inner = inner
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._inner, name)


def test_a_good_run_succeeds_and_leaves_nothing_but_shares(world: World) -> None:
    event = world.run()
    assert (event.state, event.exit_code, event.reasons) == ("succeeded", 0, ())
    assert event.metrics == {"loss": 0.25}
    assert {(output.directory, output.path) for output in event.outputs} >= {
        ("MODEL", "1.dnn"),
        ("MODEL", "2.dnn"),
    }
    assert event.timings["total"] >= 0
    assert world.empty
    assert world.recording.events[-1] is event


def test_the_record_holds_the_requests_without_secrets(world: World) -> None:
    event = world.run()
    text = (world.record.folder / "run.json").read_text()
    record = json.loads(text)
    assert record["id"] == event.run == world.record.folder.name
    assert record["state"] == "succeeded"
    assert record["jobs"]["train"]["exitCode"] == 0
    assert record["jobs"]["train"]["folders"]["MODEL"][0] == "small"
    assert [step["ok"] for step in record["timeline"]] == [True] * len(record["timeline"])
    assert "very-secret" not in text
    assert "<secret TOKEN>" in text


def test_the_log_is_told_while_the_job_runs_and_to_its_last_byte(world: World) -> None:
    world.programs["train 2"] = lambda call: Result(
        stdout="first\nloss 0.5\n\x1b[31mred\x1b[0m\x07\nloss 0.2 and no end", outputs=trained(call).outputs
    )
    world.__post_init__()
    assert world.run().exit_code == 0
    lines = [event for event in world.heard(e.LogLine) if isinstance(event, e.LogLine)]
    assert [line.text for line in lines] == [
        "first",
        "loss 0.5",
        "red\N{REPLACEMENT CHARACTER}",
        "loss 0.2 and no end",
    ]
    assert [line.important for line in lines] == [False, True, False, True]
    running = next(
        index
        for index, event in enumerate(world.recording.events)
        if isinstance(event, e.JobChanged) and event.state == "succeeded"
    )
    assert world.recording.events.index(lines[0]) < running


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Result(exit_code=3), "job train failed, expected succeeded: exit code 3"),
        (
            Result(problem=BatchAIError("FailedStartingContainer", "no image")),
            "FailedStartingContainer: no image",
        ),
        (Result(stdout="loss 0.5\n"), "MODEL/*.dnn: 0 files, expected 2"),
        (Result(stdout="loss 0.5\n", outputs={"MODEL/1.dnn": b""}), "MODEL/*.dnn: 1 file, expected 2"),
        (Result(outputs={"MODEL/1.dnn": b"", "MODEL/2.dnn": b""}), "metric loss: nothing matches"),
        (
            Result(stdout="loss 7\n", outputs={"MODEL/1.dnn": b"", "MODEL/2.dnn": b""}),
            "loss is 7, expected below 1",
        ),
    ],
)
def test_whatever_is_not_as_expected_fails_the_run_with_a_sentence(
    world: World, result: Result, reason: str
) -> None:
    world.programs["train 2"] = lambda _: result
    world.__post_init__()
    event = world.run()
    assert (event.state, event.exit_code) == ("failed", 1)
    assert any(reason in text for text in event.reasons), event.reasons
    assert world.empty
    assert world.record.record.state == "failed"


def test_a_metric_counts_by_its_last_match_and_its_limits_by_their_condition(world: World) -> None:
    def program(call: ProgramCall) -> Result:
        return Result(stdout="loss 0.9\nloss 0.5\n", outputs={f"MODEL/{n}.dnn": b"" for n in range(12)})

    world.programs["train 12"] = program
    world.__post_init__()
    event = world.run({"epochs": "12"})
    assert event.metrics == {"loss": 0.5}
    assert event.reasons == ("loss is 0.5, expected below 0.1 (as epochs >= 10)",)


@pytest.mark.parametrize("text", ["loss 0.9.9", "loss ..."])
def test_a_metric_that_is_no_number_is_not_met(world: World, text: str) -> None:
    world.programs["train 2"] = lambda call: Result(stdout=text + "\n", outputs=trained(call).outputs)
    world.__post_init__()
    event = world.run()
    assert event.exit_code == 1
    assert "is no number" in event.reasons[0]


def test_a_job_that_should_fail_and_does_is_a_success(world: World, write: Callable[..., Path]) -> None:
    text = world.file.read_text()
    world.file.write_text(
        text[: text.index("expect:")] + "expect: {train: {executionState: failed, exitCode: 3}}\n"
    )
    world.programs["train 2"] = lambda _: Result(exit_code=3)
    world.__post_init__()
    event = world.run()
    assert event.exit_code == 0
    assert event.jobs["train"]["state"] == "failed"


def test_a_lost_connection_while_following_is_met_with_patience(world: World) -> None:
    failures = iter([True, False, True, True, False])

    def shaky(job_id: str) -> Any:
        if next(failures, False):
            raise Unreachable("nobody answers")
        return world.memory.get_job(job_id)

    world.backend = Wrapped(world.memory, get_job=shaky)
    assert world.run().exit_code == 0
    assert [event for event in world.heard(e.Note) if "trying again" in str(event)]


def test_a_refusal_while_following_cleans_up_and_is_the_backends_failure(world: World) -> None:
    def broken(*_: Any) -> Any:
        raise BackendError("no", code="Broken")

    world.backend = Wrapped(world.memory, list_outputs=broken)
    event = world.run()
    assert (event.state, event.exit_code) == ("failed", 4)
    assert world.empty


def test_what_could_not_be_deleted_is_said_and_not_called_a_success(world: World) -> None:
    def stuck(*_: Any) -> None:
        raise BackendError("it is stuck")

    world.backend = Wrapped(world.memory, delete_cluster=stuck, delete_place=stuck)
    event = world.run()
    assert event.exit_code == 4
    assert any("could not be deleted: it is stuck" in reason for reason in event.reasons)
    assert world.record.record.cluster.deleted is False


def test_keep_keeps_and_says_how_to_delete(world: World) -> None:
    event = world.run(keep=True)
    assert event.exit_code == 0
    assert "--stop" in event.hint
    assert not world.empty


def test_ctrl_c_terminates_the_job_and_cleans_up(world: World) -> None:
    def endless(call: ProgramCall) -> Result:
        return Result(stdout="loss 0.5\n" + "more " * 9, endless=True)

    world.programs["train 2"] = endless
    world.__post_init__()
    inner = world.recording.handle

    def handle(event: e.Event) -> None:
        inner(event)
        if isinstance(event, e.LogLine):
            world.waiting.stop.set()

    world.recording.handle = handle  # type: ignore[method-assign]
    event = world.run()
    assert (event.state, event.exit_code) == ("interrupted", 130)
    assert event.jobs["train"]["state"] == "failed"
    assert event.jobs["train"]["errors"][0]["code"] == "JobTerminated"
    assert world.empty


def test_a_job_that_takes_too_long_is_terminated(world: World) -> None:
    world.programs["train 2"] = lambda _: Result(endless=True)
    world.__post_init__()
    event = world.run(timeout=parse_duration("0.1s"))
    assert (event.state, event.exit_code) == ("failed", 1)
    assert "did not end within 0.10 s" in event.reasons[0]
    assert world.empty


def test_outputs_are_downloaded_whole(world: World, tmp_path: Path) -> None:
    assert world.run(download=tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "MODEL" / "2.dnn").read_bytes() == b"xx"
    assert (tmp_path / "out" / "stdouterr" / "stdout.txt").read_text().startswith("epoch 1")
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_bug_cleans_up_too_and_is_not_hidden(world: World) -> None:
    def buggy(*_: Any) -> Any:
        raise ZeroDivisionError

    world.backend = Wrapped(world.memory, list_outputs=buggy)
    with pytest.raises(ZeroDivisionError):
        world.run()
    assert world.empty
    last = world.recording.events[-1]
    assert isinstance(last, e.Finished)
    assert (last.state, last.exit_code) == ("failed", 70)


def test_a_scenario_for_more_nodes_than_the_backend_has_creates_nothing(world: World) -> None:
    world.file.write_text(
        world.file.read_text()
        .replace("nodeCount: 1", "nodeCount: 200")
        .replace("targetNodeCount: 1", "targetNodeCount: 200")
    )
    event = world.run()
    assert event.exit_code == 2
    assert "at most 100 nodes" in event.reasons[0]
    assert world.empty


def test_wrong_bodies_are_told_before_anything_is_made_all_at_once(world: World) -> None:
    made: list[str] = []
    world.backend = Wrapped(world.memory, ensure_place=lambda place: made.append(place.group))
    text = world.file.read_text().replace("vmSize: STANDARD_D1", "vmsize: STANDARD_D1")
    long = "x" * 131_072
    world.file.write_text(text.replace("value: very-secret", f"value: {long}"))
    event = world.run()
    assert (event.exit_code, made) == (2, [])
    assert "properties.vmsize" in event.reasons[0]
    assert "properties.secrets[0].value" in event.reasons[0]
    assert "xxx" not in event.reasons[0]
