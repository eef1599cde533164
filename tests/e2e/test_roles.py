"""Toolkits whose jobs have roles: real processes find one another at the addresses that the service gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Command

SCENARIO = """\
summary: Workers that count at a parameter server.
place: {group: roles, location: eastus}
uploads: [{share: roles, to: programs, from: [count.py]}]
cluster:
  vmSize: STANDARD_NC6
  scaleSettings: {manual: {targetNodeCount: 2}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: roles, relativeMountPath: files}]}}
jobs:
  tensorflow:
    nodeCount: 2
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    inputDirectories: [{id: PROGRAMS, path: $AZ_BATCHAI_MOUNT_ROOT/files/programs}]
    tensorFlowSettings:
      pythonScriptFilePath: $AZ_BATCHAI_INPUT_PROGRAMS/count.py
      masterCommandLineArgs: worker
      workerCommandLineArgs: worker
      parameterServerCommandLineArgs: ps
      workerCount: 3
  pytorch:
    nodeCount: 2
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    inputDirectories: [{id: PROGRAMS, path: $AZ_BATCHAI_MOUNT_ROOT/files/programs}]
    pyTorchSettings:
      pythonScriptFilePath: $AZ_BATCHAI_INPUT_PROGRAMS/count.py
      pythonInterpreterPath: python3
      commandLineArgs: rank
      communicationBackend: gloo
      processCount: 3
expect:
  tensorflow:
    executionState: succeeded
    metrics:
      counted: {from: stdout-wk-0.txt, pattern: 'counted {number}', equals: 3}
      last: {from: stdout-wk-2.txt, pattern: 'counted {number}', equals: 3}
      served: {from: stdout-ps-0.txt, pattern: 'served {number}', equals: 3}
  pytorch:
    executionState: succeeded
    metrics:
      ranks: {from: stdout-0.txt, pattern: 'ranks {number}', equals: 3}
      ranks_of_the_last: {from: stdout-2.txt, pattern: 'ranks {number}', equals: 3}
"""

PROGRAM = '''\
import glob, os, socket, sys, time  # on any Python: a toolkit's environment brings its own

role = sys.argv[1]
index = int(os.environ["AZ_BATCHAI_TASK_INDEX"])


def serve(port, count):
    """Wait for all workers, then tell each how many there are."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", port))
    listener.listen(count)
    waiting = [listener.accept()[0] for _ in range(count)]
    for connection in waiting:
        connection.sendall(str(count).encode())
        connection.close()
    print("served %d" % count)
    sys.stdout.flush()
    while True:  # as a parameter server does
        time.sleep(60)


def ask(host, port):
    while True:
        try:
            connection = socket.create_connection((host, port), 5)
            return connection.recv(10).decode()
        except (OSError, socket.error):
            time.sleep(0.05)


if role == "rank":
    folder = os.path.dirname(os.environ["AZ_BATCHAI_PYTORCH_INIT_METHOD"].replace("file://", ""))
    open(os.path.join(folder, "rank-%d" % index), "w").close()
    while len(glob.glob(os.path.join(folder, "rank-*"))) < 3:
        time.sleep(0.05)
    print("ranks %d" % len(glob.glob(os.path.join(folder, "rank-*"))))
else:
    host, port = os.environ["AZ_BATCHAI_PS_HOSTS"].split(":")
    workers = os.environ["AZ_BATCHAI_WORKER_HOSTS"].split(",")
    if role == "ps":
        serve(int(port), len(workers))
    print("counted %s" % ask(host, int(port)))
    if index == 2:
        time.sleep(0.5)  # the master is done by then, and waits
        print("late")
'''


@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_workers_servers_and_ranks_find_one_another(
    with_made_cache: Command, tmp_path: Path, engine: str
) -> None:
    folder = tmp_path / "roles"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SCENARIO)
    (folder / "count.py").write_text(PROGRAM)
    saved = tmp_path / "saved"
    with_made_cache(
        "run", str(folder), "--backend", "local", "--engine", engine, "--download", str(saved), timeout=500
    )
    (last,) = saved.rglob("stdout-wk-2.txt")
    assert last.read_text() == "counted 3\nlate\n"
    names = {path.name for path in saved.rglob("stdout-*")}
    assert names == {f"stdout-{role}.txt" for role in ("wk-0", "wk-1", "wk-2", "ps-0", "0", "1", "2")}
