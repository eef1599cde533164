"""GPUs by CDI in a Docker engine of our own, with a made-up device."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker  # type: ignore[import-untyped, unused-ignore]
import pytest

from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget, make_bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.runner import PASSED, run_checks
from batchai_scenario.emulator.engines.docker.engine import DockerEngine
from batchai_scenario.emulator.engines.gpunodes import GPUS_TAKEN, GpuWish
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable
from tests.conftest import TEST_IMAGE, busybox_root
from tests.engines import cdi
from tests.engines.conftest import Lab
from tests.lacking import needs_program, needs_root, required_engines, skip_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.state.home import Home

pytestmark = [needs_root, needs_program("busybox"), needs_program("runc")]
SEEN = "ls /dev | grep nvidia; echo $AZ_BATCHAI_NUM_GPUS,$CUDA_VISIBLE_DEVICES,$NVIDIA_VISIBLE_DEVICES"


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the engine, with the test image.

    A socket's path must be short, and the engine's data be on no layered file system. Where Docker is
    required, as in CI, and for tests of endurance, one that is new enough is fetched.
    """
    kept = os.environ.get("SCENARIO_TEST_CACHE")
    cache = Path(kept) / "cdi" if kept else tmp_path_factory.mktemp("cdi")
    wanted = "docker" in required_engines() or request.config.getoption("--endurance")
    folder = Path(tempfile.mkdtemp(prefix="scenario-cdi-"))
    try:
        path = cdi.programs(cache, fetch=bool(wanted))
        if path is None:
            skip_for("Docker 25", "no engine here knows CDI (CI and 'tox -e endurance' fetch one)")
        with cdi.serving(folder, path) as found:
            client = docker.DockerClient(found)
            busybox = busybox_root(Path(str(shutil.which("busybox"))))
            client.api.import_image_from_data(busybox, *TEST_IMAGE.split(":"))
            client.api.tag(TEST_IMAGE, "scenario-test", "old-cuda8.0")
            client.close()
            yield found
    except cdi.CannotServeError as error:
        skip_for("Docker 25", str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lab(host: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("DOCKER_HOST", host)
    engine = DockerEngine(home, training=home.root / "training", pull="never")
    place = engine.place_node("gpus", "n1", GpuWish("auto", "STANDARD_NC6"))
    lab = Lab("docker", engine, home, TEST_IMAGE, "gpus", place)
    lab.share.mkdir(parents=True)
    yield lab
    engine.sweep(frozenset())
    assert engine.tasks() == []
    engine.close()


def created(host: str) -> int:
    """Count the containers that the engine has made since it was started."""
    client = docker.DockerClient(host)
    try:
        wanted = {"type": "container", "event": "create"}
        return len(list(client.events(since=1, until=int(time.time()) + 1, filters=wanted, decode=True)))
    finally:
        client.close()


def test_nodes_have_gpus_of_their_own_by_cdi(lab: Lab, host: str) -> None:
    info = lab.engine.info()
    assert (info.gpus, info.gpu_note) == (True, "0, 1 by CDI")
    assert lab.run(SEEN, gpus="required").text() == "nvidia0\n1,0,0\n"
    assert "gpus: the job has 1 (Made-up 0, by CDI)" in lab.announced
    (told,) = (line for line in lab.announced if "CUDA" in line)
    assert "CUDA 8.0 knows GPUs up to compute capability 6.2, and Made-up 0 has 9.0" in told
    (proof,) = (lab.home.cache / "gpus").iterdir()
    assert "GPU-made-up-0" in proof.read_text()
    made = created(host)
    assert lab.run(SEEN, gpus="required").text() == "nvidia0\n1,0,0\n"
    assert created(host) == made + 1, "once proven, a job makes no container but its own"

    lab.place = lab.engine.place_node("gpus", "n2", GpuWish("auto", "STANDARD_NC6"))
    assert lab.run(SEEN, gpus="auto").text() == "nvidia1\n1,0,0\n", "CUDA counts a container's GPUs from 0"
    assert lab.run(SEEN, gpus="none").text() == "0,,void\n"

    with pytest.raises(EngineError, match="--gpus shared") as caught:
        lab.engine.place_node("gpus", "n3", GpuWish("auto", "STANDARD_NC6"))
    assert caught.value.problem.code == GPUS_TAKEN
    lab.place = lab.engine.place_node("gpus", "n3", GpuWish("shared", "STANDARD_NC24"))
    assert lab.run(SEEN, gpus="shared").text() == "nvidia0\nnvidia1\n2,0,1,0,1\n"

    lab.place = lab.engine.place_node("gpus", "n4", GpuWish("required", "STANDARD_D2"))
    with pytest.raises(EngineUnavailable, match="its node has no GPU"):
        lab.start(lab.task(SEEN, gpus="required"))


def test_the_contract_for_gpus_holds_by_cdi(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    target = BenchTarget("local", {"engine": "docker", "gpus": "required"})
    bench = make_bench(target, BenchSetting(tmp_path, dict(os.environ), TEST_IMAGE))
    try:
        found = {
            outcome.rule: (outcome.result, outcome.detail)
            for outcome in run_checks(bench, [it for it in CHECKS.values() if it.rule.chapter == "G"])
        }
    finally:
        bench.close()
    assert {rule: result for rule, (result, _) in found.items()} == dict.fromkeys(
        ("G.1", "G.2", "G.3"), PASSED
    ), found
