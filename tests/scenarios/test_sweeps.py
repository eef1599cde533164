"""Sweeps: a job for each point, none lost and none made twice, whatever cuts them off; the best first."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.errors import InvalidScenario, Unreachable, UserError
from batchai_scenario.backends.memory import MemoryBackend, ProgramCall, Result
from batchai_scenario.scenarios.definition.datasets import DataOptions
from batchai_scenario.scenarios.definition.scenario import Scenario
from batchai_scenario.scenarios.record.record import Run, find_run
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.base import Recording
from batchai_scenario.scenarios.run.attach import settle, stop
from batchai_scenario.scenarios.run.finish import download
from batchai_scenario.scenarios.run.launch import Target
from batchai_scenario.scenarios.run.stage import RunOptions
from batchai_scenario.scenarios.run.waiting import Waiting
from batchai_scenario.scenarios.sweep.launch import resume_sweep, run_sweep, take_up
from batchai_scenario.scenarios.sweep.plan import Asked, plan_sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEARNS = """\
summary: Learns as well as it is told.
parameters:
  rate: {type: number, default: 0.1, minimum: 0, maximum: 1}
  epochs: {type: integer, default: 1, minimum: 1, maximum: 50}
  nodes: {type: integer, default: 1, minimum: 1}
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: "{{ nodes }}"}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: small, relativeMountPath: files}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    environmentVariables: [{name: PARAM_RATE, value: "0.25"}, {name: OWN, value: "1"}]
    secrets: [{name: TOKEN, value: very-secret}]
    customToolkitSettings: {commandLine: train}
expect:
  train:
    metrics:
      loss: {pattern: 'loss {number}', below: 9, limits: [{when: epochs >= 3, below: 0.9}]}
"""


class KilledError(BaseException):
    """Stands for kill -9: nothing of ours runs after it."""


@dataclass
class Sweeps:
    """A scenario to sweep over in memory, what its jobs were called with, and what was told."""

    home: Path
    file: Path
    calls: list[ProgramCall] = field(default_factory=list)
    recording: Recording = field(default_factory=Recording)
    waiting: Waiting = field(default_factory=Waiting)

    def __post_init__(self) -> None:
        self.memory = MemoryBackend({"train": self.train})

    def train(self, call: ProgramCall) -> Result:
        """Print a loss: that of the point's rate, less the more epochs there are."""
        self.calls.append(call)
        loss = float(call.environment["PARAM_RATE"]) + 1 / float(call.environment.get("PARAM_EPOCHS", 1))
        return Result(stdout=f"loss {loss}\n")

    def begin(self, *over: str, keep: bool = False, **asked: Any) -> e.Finished:
        """Run a sweep."""
        plan = plan_sweep(Scenario(self.file), {}, Asked(over, **asked))
        return run_sweep(
            plan,
            Target("memory", self.home),
            RunOptions(DataOptions(self.home / "cache"), keep=keep),
            self.recording,
            open_backend=lambda *_: self.memory,
            waiting=self.waiting,
        )

    def resume(self) -> e.Finished:
        """Go on with the newest one."""
        self.recording = Recording()
        run, plan = take_up(self.home, "last")
        return resume_sweep(
            run,
            plan,
            Target("memory", self.home),
            RunOptions(DataOptions(self.home / "cache")),
            self.recording,
            open_backend=lambda *_: self.memory,
        )

    def kill_at(self, moment: Callable[[e.Event], bool], *over: str, **asked: Any) -> Run:
        """Run a sweep until a moment, and die there; gives the record that is left."""
        hear = self.recording.handle

        def handle(event: e.Event) -> None:
            hear(event)
            if moment(event):
                raise KilledError

        self.recording.handle = handle  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            self.begin(*over, **asked)
        return self.record

    @property
    def record(self) -> Run:
        """The newest record."""
        return find_run(self.home, "last")

    @property
    def ranked(self) -> e.Ranked:
        """The order that was told."""
        (found,) = [event for event in self.recording.events if isinstance(event, e.Ranked)]
        return found


@pytest.fixture
def sweeps(tmp_path: Path, write: Callable[[str], Path]) -> Sweeps:
    return Sweeps(tmp_path / "home", write(LEARNS))


def empty(sweeps: Sweeps) -> bool:
    world = sweeps.memory.world
    return not (world.jobs or world.clusters or world.workspaces or world.groups)


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
    """What is written for a job does not grow with their number: 200 points write four times what 50 do."""
    sent: list[int] = []
    write = Run._write

    def counted(run: Run, name: str, part: Any) -> None:
        write(run, name, part)
        sent.append((run.folder / name).stat().st_size)

    monkeypatch.setattr(Run, "_write", counted)
    totals = []
    for number in (50, 200):
        sent.clear()
        sweeps.begin("rate=0:1", random=number, nodes=20)
        totals.append(sum(sent))
    assert totals[1] / totals[0] < 5


def test_random_points_differ_and_are_the_same_for_the_same_seed(sweeps: Sweeps) -> None:
    def points(seed: int) -> list[Any]:
        plan = plan_sweep(Scenario(sweeps.file), {}, Asked(["rate=0.001:1:log", "epochs=1:9"], 20, seed))
        return [tuple(point.items()) for point in plan.search.first()]

    assert points(1) == points(1) != points(2)
    assert len(set(points(1))) == 20
    rates = sorted(dict(point)["rate"] for point in points(1))
    assert 0.001 <= rates[0] < rates[len(rates) // 2] < 0.2, "half of three orders of magnitude is below 0.03"


def test_hyperband_lets_the_best_of_each_round_go_on(sweeps: Sweeps) -> None:
    event = sweeps.begin("rate=0:0.2", hyperband="epochs=9", nodes=3)
    assert event.exit_code == 0
    runs = [(float(c.environment["PARAM_RATE"]), int(c.environment["PARAM_EPOCHS"])) for c in sweeps.calls]
    assert sorted(epochs for _, epochs in runs) == [1] * 9 + [3] * 8 + [9] * 5
    once = sorted(rate for rate, epochs in runs if epochs == 1)
    assert set(once[:3]) <= {rate for rate, epochs in runs if epochs == 3}
    assert (once[0], 9) in runs


def test_hyperband_goes_on_where_it_was_cut_off(sweeps: Sweeps) -> None:
    dice = random.Random(3)
    moment = f"train-{dice.randint(10, 20):04d}"
    sweeps.kill_at(
        lambda event: isinstance(event, e.PointEnded) and event.job == moment,
        "rate=0:0.2",
        hyperband="epochs=9",
    )
    assert sweeps.resume().exit_code == 0
    assert sorted(call.job for call in sweeps.calls) == [f"train-{number:04d}" for number in range(1, 23)]


BAD: dict[str, tuple[list[str], dict[str, Any]]] = {
    "--over rat: the scenario has no parameter 'rat'": (["rat=1"], {}),
    "--over rate: 5.0 is above the maximum 1": (["rate=0.5,5"], {}),
    "--over epochs: '1.5' is not an integer": (["epochs=1.5"], {}),
    "--over rate: 0.1 stands twice": (["rate=0.1,0.1"], {}),
    "--over rate: it stands twice": (["rate=0.1", "rate=0.2"], {}),
    "--over: 'rate' is not NAME=VALUE": (["rate"], {}),
    "--over: a sweep goes over the values of a parameter": ([], {}),
    "--over rate: a range holds no end of points": (["rate=0.1:0.2"], {}),
    "--over rate: 0.2 is above 0.1": (["rate=0.2:0.1"], {"random": 2}),
    "--over rate: a range with :log begins above 0": (["rate=0:1:log"], {"random": 2}),
    "--over nodes: it changes the scenario's cluster": (["nodes=1,2"], {}),
    "--random: there are only 2 points": (["rate=0.1,0.2"], {"random": 3}),
    "--over: these are 122,500 points": (
        [
            f"{name}={','.join(map(str, values))}"
            for name, values in {"epochs": range(1, 51), "rate": [n / 2450 for n in range(2450)]}.items()
        ],
        {},
    ),
    "--minimize: the job has no metric 'los'": (["rate=0.1"], {"minimize": "los"}),
    "--hyperband epoch: the scenario has no parameter 'epoch'": (["rate=0:1"], {"hyperband": "epoch=9"}),
    "--hyperband epochs: 81 is above the maximum 50": (["rate=0:1"], {"hyperband": "epochs=81"}),
    "--hyperband epochs: --over has it, too": (["epochs=1,2"], {"hyperband": "epochs=9"}),
    "--hyperband: 'epochs' is not NAME=MOST": (["rate=0:1"], {"hyperband": "epochs"}),
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_swept_is_refused_by_name_before_anything_is_made(sweeps: Sweeps, text: str) -> None:
    over, asked = BAD[text]
    with pytest.raises(UserError) as caught:
        sweeps.begin(*over, **asked)
    assert text in str(caught.value)
    assert not (sweeps.home / "runs").exists()
    assert empty(sweeps)


def test_fewer_nodes_than_a_job_needs_are_refused(sweeps: Sweeps) -> None:
    sweeps.file.write_text(LEARNS.replace("nodeCount: 1", "nodeCount: 2").replace('"{{ nodes }}"', "2"))
    with pytest.raises(UserError, match="--nodes: a job needs 2 nodes"):
        sweeps.begin("rate=0.1", nodes=1)


def test_a_scenario_of_several_jobs_is_refused(sweeps: Sweeps) -> None:
    text = LEARNS.replace(
        "expect:", "  test: {nodeCount: 1, stdOutErrPathPrefix: x, customToolkitSettings: {}}\nexpect:"
    )
    sweeps.file.write_text(text)
    with pytest.raises(UserError, match="the jobs train, test"):
        sweeps.begin("rate=0.1")


def test_a_record_of_a_sweep_reads_as_it_was_written(sweeps: Sweeps) -> None:
    sweeps.begin("rate=0.5,0.25", keep=True)
    run = sweeps.record
    assert list(run.record.jobs) == ["train-0001", "train-0002"]
    assert run.record.jobs["train-0002"].parameters == {"rate": 0.25}
    assert json.loads((run.folder / "run.json").read_text())["jobs"] == {}
