"""Wrappers keep every rule of the backend inside, and do what they are for."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.base import BackendOptions, BatchAIError, ClusterSpec, JobSpec, JobState, Place
from batchai_scenario.backends.errors import BackendError, UserError
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.memory import MemoryWorld as Model
from batchai_scenario.backends.registry import Registry
from batchai_scenario.backends.testing.bench import Bench, BenchSetting, BenchTarget
from batchai_scenario.backends.testing.benches import memory_bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.runner import FAILED, run_check, run_checks
from batchai_scenario.backends.testing.vocabulary import COMMANDS, PROGRAMS
from batchai_scenario.backends.testing.world import World
from batchai_scenario.backends.wrappers.benches import wrapper_bench
from batchai_scenario.backends.wrappers.bundles import pack, unpack
from batchai_scenario.backends.wrappers.faults import FAULTS, PROBLEMS, Rules
from batchai_scenario.backends.wrappers.faulty import FaultyBackend
from batchai_scenario.backends.wrappers.recording import RecordingBackend
from batchai_scenario.backends.wrappers.replay import ReplayBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.parity.conftest import Command

SURVIVED = "429:rate=0.05;500:rate=0.05;cut:rate=0.05"
"""The faults that a client is expected to survive."""

WRAPPERS = {
    "slow": {"of": "memory", "latency": "0.0001"},
    "recording": {"of": "memory"},
    "faulty": {"of": "memory", "faults": SURVIVED, "seed": "7"},
}
RANDOM = ("B2.1", "B2.2")
"""Rules whose checks upload random content: a replay knows only what was recorded, and says so."""

HTTP_CHECKS = ("B1.1", "B2.1", "B2.2", "B3.1", "B4.3", "B5.1", "B5.5", "B6.1", "B7.1", "B8.1", "B12.2")


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_keeps_the_contract(name: str, tmp_path: Path) -> None:
    bench = wrapper_bench(BenchTarget(name, WRAPPERS[name]), BenchSetting(tmp_path))
    try:
        broken = [outcome for outcome in run_checks(bench) if outcome.result == FAILED]
    finally:
        bench.close()
    assert not broken, broken


def test_clients_survive_refusals_and_cuts_on_their_requests(tmp_path: Path, exercise_process: None) -> None:
    options = {"of": "local", "engine": "process", "gpus": "none", "faults": SURVIVED, "seed": "3"}
    bench = wrapper_bench(BenchTarget("faulty", options), BenchSetting(tmp_path))
    try:
        outcomes = [run_check(it, bench) for it in CHECKS.values() if it.rule.number in HTTP_CHECKS]
        broken = [outcome for outcome in outcomes if outcome.result == FAILED]
        assert isinstance(bench.main, FaultyBackend)
        struck = bench.main.injected()
    finally:
        bench.close()
    assert not broken, broken
    assert {line.split()[1] for line in struck} == {"429:", "500:", "cut:"}


@pytest.mark.parametrize("name", CHECKS)
def test_a_recording_replays_every_rule(name: str, tmp_path: Path) -> None:
    check = CHECKS[name]
    bench = memory_bench(BenchTarget("memory", {}), BenchSetting(tmp_path))
    replays = {**bench.unseen, "traces": "a replay touches nothing that could be searched"}
    if check.rule.absent(bench.main.capabilities(), replays) or check.rule.number.startswith("B0"):
        pytest.skip("declared absent by the model, or about opening by options, which a bundle has not")
    opens, folders = bench.open, iter(tmp_path / f"bundle-{number}" for number in range(99))
    made: list[Path] = []

    def recorded(more: object) -> RecordingBackend:
        made.append(next(folders))
        return RecordingBackend(opens({}), made[-1])

    run(check.run, Bench("recording", tmp_path, recorded, bench.probes, pause=lambda _: None))
    bundles = iter(made)

    def replayed(more: object) -> ReplayBackend:
        return ReplayBackend.read(next(bundles))

    again = Bench("replay", tmp_path, replayed, pause=lambda _: None)
    if check.rule.number not in RANDOM:
        run(check.run, again)
        return
    with pytest.raises(BackendError, match="has no answer to upload"):
        run(check.run, again)


def run(check: object, bench: Bench) -> None:
    world = World(bench, key="00c0ffee")
    try:
        check(world)  # type: ignore[operator]
    finally:
        world.close()
        bench.close()


def test_bundles_keep_the_names_that_they_were_written_with() -> None:
    error = BatchAIError("JobFailed", "It failed.")
    written = pack([error])
    assert written[0]["is"] == "Problem"
    assert unpack(written) == [error]


PLACE = Place("group", "eastus", "workspace", "experiment")
MOUNT = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/share",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "files",
}
CLUSTER = ClusterSpec(
    PLACE,
    "nodes",
    {
        "vmSize": "STANDARD_NC6",
        "scaleSettings": {"manual": {"targetNodeCount": 2}},
        "userAccountSettings": {"adminUserName": "me", "adminUserPassword": "hunter2-password"},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [MOUNT]}},
    },
)


def job(program: str) -> JobSpec:
    body = {
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
        "customToolkitSettings": {"commandLine": COMMANDS[program]},
    }
    return JobSpec(PLACE, program, "nodes", body)


def faulty(tmp_path: Path, *faults: str, model: Model | None = None) -> FaultyBackend:
    backend = FaultyBackend(
        MemoryBackend(PROGRAMS, model or Model()), Rules.parse(faults, 1), tmp_path / "faults.jsonl"
    )
    backend.ensure_place(PLACE)
    backend.ensure_share("share")
    return backend


@pytest.mark.parametrize("kind", ["allocation", "quota", "nodeprep"])
def test_a_cluster_that_is_struck_has_no_usable_node(kind: str, tmp_path: Path) -> None:
    model = Model()
    backend = faulty(tmp_path, kind, model=model)
    status = backend.create_cluster(CLUSTER)
    other = faulty(tmp_path, model=model)  # another process sees the same
    for seen in (status, backend.get_cluster(PLACE, "nodes"), other.get_cluster(PLACE, "nodes")):
        assert [problem.code for problem in seen.errors] == [PROBLEMS[kind].code]
        assert "injected" in seen.errors[0].details
        assert seen.target == 2
        assert seen.nodes.get("idle", 0) == 0
        assert seen.nodes["unusable"] == (2 if kind == "nodeprep" else 0)
    waiting = backend.submit(job("endless"))
    assert backend.get_job(waiting.id).state is JobState.QUEUED
    assert len(backend.injected()) == 1
    backend.delete_cluster(PLACE, "nodes")
    assert not backend.create_cluster(CLUSTER).errors  # once is the default


@pytest.mark.parametrize("kind", ["mount", "image", "nodelost", "preempt"])
def test_a_job_that_is_struck_fails_with_the_services_code(kind: str, tmp_path: Path) -> None:
    model = Model()
    backend = faulty(tmp_path, kind, model=model)
    backend.create_cluster(CLUSTER)
    seen = [backend.submit(job("endless"))]
    for _ in range(9):
        seen.append(backend.get_job(seen[0].id))
    other = faulty(tmp_path, model=model).get_job(seen[0].id)
    for end in (seen[-1], other, backend.list_jobs(PLACE)[0]):
        assert end.state is JobState.FAILED
        assert end.exit_code is None
        assert [problem.code for problem in end.errors] == [PROBLEMS[kind].code]
    assert kind in backend.injected()[0]


def test_the_same_seed_strikes_alike() -> None:
    def struck(seed: int) -> list[str]:
        rules = Rules.parse(["429:rate=0.3", "cut:rate=0.2,times=3"], seed)
        return [rules.strike(("429", "cut")) for _ in range(50)]

    assert struck(5) == struck(5)
    assert struck(5) != struck(6)
    assert struck(5).count("cut") <= 3


def test_a_fault_that_never_ends_is_a_transient_error(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="injected fault") as refused:
        faulty(tmp_path, "500:rate=1")
    assert refused.value.transient


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("preemt", "did you mean 'preempt'"),
        ("lightning", "no fault 'lightning'"),
        ("quota:after=5s", "knows times=..., rate=..., not 'after=5s'"),
        ("preempt:after=soon", "is no time"),
        ("429:rate=2", "not a number that can be"),
    ],
)
def test_a_fault_that_cannot_be_is_a_clear_error(command: Command, text: str, words: str) -> None:
    assert words in command("run", "hello", "--fault", text, code=2)
    assert not (command.home / "runs").exists()


def test_every_fault_has_a_sentence(tmp_path: Path) -> None:
    assert set(faulty(tmp_path).faults()) == set(FAULTS)


def test_an_injected_fault_shows_as_one_in_the_run_and_its_record(command: Command) -> None:
    arguments = ("run", "hello", "--engine", "process", "--gpus", "none", "--seed", "4")
    out = command(*arguments, "--fault", "quota", code=4)
    assert "injected fault: quota" in out
    assert "AccountCoreQuotaReached" in out
    [run_file] = (command.home / "runs").glob("*/run.json")
    record = json.loads(run_file.read_text())
    assert (record["backend"], record["options"]["of"], record["options"]["seed"]) == ("faulty", "local", "4")
    assert record["faults"] == ["quota"]
    assert "quota: " in record["injected"][0]


SLEEPY = """
summary: sleeps
place: {group: sleepy, location: eastus}
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: sleepy, relativeMountPath: files}]}}
jobs:
  nap:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    customToolkitSettings: {commandLine: "echo begun; sleep 60; echo ended"}
"""


def test_a_job_is_pre_empted_after_the_time_that_was_asked_for(command: Command, tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(SLEEPY)
    out = command(
        *("run", str(tmp_path), "--engine", "process", "--gpus", "none", "--fault", "preempt:after=1s"),
        code=1,
    )
    assert "begun" in out
    assert "NodePreempted" in out
    assert "injected fault: preempt" in out
    [run_file] = (command.home / "runs").glob("*/run.json")
    job = json.loads(run_file.read_text())["jobs"]["nap"]
    assert "exitCode" not in job
    ran = datetime.fromisoformat(job["endedAt"][:19]) - datetime.fromisoformat(job["startedAt"][:19])
    assert 0 <= ran.total_seconds() < 20


def test_a_run_survives_a_busy_service_and_lost_connections(command: Command) -> None:
    faults = ("--fault", "429:rate=0.2", "--fault", "cut:rate=0.1", "--fault", "500:rate=0.1", "--seed", "3")
    command("run", "hello", "--engine", "process", "--gpus", "none", *faults)
    [run_file] = (command.home / "runs").glob("*/run.json")
    record = json.loads(run_file.read_text())
    assert record["state"] == "succeeded"
    assert {line.split()[1] for line in record["injected"]} == {"429:", "cut:", "500:"}


def test_a_run_is_recorded_and_replayed_without_its_backend(command: Command, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    local = ("--option", "of=local", "--engine", "process", "--gpus", "none")
    command("run", "hello", "--backend", "recording", "--option", f"bundle={bundle}", *local)
    text = (bundle / "calls.jsonl").read_text()
    assert "$STORAGE_KEY" in text
    assert "&sig=" not in text
    assert '"adminUserPassword": "<adminUserPassword>"' in text
    out = command("run", "hello", "--backend", "replay", "--option", f"bundle={bundle}")
    assert "Hello from the node." in out
    assert "succeeded" in out
    first, second = sorted((command.home / "runs").glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    jobs = [json.loads(path.read_text())["jobs"]["hello"] for path in (first, second)]
    assert [jobs[0]["outputs"], jobs[0]["exitCode"]] == [jobs[1]["outputs"], jobs[1]["exitCode"]]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("slow", {"of": "memory", "latency": "-1"}, "latency: '-1' is no number"),
        ("slow", {"of": "slow"}, "around itself"),
        ("slow", {"of": "nowhere"}, "no backend 'nowhere'"),
        ("slow", {"of": "memory", "speed": "9"}, "speed"),
        ("faulty", {"of": "memory", "faults": "boom"}, "no fault 'boom'"),
        ("replay", {}, "bundle"),
        ("replay", {"bundle": "/nowhere"}, "no recording"),
        ("replay", {"bundle": "/nowhere", "of": "local"}, "no such option"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    name: str, values: dict[str, str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        Registry().open(name, BackendOptions(tmp_path, values))
    assert words in str(refused.value)


def test_a_bundle_is_not_written_over(tmp_path: Path) -> None:
    RecordingBackend(MemoryBackend(), tmp_path / "bundle").close()
    with pytest.raises(UserError, match="holds a recording"):
        RecordingBackend(MemoryBackend(), tmp_path / "bundle")
