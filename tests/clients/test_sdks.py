"""The quickstarts' flow with each generation of the SDK, from the first call to the last delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import PROGRAMS, Emulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.clients, pytest.mark.network, pytest.mark.timeout(600)]

PYTHON, SCRIPT = "3.11", str(PROGRAMS / "lesson.sh")
IMAGE = "microsoft/cntk:2.1-gpu-python3.5-cuda8.0-cudnn6.0"
"""What the quickstarts name; the process engine needs no image."""

SHARED = ["share True False", "folder True"]
FLAT = ["group learning", *SHARED, "cluster True 1", "counted True"]
NESTED = ["group learning", "workspace eastus", "experiment tries"]


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Emulated, str]]:
    """Each engine in turn: programs around an emulator that uses it, and an image for their jobs."""
    name: str = request.param
    image = IMAGE
    if name == "docker":
        image = request.getfixturevalue("docker_image")
    else:
        request.getfixturevalue("exercise_process")
    emulated = Emulated(tmp_path / "home", name)
    yield emulated, image
    emulated.stop()


def run(engine: tuple[Emulated, str], python: str, program: str) -> list[str]:
    emulated, image = engine
    return emulated(python, str(PROGRAMS / program), image, "custom", SCRIPT).splitlines()


def test_october_2017(engine: tuple[Emulated, str], environment: Callable[[str, str], str]) -> None:
    python = environment("sdk-0.2.0", PYTHON)
    assert run(engine, python, "sdk_0_2_0.py") == [
        *FLAT,
        "job succeeded 0 Microsoft.BatchAI/Jobs",
        "stdouterr stderr.txt ...",
        "stdouterr stdout.txt seen 3 lines",
        "MODEL model.txt weights of 3 lines",
        "left [] []",
    ]


@pytest.mark.cntk
@pytest.mark.timeout(1500)
def test_october_2017_with_cntk(
    cntk_home: Path, environment: Callable[[str, str], str], exercise_process: None
) -> None:
    """The same program with CNTK itself: in its image where Docker answers, else in an environment."""
    python = environment("sdk-0.2.0", PYTHON)
    emulated = Emulated(cntk_home, "auto")
    try:
        program, script = (str(PROGRAMS / name) for name in ("sdk_0_2_0.py", "lesson.py"))
        out = emulated(python, program, IMAGE, "cntk", script, timeout=1400).splitlines()
    finally:
        emulated.stop()
    assert out[len(FLAT)] == "job succeeded 0 Microsoft.BatchAI/Jobs"
    assert "stdouterr stdout.txt weights [3.0, 4.0] True" in out
    assert {"MODEL model.dnn ...", "MODEL model.txt cntk 2."} < set(out)
    assert out[-1] == "left [] []"


@pytest.mark.parametrize("release", ["1.0.0", "1.0.1"])
def test_april_2018(
    engine: tuple[Emulated, str], environment: Callable[[str, str], str], release: str
) -> None:
    python = environment(f"sdk-{release}", PYTHON)
    assert run(engine, python, "sdk_1_0.py") == [
        *FLAT,
        "job succeeded 0 Microsoft.BatchAI/Jobs",
        "stdouterr execution.log ...",
        "stdouterr stderr.txt ...",
        "stdouterr stdout.txt seen 3 lines",
        "MODEL model.txt weights of 3 lines",
        "left False []",
    ]


def test_june_2018(engine: tuple[Emulated, str], environment: Callable[[str, str], str]) -> None:
    python = environment("sdk-2.0.0", PYTHON)
    assert run(engine, python, "sdk_2_0_0.py") == [
        *NESTED,
        "usages True",
        *SHARED,
        "cluster True 1",
        "counted True",
        "job succeeded 0 None",
        "stdouterr execution.log file ...",
        "stdouterr stderr.txt file ...",
        "stdouterr stdout.txt file seen 3 lines+hush",
        "MODEL model.txt file weights of 3 lines",
        "jobs ['lesson']",
        "left []",
    ]


def test_the_last_sdk(engine: tuple[Emulated, str], environment: Callable[[str, str], str]) -> None:
    python = environment("sdk-7.0.0", PYTHON)
    assert run(engine, python, "sdk_7_0_0.py") == [
        *NESTED,
        "share ShareAlreadyExists",
        "folder ['lesson.sh']",
        "cluster succeeded 1",
        "job succeeded 0",
        "stdouterr execution.log file ...",
        "stdouterr stderr.txt file ...",
        "stdouterr stdout.txt file seen 3 lines",
        "MODEL model.txt file weights of 3 lines",
        "left ResourceGroupNotFound",
    ]


def test_a_set_up_script_with_the_newest_clients(
    emulated: Emulated, environment: Callable[[str, str], str]
) -> None:
    program = str(PROGRAMS / "newest.py")
    assert emulated(environment("newest", PYTHON), program, SCRIPT).splitlines() == [
        "token EnvironmentCredential True",
        "token ManagedIdentityCredential True",
        "token DefaultAzureCredential True",
        "group westus",
        "account storeoftoday SkuName.STANDARD_LRS Kind.STORAGE_V2",
        "taken False",
        "kept ['kept']",
        "policy rw",
        "blob b'by policy'",
        "share 7",
        "deployed ProvisioningState.SUCCEEDED",
        "workspace eastus",
        "refused InvalidPropertyValue properties.vmSize",
        "listed ['microsoft.batchai/workspaces', 'microsoft.storage/storageaccounts']",
        "left []",
    ]
