"""With ever so few descriptors a task starts, or does not start and leaves nothing; it never half starts."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.engines.conftest import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import os, pathlib, pickle, resource, sys
sys.path.insert(0, os.getcwd())
from batchai_scenario.emulator.cluster.room import shortage
from batchai_scenario.emulator.engines.docker import engine as docker
from batchai_scenario.emulator.engines.process import engine as process
from batchai_scenario.emulator.state.home import Home

kind, root, file = sys.argv[1:]
home = Home(pathlib.Path(root))
tasks = pickle.loads(pathlib.Path(file).read_bytes())
if kind == "docker":
    engine = docker.DockerEngine(home, training=home.root, pull="never")
else:
    engine = process.ProcessEngine(home, namespaces=kind == "process")
engine.start(tasks[0], print)  # what is loaded and asked once is there
assert engine.wait(tasks[0].id).exit_code == 0
engine.remove(tasks[0].id)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

def hoard(free):
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        for _ in range(free):
            os.close(held.pop())
    return held

def started(task):
    try:
        engine.start(task, lambda line: None)
    except Exception as error:
        assert shortage(error), repr(error)
        return False
    return True

said = []
for free, task in enumerate(tasks[1:]):
    held = hoard(free)
    done = started(task)
    for handle in held:
        os.close(handle)
    said.append(done)
    if not done:
        assert task.id not in engine.tasks(), free
        engine.start(task, print)
    end = engine.wait(task.id)
    assert (end.exit_code, end.problem) == (0, None), end
    engine.remove(task.id)
print("some failed:", not all(said), "some started:", any(said))
"""


def test_a_start_without_descriptors_leaves_nothing_and_is_done_later(lab: Any, tmp_path: Path) -> None:
    tasks = [lab.task("exit 0") for _ in range(15)]
    file = tmp_path / "tasks"
    file.write_bytes(pickle.dumps(tasks))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, lab.kind, str(lab.home.root), str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=SOURCES,
    )
    assert done.stdout.endswith("some failed: True some started: True\n"), done.stderr
