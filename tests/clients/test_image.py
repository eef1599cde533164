"""The image of the emulator: built from what this machine has, and asked for a share from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest
from azure.storage.fileshare import ShareClient

from tests.clients.conftest import ROOT, interpreter, missing
from training.images.builder import ImageRecipe, build
from training.support.events import Events

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.clients,
    pytest.mark.docker,
    pytest.mark.network,
    pytest.mark.timeout(1500),
]

BASE, IMAGE = "scenario-test/python:bookworm", "scenario-test/emulator:latest"
PYTHON = ImageRecipe(
    name="python",
    summary="Debian's Python, for the test of the emulator's image",
    base="debian:bookworm-slim",
    suite="bookworm",
    packages=("passwd", "python3", "python3-venv"),
)


def _docker(*words: str, timeout: float = 300) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image, built without a registry and without an index inside: packages come from a folder."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        missing("Docker engine", "docker")
    build(PYTHON, BASE, Events(as_json=True, out=sys.stderr), registry=False)
    context = tmp_path_factory.mktemp("context")
    for name in (
        "Containerfile", "LICENSE", "README.md", "pyproject.toml",
        "backends", "emulator", "scenarios", "schema", "src", "training",
    ):  # fmt: skip
        place = ROOT / name
        if place.is_dir():
            left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(place, context / name, symlinks=True, ignore=left_out)
        else:
            shutil.copy(place, context / name)
    wheels = [interpreter("3.11"), "-m", "pip", "wheel", "--quiet", "-w", str(context / "wheels")]
    subprocess.run([*wheels, str(context), "setuptools>=77", "wheel"], check=True, timeout=600)
    shutil.rmtree(context / "build", ignore_errors=True)
    options = "PIP_OPTIONS=--no-index --find-links=/src/wheels"
    _docker(
        "build", "--quiet", "--network", "none", "--build-arg", f"BASE={BASE}", "--build-arg", options,
        "-t", IMAGE, "-f", str(context / "Containerfile"), str(context), timeout=900,
    )  # fmt: skip
    return IMAGE


@pytest.fixture
def network() -> Iterator[str]:
    name = f"scenario-test-{uuid.uuid4().hex[:8]}"
    _docker("network", "create", name)
    yield name
    _docker("network", "rm", name)


@pytest.fixture
def volume() -> Iterator[str]:
    name = f"scenario-test-{uuid.uuid4().hex[:8]}"
    _docker("volume", "create", name)
    yield name
    _docker("volume", "rm", name)


def _serve(image: str, network: str, volume: str) -> tuple[str, str]:
    """Start a container; gives its id and the connection string that leads there."""
    words = ["run", "--detach", "--network", network, "--volume", f"{volume}:/data"]
    container = _docker(*words, image, "--only", "files", "--port", "10000", "--json")
    deadline = time.monotonic() + 60
    while not (said := _docker("logs", container)).strip():
        assert time.monotonic() < deadline, "it does not say that it serves"
    told = json.loads(said.splitlines()[0])
    networks = json.loads(_docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", container))
    inside = networks[network]["IPAddress"]
    endpoint = f"http://{inside}:10000/{told['account']}"
    text = f"AccountName={told['account']};AccountKey={told['key']};FileEndpoint={endpoint}"
    return container, f"DefaultEndpointsProtocol=http;{text}"


def test_a_client_outside_uploads_and_downloads(image: str, network: str, volume: str) -> None:
    container, text = _serve(image, network, volume)
    try:
        with ShareClient.from_connection_string(text, "data") as share:
            share.create_share()
            share.get_file_client("f").upload_file(b"content" * 100_000)
        assert _docker("exec", container, "id", "-un") == "scenario"
        _docker("rm", "--force", container)
        container, text = _serve(image, network, volume)  # the volume keeps what was there
        with ShareClient.from_connection_string(text, "data") as share:
            assert share.get_file_client("f").download_file().readall() == b"content" * 100_000
    finally:
        _docker("rm", "--force", container)
