"""What every engine must do; the numbers are the rules of the Engine protocol."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.base import EngineInfo, Terminal
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.launch.layout import NODE_ROOT, NODE_TREE
from tests.engines.conftest import WITH_SLURM

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=WITH_SLURM)
def lab(request: pytest.FixtureRequest, lab_of: Callable[..., Any]) -> Any:
    """A laboratory for each engine."""
    return lab_of(request.param)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def test_a_job_runs_and_leaves_its_files_on_the_share(lab: Any) -> None:
    outcome = lab.run(
        "echo out; echo err >&2; echo model > $AZ_BATCHAI_OUTPUT_OUT/model.dnn; pwd", preparation="echo ready"
    )
    end = outcome.end
    assert (end.phase, end.exit_code, end.problem) == ("main", 0, None)
    assert outcome.text().startswith("out\n/")
    assert outcome.text("stderr.txt") == "err\n"
    assert outcome.text("stdout-job_prep.txt") == "ready\n"
    assert outcome.text("stderr-job_prep.txt") == ""
    assert (outcome.logs.parent / "outputs/results/model.dnn").read_text() == "model\n"
    assert end.started_at <= end.ended_at
    assert abs(time.time() - end.ended_at.timestamp()) < 60


def test_the_job_sees_the_mount_root_that_its_node_was_given(lab: Any) -> None:
    outcome = lab.run("echo $AZ_BATCHAI_MOUNT_ROOT; cd $AZ_BATCHAI_MOUNT_ROOT/share && pwd -P >&2")
    assert outcome.text() == f"{lab.place.root}/mounts\n"
    if lab.place.root == NODE_ROOT:
        assert outcome.text("stderr.txt") == f"{NODE_ROOT}/mounts/share\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("false", 1),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        ("no-such-command --flag", 127),
        ("/etc", 126),
        ("exec false", 1),
        ("(exit 4)", 4),
        ("true | exit 5", 5),
        ("if", 2),
        ("exit 127", 127),
        ("sleep 300 & exit 6", 6),
        ("echo 'a\n b' | cat && exit 7", 7),
    ],
)
def test_exit_codes_are_the_commands_own(lab: Any, command: str, code: int) -> None:
    outcome = lab.run(command)
    assert (outcome.end.phase, outcome.end.exit_code, outcome.end.problem) == ("main", code, None)


def test_a_command_that_kills_its_whole_group_is_never_a_success(lab: Any) -> None:
    end = lab.run("kill -9 0").end
    assert end.exit_code == 137


@pytest.mark.parametrize(("command", "code"), [("exit 9", 9), ("kill -9 $$", 137), ("nothing-here", 127)])
def test_failing_preparation_ends_the_task(lab: Any, command: str, code: int) -> None:
    outcome = lab.run("touch $AZ_BATCHAI_OUTPUT_OUT/ran", preparation=command)
    assert (outcome.end.phase, outcome.end.exit_code, outcome.end.problem) == ("preparation", code, None)
    assert not (outcome.logs / "stdout.txt").exists()
    assert list((outcome.logs.parent / "outputs/results").iterdir()) == []


def test_preparation_and_job_share_their_machine(lab: Any) -> None:
    outcome = lab.run(
        "cat ~/made; kill -0 $(cat pid) && echo lives",
        preparation="echo x > ~/made; sleep 300 & echo $! > pid",
    )
    assert outcome.text() == "x\nlives\n"


def test_values_arrive_as_they_are(lab: Any) -> None:
    value = 'it\'s "quoted" $HOME `id` \\n\n  two\tlines ünïcødé €\n'
    secret = "p'a\"ss\n$word"
    outcome = lab.run(
        'printf %s "$VALUE"; printf %s "$SECRET" >&2',
        preparation='printf %s "$SECRET$UID"',
        variables={"VALUE": value, "UID": "7"},
        secrets={"SECRET": secret},
    )
    assert outcome.end.exit_code == 0
    assert outcome.text() == value
    assert outcome.text("stderr.txt") == secret
    assert outcome.text("stdout-job_prep.txt").startswith(secret)


def test_streams_arrive_whole(lab: Any) -> None:
    outcome = lab.run(
        "dd if=/dev/zero bs=1048576 count=1 2>/dev/null | tr '\\0' x; echo; seq 10000; printf 'no newline'; "
        "seq 10000 >&2"
    )
    lines = outcome.text().split("\n")
    assert lines[0] == "x" * 1048576
    assert lines[1:] == [*map(str, range(1, 10001)), "no newline"]
    assert outcome.text("stderr.txt").splitlines() == [str(i) for i in range(1, 10001)]


def test_a_hundred_fast_failures_are_a_hundred_failures(lab: Any) -> None:
    kinds = [("exit 3", "", 3), ("kill -9 $$", "", 137), ("missing-x", "", 127), ("true", "exit 5", 5)]
    for number in range({"process": 100, "docker": 24, "slurm": 8}[lab.engine.name]):
        command, preparation, code = kinds[number % 4]
        end = lab.run(command, preparation=preparation).end
        assert (end.exit_code, end.problem) == (code, None), number


def test_a_background_child_that_holds_the_files_does_not_outlive_the_job(lab: Any) -> None:
    outcome = lab.run("(while :; do echo tick; sleep 0.05; done) & sleep 0.2; echo done; exit 2")
    assert outcome.end.exit_code == 2
    size = (outcome.logs / "stdout.txt").stat().st_size
    time.sleep(0.2)
    assert (outcome.logs / "stdout.txt").stat().st_size == size


def test_e1_nodes_are_made_once(lab: Any) -> None:
    assert lab.engine.place_node(lab.cluster, lab.place.node) == lab.place
    other = lab.engine.place_node(lab.cluster, "second")
    assert other.disk != lab.place.disk
    lab.engine.remove_node(lab.cluster, "second")
    lab.engine.remove_node(lab.cluster, "second")
    assert not other.disk.exists()


def test_e2_a_task_is_started_once(lab: Any) -> None:
    task = lab.task("echo once; sleep 0.3")
    lab.start(task)
    lab.start(task)
    first = lab.engine.wait(task.id)
    lab.start(task)
    assert lab.engine.wait(task.id) == first
    assert lab.finish(task).text() == "once\n"


def test_e3_the_end_is_the_same_each_time_and_from_anywhere(lab: Any) -> None:
    task = lab.task("sleep 0.2; exit 3")
    lab.start(task)
    other = lab.another()
    with ThreadPoolExecutor(4) as pool:
        engines = [lab.engine, other, lab.engine, other]
        ends = set(pool.map(lambda engine: engine.wait(task.id), engines))
    ends.add(other.wait(task.id))
    other.close()
    assert len(ends) == 1
    assert lab.finish(task).end.exit_code == 3


def test_e3_a_task_survives_the_death_of_whoever_started_it(lab: Any) -> None:
    task = lab.task("echo $$; sleep 0.5; echo end; exit 6", preparation="echo ready")
    lab.start_and_die(task)
    assert lab.engine.tasks() == [task.id]
    outcome = lab.finish(task)
    assert outcome.end.exit_code == 6
    assert outcome.text().endswith("\nend\n")


def test_e2_a_start_that_was_cut_short_is_done_again(lab: Any) -> None:
    task = lab.task("echo once; exit 4", secrets={"A": "b"})
    lab.start_and_die(task, before="start" if lab.kind == "docker" else "_launch")
    assert lab.engine.tasks() == []
    assert lab.engine.wait(task.id).problem is not None
    lab.start(task)
    outcome = lab.finish(task)
    assert (outcome.end.exit_code, outcome.text()) == (4, "once\n")


def test_e3_what_nobody_started_did_not_succeed(lab: Any) -> None:
    end = lab.engine.wait("never-heard-of")
    assert end.problem is not None
    assert (end.phase, end.exit_code) == ("start", None)
    assert end == lab.engine.wait("never-heard-of")


def test_e4_stop_passes_term_on_and_keeps_the_exit_code(lab: Any) -> None:
    task = lab.task("trap 'echo bye; exit 44' TERM; echo up; while :; do sleep 0.05; done")
    lab.start(task)
    until(lambda: (lab.logs(task) / "stdout.txt").exists() and (lab.logs(task) / "stdout.txt").read_text())
    lab.engine.stop(task.id)
    outcome = lab.finish(task)
    assert outcome.end.exit_code == 44
    assert outcome.text() == "up\nbye\n"


def test_e4_stop_kills_what_does_not_listen(lab: Any) -> None:
    task = lab.task("trap '' TERM; echo up; (trap '' TERM; sleep 300) & sleep 300; sleep 300")
    lab.start(task)
    until(lambda: (lab.logs(task) / "stdout.txt").exists() and (lab.logs(task) / "stdout.txt").read_text())
    begun = time.monotonic()
    lab.engine.stop(task.id, 0.2)
    assert time.monotonic() - begun < (8 if lab.engine.name == "slurm" else 4)  # two steps more
    assert lab.finish(task).end.exit_code == 137


def test_e4_stopping_what_does_not_run_does_nothing(lab: Any) -> None:
    lab.engine.stop("never-heard-of")
    task = lab.task("exit 8")
    lab.start(task)
    end = lab.engine.wait(task.id)
    lab.engine.stop(task.id)
    assert lab.engine.wait(task.id) == end
    lab.engine.remove(task.id)
    lab.engine.remove(task.id)


def test_e4_stop_during_preparation_does_not_go_on_to_the_job(lab: Any) -> None:
    task = lab.task("echo never", preparation="echo up; sleep 300")
    lab.start(task)
    file = lab.logs(task) / "stdout-job_prep.txt"
    until(lambda: file.exists() and file.read_text())
    lab.engine.stop(task.id)
    outcome = lab.finish(task)
    assert (outcome.end.phase, outcome.end.exit_code) == ("preparation", 143)
    assert not (outcome.logs / "stdout.txt").exists()


def test_e7_tasks_are_listed_until_they_are_removed(lab: Any) -> None:
    task = lab.task("true")
    assert lab.engine.tasks() == []
    lab.start(task)
    assert lab.engine.tasks() == [task.id]
    lab.engine.wait(task.id)
    assert lab.engine.tasks() == [task.id]
    lab.engine.remove(task.id)
    assert lab.engine.tasks() == []


def test_e8_sweep_removes_only_clusters_that_are_not_kept(lab: Any) -> None:
    task = lab.task("sleep 300")
    lab.start(task)
    assert lab.engine.sweep(frozenset({lab.cluster})) == []
    assert lab.engine.tasks() == [task.id]
    assert lab.engine.sweep(frozenset({"another"}))
    assert lab.engine.tasks() == []
    assert not lab.place.disk.exists()
    assert lab.engine.sweep(frozenset()) == []


def test_outputs_on_an_unmounted_root_are_made_on_the_node(lab: Any) -> None:
    task = lab.task("echo here > $AZ_BATCHAI_OUTPUT_OUT/file", prefix="$AZ_BATCHAI_MOUNT_ROOT/external")
    lab.start(task)
    assert lab.engine.wait(task.id).exit_code == 0
    disk = lab.place.disk / NODE_TREE / "mounts/external/segment" / task.id
    assert (disk / "outputs/results/file").read_text() == "here\n"
    lab.engine.remove(task.id)


def test_the_end_survives_a_job_that_wipes_its_temporary_folder(lab: Any) -> None:
    assert lab.run('rm -rf "$AZ_BATCHAI_JOB_TEMP"; exit 5').end.exit_code == 5
    assert lab.run('rm -rf "$AZ_BATCHAI_JOB_TEMP"', preparation="true").end.exit_code == 0


def test_the_temporary_folder_is_wiped_when_the_next_job_starts(lab: Any) -> None:
    first = lab.run('echo x > "$AZ_BATCHAI_JOB_TEMP/left"; cat "$AZ_BATCHAI_MPI_HOST_FILE"')
    assert first.text() == f"{lab.place.address} slots=1\n"
    tree = lab.place.disk / NODE_TREE / "jobs"
    assert list(tree.rglob("left"))
    lab.run("true")
    assert not list(tree.rglob("left"))


def test_a_folder_that_cannot_be_made_is_told(lab: Any) -> None:
    (lab.share / "segment").write_text("a file is in the way")
    end = lab.run("true").end
    assert end.phase == "start"
    assert end.problem is not None
    assert "segment" in end.problem.message
    (lab.share / "segment").unlink()


def test_an_environment_file_is_gone_once_the_job_runs(lab: Any) -> None:
    task = lab.task("sleep 300", secrets={"WORD": "s3cr3t-value"})
    assert "s3cr3t" not in repr(task)
    lab.start(task)
    until((lab.logs(task) / "stdout.txt").exists)
    for file in (lab.place.disk / "control").rglob("*"):
        assert file.is_dir() or b"s3cr3t-value" not in file.read_bytes(), file
    lab.engine.stop(task.id, 0)
    lab.finish(task)


def test_an_engine_describes_itself(lab: Any) -> None:
    info = lab.engine.info()
    assert isinstance(info, EngineInfo)
    assert info.name == lab.engine.name
    assert info.mount_root


def test_a_command_enters_beside_a_task_and_ends_with_it(lab: Any) -> None:
    if lab.engine.name == "slurm":
        pytest.skip("nobody logs in to Slurm's nodes through the emulator")
    task = lab.task("until [ -e $AZ_BATCHAI_OUTPUT_OUT/go ]; do sleep 0.1; done", secrets={"TOKEN": "hidden"})
    lab.start(task)
    until((lab.logs(task) / "stdout.txt").exists)
    script = 'cat; echo "[$TOKEN]" >&2; exit 4'
    entered = lab.engine.enter(lab.cluster, task.id, script, None)
    entered.write(b"typed")
    entered.close_input()
    said = {1: b"", 2: b""}
    while (got := entered.read()) is not None:
        said[got[0]] += got[1]
    assert (entered.end(), said) == (4, {1: b"typed", 2: b"[]\n"})

    ended = lab.engine.enter(lab.cluster, task.id, "echo here; sleep 600", None)
    assert ended.read() == (1, b"here\n")
    broken = lab.engine.enter(lab.cluster, task.id, "echo here; sleep 600", Terminal("dumb", 80, 24))
    assert broken.read() == (1, b"here\r\n")
    assert broken.end() == 137
    lab.engine.stop(task.id, 0.0)
    assert ended.read() is None
    assert ended.end() != 0
    with pytest.raises(EngineError):
        lab.engine.enter(lab.cluster, task.id, "true", None)
    lab.finish(task)
