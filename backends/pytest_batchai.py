"""The pytest fixtures ``batchai`` and ``azure_files``: an emulator of a test's own.

It is loaded into every pytest session of whoever has the package, so what it needs is imported when a
fixture is asked for. See docs/testing-your-scenario.md and docs/azure-files.md.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.schema.engines import ENGINE_CHOICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.local.doors import Doors
    from batchai_scenario.backends.settings import AzureSettings

SCOPES = ("function", "class", "module", "package", "session")


@dataclass(frozen=True, slots=True)
class Emulated:
    """A running emulator and all that is needed to use it; it is gone when the fixture ends.

    ``url``: where it answers. ``home``: its folder, also for ``scenario --home``. ``settings``: endpoints and
    credentials, which are this emulator's own. ``backend``: the backend ``local``, on it.
    ``client``, ``resources`` and ``files``: clients of azure-mgmt-batchai 7.0.0, azure-mgmt-resource and
    azure-storage-file 2.1.0, signed in. ``environment``: the variables that ``--backend azure`` reads.
    """

    url: str
    home: Path
    settings: AzureSettings
    backend: Backend
    _clients: Any = field(repr=False)

    @property
    def client(self) -> Any:  # noqa: ANN401 - the SDK has no annotations
        """The Batch AI client, API version 2018-05-01."""
        return self._clients.batchai

    @property
    def resources(self) -> Any:  # noqa: ANN401 - the SDK has no annotations
        """The client for resource groups."""
        return self._clients.resources

    @property
    def files(self) -> Any:  # noqa: ANN401 - the SDK has no annotations
        """The client for shares."""
        return self._clients.files

    @property
    def environment(self) -> Mapping[str, str]:
        """Give the variables that lead ``scenario --backend azure``, or a program of yours, here."""
        from batchai_scenario.backends.settings import SETTINGS

        found = {
            setting.variable: str(getattr(self.settings, setting.name))
            for setting in SETTINGS
            if setting.name != "storage_suffix"
        }
        return {**found, "SCENARIO_HOME": str(self.home)}


@contextmanager
def emulated(home: Path, *, engine: str = "process", gpus: str = "auto") -> Iterator[Emulated]:
    """Run an emulator in this process on a free port; at the end everything of it is gone, its home too.

    Jobs that still run are ended.

    Raises:
        MachineError: it cannot be started.
    """
    from batchai_scenario.backends.azure.backend import SERVICE, AzureBackend
    from batchai_scenario.backends.azure.clients import Clients, Retries
    from batchai_scenario.backends.local.host import ServeOptions, start_emulator
    from batchai_scenario.backends.local.settings import local_settings, own_credentials

    with ExitStack() as held:
        held.callback(_erase, home)
        started = start_emulator(home, ServeOptions(engine=engine, gpus=gpus))
        held.callback(started.server.close)
        settings = local_settings(started.url, own_credentials(home))
        clients = Clients(settings, Retries())
        held.callback(clients.close)
        backend = AzureBackend(
            settings,
            name="local",
            capabilities=replace(SERVICE, engines=ENGINE_CHOICES),
        )
        held.callback(backend.close)
        yield Emulated(started.url, home, settings, backend, clients)


def _erase(home: Path) -> None:
    """Delete a home; what its clusters still run, or hold on the engine, first."""
    nodes = home / "nodes"
    if nodes.is_dir() and any(nodes.iterdir()):
        from batchai_scenario.backends.local.cleaning import reset

        reset(home, force=True)
    shutil.rmtree(home, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the fixture's settings; each may stand in the project's pytest configuration."""
    group = parser.getgroup("batchai", "the fixture 'batchai': an emulator of Azure Batch AI")
    group.addoption("--batchai-scope", choices=SCOPES, help="how long one emulator is used (function)")
    group.addoption("--batchai-engine", choices=ENGINE_CHOICES, help="what runs jobs (process)")
    group.addoption(
        "--azure-files-scope", choices=SCOPES, help="how long one 'azure_files' is used (function)"
    )
    parser.addini("azure_files_scope", "how long one emulator of storage is used", default="function")
    parser.addini("batchai_scope", "how long one emulator is used", default="function")
    parser.addini("batchai_engine", "what runs jobs: auto, docker or process", default="process")


def _chosen(config: pytest.Config, name: str, known: tuple[str, ...]) -> str:
    value = str(config.getoption(f"--{name.replace('_', '-')}") or config.getini(name))
    if value not in known:
        raise pytest.UsageError(f"{name} = {value!r}: choose one of {', '.join(known)}")
    return value


def _scope(fixture_name: str, config: pytest.Config) -> Any:  # noqa: ANN401, ARG001 - pytest's own signature
    return _chosen(config, "batchai_scope", SCOPES)


@pytest.fixture(scope=_scope)
def batchai(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """An emulator of Azure Batch AI of this test's own, with clients; gone afterwards."""
    folder = tmp_path_factory.mktemp("batchai")
    engine = _chosen(request.config, "batchai_engine", ENGINE_CHOICES)
    with emulated(folder / "home", engine=engine) as found:
        yield found
    folder.rmdir()


@contextmanager
def served_files(home: Path) -> Iterator[Doors]:
    """Run storage alone in this process on free ports; at the end everything of it is gone, its home too.

    Raises:
        MachineError: it cannot be started.
    """
    from batchai_scenario.backends.local.doors import doors_of
    from batchai_scenario.backends.local.host import ServeOptions, start_emulator

    with ExitStack() as held:
        held.callback(shutil.rmtree, home, ignore_errors=True)
        held.callback(start_emulator(home, ServeOptions(only="files")).server.close)
        yield doors_of(home)


def _files_scope(fixture_name: str, config: pytest.Config) -> Any:  # noqa: ANN401, ARG001 - pytest's own signature
    return _chosen(config, "azure_files_scope", SCOPES)


@pytest.fixture(scope=_files_scope)
def azure_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Azure Files and Blob of this test's own: ``connection_string``, ``account``, ``key``, ``file_url``."""
    folder = tmp_path_factory.mktemp("azure-files")
    with served_files(folder / "home") as doors:
        yield doors
    folder.rmdir()
