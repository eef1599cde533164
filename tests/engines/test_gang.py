"""Jobs of several nodes: they start together, see one another, and end with the master."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.control import find_control_folder
from batchai_scenario.emulator.engines.proc import NETWORK, end, marked
from batchai_scenario.emulator.launch.build import JobToPlan, plan_job
from tests.lacking import skip_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import TaskEnd
    from batchai_scenario.emulator.launch.plan import NodeTask
    from tests.engines.conftest import Lab

SECOND = "tvm-1_2-20180606t120000z"


class Pair:
    """Two nodes of a laboratory's cluster."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.places = [lab.place, lab.engine.place_node(lab.cluster, SECOND)]
        self.tasks: tuple[NodeTask, ...] = ()

    def start(
        self, command: str, preparation: str = "", *, late: bool = False, **more: Any
    ) -> tuple[NodeTask, ...]:
        """Plan the tasks of a job on both nodes, and start them unless that comes later."""
        definition: dict[str, Any] = {
            "nodeCount": 2,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/share",
            "jobPreparation": {"commandLine": preparation},
            "customToolkitSettings": {"commandLine": command},
            **more,
        }
        if self.lab.image:
            definition["containerSettings"] = {"imageSourceRegistry": {"image": self.lab.image}}
        self.tasks = plan_job(
            JobToPlan(
                job_guid=f"gang-{os.getpid()}",
                workspace="ws",
                experiment="exp",
                job="gang",
                segment="gang",
                definition=definition,
                secrets={},
                nodes=self.places,
                cluster_mounts=[("share", self.lab.share)],
                job_mounts=[],
                gpus="none",
                slots=2,
            )
        ).tasks
        threads = [threading.Thread(target=self.begin, args=(task,)) for task in self.tasks]
        for thread in threads if not late else ():
            thread.start()
        for thread in threads if not late else ():
            thread.join()
        return self.tasks

    def begin(self, task: NodeTask) -> None:
        self.lab.engine.start(task, self.lab.announced.append)

    def end(self) -> list[TaskEnd]:
        """Wait for the master, then end the other, as the cluster room does."""
        master, other = self.tasks
        first = self.lab.engine.wait(master.id)
        self.lab.engine.stop(other.id)
        return [first, self.lab.engine.wait(other.id)]

    def text(self, name: str = "stdout.txt") -> str:
        return (self.logs / name).read_text()

    @property
    def logs(self) -> Path:
        return self.lab.share / "gang" / "stdouterr"

    def drop(self) -> None:
        for task in self.tasks:
            self.lab.engine.remove(task.id)
        self.lab.engine.remove_node(self.lab.cluster, SECOND)


@pytest.fixture
def pair(lab: Lab) -> Iterator[Pair]:
    pair = Pair(lab)
    yield pair
    pair.drop()


@pytest.fixture
def pair_of(lab_of: Callable[..., Lab]) -> Iterator[Callable[[str], Pair]]:
    pairs = []

    def make(kind: str) -> Pair:
        pairs.append(Pair(lab_of(kind)))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.drop()


def test_the_master_waits_until_every_node_is_prepared(pair: Pair) -> None:
    slow = "sleep 0.3; echo prepared"
    pair.start("cat $AZ_BATCHAI_STDOUTERR_DIR/stdout-job_prep-*.txt", slow)
    ends = pair.end()
    assert [(end.phase, end.exit_code, end.problem) for end in ends] == [("main", 0, None)] * 2
    assert pair.text() == "prepared\nprepared\n"


def test_a_node_may_have_ended_before_the_master_has_come(pair: Pair) -> None:
    """As a rank that has nothing to do on a quick node."""
    settings = {"pythonScriptFilePath": "x", "pythonInterpreterPath": "true", "communicationBackend": "gloo"}
    ranks = {**settings, "processCount": 2}
    master, other = pair.start("", late=True, pyTorchSettings=ranks, customToolkitSettings=None)
    pair.begin(other)
    assert pair.lab.engine.wait(other.id).exit_code == 0
    pair.begin(master)
    assert pair.lab.engine.wait(master.id).exit_code == 0


def test_nodes_reach_one_another_by_what_the_service_gave_them(pair: Pair) -> None:
    other = pair.places[1].address
    pair.start(
        "cat $AZ_BATCHAI_MPI_HOST_FILE; echo $AZ_BATCH_HOST_LIST; echo mine >$AZ_BATCHAI_JOB_TEMP/own; "
        "echo ours >$AZ_BATCHAI_SHARED_JOB_TEMP/x; "
        f"ssh -o StrictHostKeyChecking=no -p 23 {other} 'cat $AZ_BATCHAI_SHARED_JOB_TEMP/x; "
        "ls $AZ_BATCHAI_JOB_TEMP/own; echo late >&2; exit 7'; echo code $?; "
        f"echo through | ssh root@{other} cat; ssh 192.0.2.9 true; echo code $?"
    )
    assert pair.end()[0].exit_code == 0
    addresses = [place.address for place in pair.places]
    hosts = "".join(f"{address} slots=2\n" for address in addresses)
    assert pair.text() == f"{hosts}{','.join(addresses)}\nours\ncode 7\nthrough\ncode 255\n"
    assert "late" in pair.text("stderr.txt")
    assert "192.0.2.9 is no node of this job" in pair.text("stderr.txt")


def test_many_commands_at_once_keep_their_streams_apart(pair: Pair) -> None:
    other = pair.places[1].address
    pair.start(
        f'for i in 1 2 3 4 5 6 7 8; do (echo "$i in" | ssh {other} "read -r l; echo $i \\$l; exit $i" '
        ">out$i; echo $? >>out$i) & done; wait; cat out*"
    )
    assert pair.end()[0].exit_code == 0
    assert pair.text() == "".join(f"{i} {i} in\n{i}\n" for i in range(1, 9))


def test_a_node_whose_preparation_fails_ends_with_it_while_the_master_waits(pair: Pair) -> None:
    pair.start(
        "echo never", "[ $(basename $AZ_BATCHAI_MPI_HOST_FILE) ] && mkdir $AZ_BATCHAI_SHARED_JOB_TEMP/one"
    )
    ends: dict[int, TaskEnd] = {}
    waiters = [
        threading.Thread(target=lambda i=i: ends.update({i: pair.lab.engine.wait(pair.tasks[i].id)}))
        for i in (0, 1)
    ]
    for waiter in waiters:
        waiter.start()
    while not ends:
        waiters[0].join(0.01)
    (failed,) = list(ends)
    assert (ends[failed].phase, ends[failed].exit_code) == ("preparation", 1)
    pair.lab.engine.stop(pair.tasks[1 - failed].id)
    for waiter in waiters:
        waiter.join()
    assert ends[1 - failed].exit_code == (143 if failed else 0)
    assert not (pair.logs / "stdout.txt").exists()


def test_a_node_that_is_lost_ends_with_a_problem(pair: Pair) -> None:
    master, other = pair.start("sleep 60")
    folder = find_control_folder(pair.lab.home, other.id)
    assert folder is not None
    while not (folder / "phase").exists():
        threading.Event().wait(0.01)
    if pair.lab.kind == "docker":
        pair.lab.engine._api.kill(f"scenario-{other.id}", "SIGKILL")  # type: ignore[attr-defined]
    else:
        end(marked(f"{pair.lab.home.root.resolve()}:{pair.lab.cluster}:{other.id}"))
    lost = pair.lab.engine.wait(other.id)
    assert lost.problem is not None
    assert lost == pair.lab.another().wait(other.id)
    pair.lab.engine.stop(master.id)
    stopped = pair.lab.engine.wait(master.id)
    assert stopped.exit_code == 143
    assert lost.ended_at <= stopped.ended_at


def test_what_nodes_shared_goes_when_the_next_job_starts(pair: Pair) -> None:
    pair.start("echo x >$AZ_BATCHAI_SHARED_JOB_TEMP/left")
    pair.end()
    shared = pair.lab.place.disk / "shared"
    assert [file.read_text() for file in shared.glob("*/temp/left")] == ["x\n"]
    pair.lab.run("true")
    assert not list(shared.iterdir())


@pytest.mark.parametrize("kind", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_nodes_have_the_addresses_of_the_service_and_networks_of_their_own(
    pair_of: Callable[[str], Pair], kind: str
) -> None:
    pair = pair_of(kind)
    if any("loopback" in note for note in pair.lab.engine.info().notes):
        skip_for("networks of nodes", "nodes have no network of their own here")
    addresses = [place.address for place in pair.places]
    assert [address.rpartition(".")[2] for address in addresses] == ["4", "5"]
    pair.start(f"cat /proc/net/fib_trie | grep -c {addresses[1]}; ssh {addresses[1]} hostname; hostname")
    pair.end()
    assert pair.text().splitlines() == ["0", "tvm-1-2-20180606t120000z", "tvm-1-1-20180606t120000z"]


def test_a_network_is_made_again_for_nodes_that_lost_it(pair_of: Callable[[str], Pair]) -> None:
    pair = pair_of("process")
    mine = f"{pair.lab.home.root.resolve()}:{pair.lab.cluster}:"
    end([process for process in marked(variable=NETWORK) if process.marker.startswith(mine)])
    for place in pair.places:
        assert pair.lab.engine.place_node(place.cluster, place.node) == place
    pair.start(f"ssh {pair.places[1].address} echo there")
    pair.end()
    assert pair.text() == "there\n"
