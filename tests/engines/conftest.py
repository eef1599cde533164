"""A laboratory with one engine, one node and one share: what engine tests run their tasks in."""

from __future__ import annotations

import itertools
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.docker.engine import DockerEngine
from batchai_scenario.emulator.engines.process.engine import ProcessEngine
from batchai_scenario.emulator.engines.process.namespace import namespaces_missing
from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.launch.build import JobToPlan, plan_job
from batchai_scenario.emulator.state.home import Home
from tests.lacking import NAMESPACES, need_slurm, skip_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchai_scenario.emulator.engines.base import Engine, NodePlace, TaskEnd
    from batchai_scenario.emulator.launch.plan import GpuMode, NodeTask

ENGINES = [
    "process",
    "process-plain",
    pytest.param("docker", marks=pytest.mark.docker),
]
WITH_SLURM = [
    *ENGINES,
    pytest.param("slurm", marks=pytest.mark.slurm),
    pytest.param("slurm-docker", marks=[pytest.mark.slurm, pytest.mark.docker, pytest.mark.endurance]),
]
SHARE = "$AZ_BATCHAI_MOUNT_ROOT/share"
NODE = "tvm-1_1-20180606t120000z"
_NUMBERS = itertools.count(1)


SOURCES = Path(__file__).parents[2] / "src"
_STARTER = """
import os, pathlib, pickle, signal, sys
sys.path.insert(0, os.getcwd())
from batchai_scenario.emulator.engines.docker import engine as docker
from batchai_scenario.emulator.engines.process import engine as process
from batchai_scenario.emulator.engines.slurm import engine as slurm
from batchai_scenario.emulator.state.home import Home

kind, root, file, before = sys.argv[1:]
home = Home(pathlib.Path(root))
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if kind == "docker":
    engine = docker.DockerEngine(home, training=home.root, pull="never")
    if before:
        setattr(engine._api, before, die)
else:
    plain = slurm.SlurmEngine(home, pull="never") if kind.startswith("slurm") else None
    engine = plain or process.ProcessEngine(home, namespaces=kind == "process")
    if before:
        setattr(engine, before, die)
engine.start(pickle.loads(pathlib.Path(file).read_bytes()), print)
die()
"""


@dataclass
class Outcome:
    """How a task of the laboratory ended, and the folder of its streams."""

    end: TaskEnd
    logs: Path

    def text(self, name: str = "stdout.txt") -> str:
        return (self.logs / name).read_text()


@dataclass
class Lab:
    """One engine, one node, one share; ``run`` runs a command as the custom toolkit does."""

    kind: str
    engine: Engine
    home: Home
    image: str
    cluster: str
    place: NodePlace
    announced: list[str] = field(default_factory=list)

    @property
    def share(self) -> Path:
        return self.home.storage / "account" / "share"

    def logs(self, task: NodeTask) -> Path:
        return self.share / "segment" / task.id / "stdouterr"

    def task(
        self,
        command: str,
        *,
        preparation: str = "",
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        gpus: GpuMode = "none",
        prefix: str = SHARE,
        **more: Any,
    ) -> NodeTask:
        guid = f"{os.getpid()}-{next(_NUMBERS)}"
        definition: dict[str, Any] = {
            "stdOutErrPathPrefix": prefix,
            "outputDirectories": [{"id": "OUT", "pathPrefix": prefix, "pathSuffix": "results"}],
            "environmentVariables": [{"name": k, "value": v} for k, v in (variables or {}).items()],
            "secrets": [{"name": name} for name in secrets or ()],
            "jobPreparation": {"commandLine": preparation},
            "customToolkitSettings": {"commandLine": command},
            **more,
        }
        if self.image:
            definition.setdefault("containerSettings", {"imageSourceRegistry": {"image": self.image}})
        values = {f"/secrets/{i}/value": v for i, v in enumerate((secrets or {}).values())}
        plan = plan_job(
            JobToPlan(
                job_guid=guid,
                workspace="ws",
                experiment="exp",
                job=f"job-{guid}",
                segment=f"segment/{guid}-0",
                definition=definition,
                secrets=values,
                nodes=[self.place],
                cluster_mounts=[("share", self.share)],
                job_mounts=[],
                gpus=gpus,
            )
        )
        return plan.tasks[0]

    def start(self, task: NodeTask) -> None:
        self.engine.start(task, self.announced.append)

    def another(self) -> ProcessEngine | DockerEngine | SlurmEngine:
        """Make a second engine of the same home, as another process has it."""
        return make_engine(self.kind, self.home)

    def start_and_die(self, task: NodeTask, *, before: str = "") -> None:
        """Start a task from a process that is killed (SIGKILL) right after, or where ``before`` is called."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "task").write_bytes(pickle.dumps(task))
            arguments = [self.kind, str(self.home.root), str(Path(folder) / "task"), before]
            killed = subprocess.run([sys.executable, "-c", _STARTER, *arguments], check=False, cwd=SOURCES)
        assert killed.returncode == -signal.SIGKILL

    def finish(self, task: NodeTask) -> Outcome:
        end = self.engine.wait(task.id)
        self.engine.remove(task.id)
        return Outcome(end, self.logs(task))

    def run(self, command: str, **more: Any) -> Outcome:
        task = self.task(command, **more)
        self.start(task)
        return self.finish(task)


def make_engine(kind: str, home: Home, **more: Any) -> ProcessEngine | DockerEngine | SlurmEngine:
    if kind == "docker":
        return DockerEngine(home, training=home.root / "training", pull="never", **more)
    if kind.startswith("slurm"):
        return SlurmEngine(home, pull="never", **more)
    return ProcessEngine(home, namespaces=kind == "process", **more)


@pytest.fixture(scope="session")
def slurm_home(slurm_cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a Slurm cluster, whose one node all tests share: to have one takes a second."""
    home = Home(tmp_path_factory.mktemp("slurm") / "home")
    home.make()
    write_slurm_settings(home, slurm_cluster)
    yield home
    SlurmEngine(home).sweep(frozenset())
    assert not list(home.nodes.glob("*/*"))


@pytest.fixture(scope="session")
def slurm_docker_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a Slurm cluster of its own, on whose nodes images run in containers."""
    need_slurm()
    home = Home(tmp_path_factory.mktemp("slurm-docker") / "home")
    home.make()
    with slurm_sandbox(2) as sandbox:
        write_slurm_settings(home, sandbox.folder / "slurm.conf", "docker")
        yield home
        SlurmEngine(home).sweep(frozenset())
        assert not list(home.nodes.glob("*/*"))


def write_slurm_settings(home: Home, configuration: Path, launcher: str = "process") -> None:
    """Say in a home that it has a Slurm cluster."""
    home.slurm_settings.write_text(
        f'shared_folder: "{home.root}"\nslurm_conf: {configuration}\nsizes: {{"*": {{partition: all}}}}\n'
        f"launcher: {launcher}\n"
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home of ünï")
    home.make()
    return home


@pytest.fixture
def lab_of(home: Home, request: pytest.FixtureRequest) -> Iterator[Callable[..., Lab]]:
    """Make a laboratory with the engine of that kind; afterwards nothing of it is left."""
    labs: list[tuple[Lab, ProcessEngine | DockerEngine | SlurmEngine]] = []

    def make(kind: str, **more: Any) -> Lab:
        image = request.getfixturevalue("docker_image") if kind.endswith("docker") else ""
        slurm = kind.startswith("slurm")
        own = request.getfixturevalue(f"{kind.replace('-', '_')}_home") if slurm else home
        if slurm:
            request.node.user_properties.append(("engine", "slurm"))
        elif kind != "docker":
            request.getfixturevalue("exercise_process")
        if kind == "process" and (reason := namespaces_missing()):
            skip_for(NAMESPACES, reason)
        engine = make_engine(kind, own, **more)
        cluster = f"test-{os.getpid()}-{kind if slurm else len(labs)}"
        place = engine.place_node(cluster, NODE)
        lab = Lab(kind, engine, own, image, cluster, place)
        lab.share.mkdir(parents=True, exist_ok=True)
        labs.append((lab, engine))
        return lab

    yield make
    for lab, engine in labs:
        if lab.kind.startswith("slurm"):  # its node is for the next test, too
            for task in engine.tasks():
                engine.remove(task)
            shutil.rmtree(lab.share)
            continue
        engine.remove_node(lab.cluster, NODE)
        engine.sweep(frozenset())
        assert engine.tasks() == []
        assert not (lab.home.nodes / lab.cluster).exists()
        engine.close()


@pytest.fixture(params=ENGINES)
def lab(request: pytest.FixtureRequest, lab_of: Callable[..., Lab]) -> Lab:
    """A laboratory for each engine."""
    return lab_of(request.param)
