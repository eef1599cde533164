"""Checks of what whole clusters may do: setup tasks, scaling, file servers, logins, pre-emption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from batchai_scenario.backends.base import ClusterSpec, JobState
from batchai_scenario.backends.errors import InvalidSpec, NotFound, UserError
from batchai_scenario.backends.testing.verdicts import holds, refuses, same
from batchai_scenario.backends.testing.vocabulary import SECRET
from batchai_scenario.backends.testing.world import CLUSTER, codes

if TYPE_CHECKING:
    from batchai_scenario.backends.base import JobStatus
    from batchai_scenario.backends.powers import KeepsFileServers, PreemptsNodes, TellsLogins
    from batchai_scenario.backends.testing.world import World

ROOT = "$AZ_BATCHAI_MOUNT_ROOT"
LOOKS = 5
SERVER = {
    "vmSize": "STANDARD_D1",
    "sshConfiguration": {"userAccountSettings": {"adminUserName": "admin", "adminUserPassword": SECRET}},
    "dataDisks": {"diskSizeInGB": 1, "diskCount": 1, "storageAccountType": "Standard_LRS"},
}


def n_4_nodes_of_a_job_find_one_another(world: World) -> None:
    """Let the preparation of each node leave a file in the shared folder; then count files and addresses."""
    world.cluster(2)
    preparation = {"commandLine": world.bench.commands["meet"]}
    job = world.run("gather", nodeCount=2, jobPreparation=preparation)
    same((job.state, codes(job)), (JobState.SUCCEEDED, []), "state and errors")
    said = {name: world.text(job, name, "MODEL").strip() for name in ("prepared", "hosts")}
    same(said, {"prepared": "2", "hosts": "2"}, "nodes that prepared themselves, and their addresses")


def _with_setup(world: World, program: str, nodes: int) -> None:
    """Make a cluster whose nodes run one of the programs first."""
    world.backend.ensure_place(world.place)
    world.backend.ensure_share(world.share)
    body = world.cluster_body(nodes)
    body["nodeSetup"]["setupTask"] = {
        "commandLine": world.bench.commands[program],
        "stdOutErrPathPrefix": f"{ROOT}/files",
    }
    world.backend.create_cluster(ClusterSpec(world.place, CLUSTER, body))


def s_1_a_setup_task_runs_on_every_node(world: World) -> None:
    """Let each node leave a file on the share, and count them as soon as the nodes are idle."""
    _with_setup(world, "setup", 2)
    world.idle(2)
    left = [file.path for file in world.backend.list_share(world.share) if file.path.startswith("node.")]
    same(len(left), 2, "files that setup tasks left")


def s_2_a_failed_setup_task_leaves_a_node_unusable(world: World) -> None:
    """Let the setup task fail, and submit a job that must not run."""
    _with_setup(world, "fail", 1)

    def broken() -> bool:
        status = world.backend.get_cluster(world.place, CLUSTER)
        return status.nodes["unusable"] == 1 and bool(status.errors)

    world.until("an unusable node, and an error of its cluster", broken)
    job = world.submit("succeed")
    for _ in range(LOOKS):
        same(world.backend.get_job(job.id).state, JobState.QUEUED, "state of a job without a usable node")
        world.bench.pause(min(world.backend.wait_hint(), 0.02))


def _scaling(world: World, least: int, most: int, first: int) -> None:
    """Make a cluster that scales itself."""
    world.backend.ensure_place(world.place)
    world.backend.ensure_share(world.share)
    scale = {"minimumNodeCount": least, "maximumNodeCount": most, "initialNodeCount": first}
    body = {**world.cluster_body(), "scaleSettings": {"autoScale": scale}}
    world.backend.create_cluster(ClusterSpec(world.place, CLUSTER, body))


def a_1_a_cluster_grows_for_its_jobs(world: World) -> None:
    """Submit three jobs that go on, of one node each, to a cluster of none to two nodes."""
    _scaling(world, 0, 2, 0)
    first, second = (world.running("endless", name) for name in ("first", "second"))
    last = world.submit("endless", "last")
    for _ in range(LOOKS):
        same(world.backend.get_job(last.id).state, JobState.QUEUED, "state of a job beyond the maximum")
        same(world.backend.get_cluster(world.place, CLUSTER).current, 2, "nodes of a cluster at its maximum")
        world.bench.pause(min(world.backend.wait_hint(), 0.02))
    for job in (last, second, first):
        world.backend.terminate(job.id)


def a_2_a_cluster_shrinks_when_nothing_needs_it(world: World) -> None:
    """Make a cluster that begins with two nodes, and wait until it has the one that it keeps."""
    _scaling(world, 1, 2, 2)
    world.until("a cluster at its minimum", lambda: _settled(world) == (1, 1))


def _settled(world: World) -> tuple[int, int]:
    status = world.backend.get_cluster(world.place, CLUSTER)
    return (status.current, status.nodes["idle"]) if status.allocation == "steady" else (-1, -1)


def _mounting(world: World, server: str, nodes: int) -> dict[str, Any]:
    body = world.cluster_body(nodes)
    body["nodeSetup"]["mountVolumes"]["fileServers"] = [
        {"fileServer": {"id": server}, "relativeMountPath": "disk", "mountOptions": "rw"}
    ]
    return body


def v_1_a_disk_outlives_the_clusters_that_mount_it(world: World) -> None:
    """Write on a file server's disk, delete the cluster, and read it on another one."""
    backend, place = world.backend, world.place
    backend.ensure_place(place)
    backend.ensure_share(world.share)
    server = cast("KeepsFileServers", backend).create_file_server(place, "disk", SERVER)
    same(server.state, "succeeded", "state of a file server that is there")
    output = {"id": "MODEL", "pathPrefix": f"{ROOT}/disk", "pathSuffix": "Models"}
    backend.create_cluster(ClusterSpec(place, CLUSTER, _mounting(world, server.id, 1)))
    wrote = world.run("note", outputDirectories=[output])
    backend.delete_cluster(place, CLUSTER)
    backend.create_cluster(ClusterSpec(place, CLUSTER, _mounting(world, server.id, 1)))
    found = {"id": "DATA", "path": f"{ROOT}/disk/{wrote.segment}/outputs/Models"}
    read = world.run("copy", inputDirectories=[found])
    same([codes(job) for job in (wrote, read)], [[], []], "errors of the jobs that wrote and read")
    same(world.share_text(f"{read.segment}/outputs/Models/copy.txt"), "noted", "what was read")


def v_2_a_missing_file_server_is_refused(world: World) -> None:
    """Mount a file server beside one that is there."""
    backend, place = world.backend, world.place
    backend.ensure_place(place)
    backend.ensure_share(world.share)
    server = cast("KeepsFileServers", backend).create_file_server(place, "disk", SERVER)
    with refuses(InvalidSpec, "mounting a file server that is not there") as refusal:
        backend.create_cluster(ClusterSpec(place, CLUSTER, _mounting(world, f"{server.id}-not", 0)))
    same(refusal.field, "properties.nodeSetup.mountVolumes.fileServers[0].fileServer.id", "refused property")
    with refuses(NotFound, "reading a cluster that was refused"):
        backend.get_cluster(place, CLUSTER)


def v_3_file_servers_go(world: World) -> None:
    """Delete a file server twice; make it again, and delete its place."""
    servers, place = cast("KeepsFileServers", world.backend), world.place
    world.backend.ensure_place(place)
    for _ in range(2):
        made = servers.create_file_server(place, "disk", SERVER)
        same(servers.create_file_server(place, "disk", SERVER).id, made.id, "id of a server that was there")
        same(servers.get_file_server(place, "disk").id, made.id)
        for _ in range(2):
            servers.delete_file_server(place, "disk")
        with refuses(NotFound, "reading a file server that was deleted"):
            servers.get_file_server(place, "disk")


def l_1_each_node_has_a_login(world: World) -> None:
    """Ask for the logins of two nodes."""
    world.cluster(2)
    logins = cast("TellsLogins", world.backend).remote_logins(world.place, CLUSTER)
    holds(all(login.node and login.address and login.port for login in logins), f"not whole: {logins}")
    nodes, doors = {login.node for login in logins}, {(login.address, login.port) for login in logins}
    same((len(logins), len(nodes), len(doors)), (2, 2, 2), "logins, nodes and doors of two nodes")


def _grown(world: World, priority: str) -> JobStatus:
    """Let a job run on a node of a priority until there is the file that it waits for."""
    world.backend.ensure_place(world.place)
    world.backend.ensure_share(world.share)
    body = {**world.cluster_body(), "vmPriority": priority}
    world.backend.create_cluster(ClusterSpec(world.place, CLUSTER, body))
    return world.speaking("grow")


def p_1_a_preempted_job_runs_again(world: World) -> None:
    """Take the node of a running job: it starts later than it did, on another node, and ends well."""
    job = _grown(world, "lowpriority")
    cast("PreemptsNodes", world.backend).preempt_node(world.place, CLUSTER)
    world.put("data/go", "")
    end = world.end(world.backend.get_job(job.id))
    same((end.state, codes(end)), (JobState.SUCCEEDED, []), "the end of a pre-empted job")
    if job.started_at and end.started_at:
        holds(end.started_at > job.started_at, "a pre-empted job did not start again")
    world.idle()


def p_2_a_dedicated_node_is_not_preempted(world: World) -> None:
    """Try to take the node of a running job, which goes on and ends."""
    job = _grown(world, "dedicated")
    with refuses(UserError, "taking a dedicated node"):
        cast("PreemptsNodes", world.backend).preempt_node(world.place, CLUSTER)
    world.put("data/go", "")
    end = world.end(job)
    same((end.state, end.started_at), (JobState.SUCCEEDED, job.started_at), "the end of a job that stayed")
