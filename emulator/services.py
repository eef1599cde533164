"""The services behind the door, put together. What only requests enter is built when the first one comes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, cast

from batchai_scenario.emulator.errors import NothingToTake
from batchai_scenario.emulator.lazy import Lazy
from batchai_scenario.emulator.log import describe
from batchai_scenario.training.installed import training_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from batchai_scenario.emulator.arm.manager import ResourceManager
    from batchai_scenario.emulator.arm.messages import ResourceProvider
    from batchai_scenario.emulator.arm.operations import Operations
    from batchai_scenario.emulator.cluster.controller import Controller
    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.engines.choose import Engines
    from batchai_scenario.emulator.engines.substitutes import PullPolicy
    from batchai_scenario.emulator.identity.tokens import Tokens
    from batchai_scenario.emulator.launch.plan import GpuMode
    from batchai_scenario.emulator.settings import EmulatorSettings
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.storage.accounts import Accounts
    from batchai_scenario.emulator.storage.blob.service import BlobService
    from batchai_scenario.emulator.storage.files import FilesService
    from batchai_scenario.emulator.storage.volumes import Volumes


_LASTING = timedelta(seconds=1)
"""For how long states last that nobody looks at."""

_WARM_UP_AFTER = 0.2
"""Seconds after the start: by then whoever waited for it has asked whether we are there."""


@dataclass(frozen=True, slots=True)
class StorageServices:
    """The storage services. They are made together: each minds what the other deletes."""

    file: FilesService
    blob: BlobService


@dataclass(frozen=True, slots=True)
class Services:
    """Storage, and the resource manager with the providers behind it; no ``clusters`` for storage alone."""

    storage: Lazy[StorageServices]
    manager: Lazy[ResourceManager]
    accounts: Accounts
    volumes: Volumes
    clusters: RunningClusters | None
    preempt: Callable[[str, str], str]

    def steps(self) -> list[Callable[[], object]]:
        """Give what the first requests need, in steps: what is not there yet is built, the rest imported."""
        planning = "batchai_scenario.emulator.launch.build"
        rest: list[Callable[[], object]] = [self.manager, _read_schema, lambda: import_module(planning)]
        return [self.storage, *([] if self.clusters is None else rest)]


def _read_schema() -> None:
    from batchai_scenario.schema.clusters import ClusterCreate
    from batchai_scenario.schema.jobs import JobCreate, with_toolkits
    from batchai_scenario.training.toolkits.registry import delivered

    ClusterCreate.model_rebuild()
    with_toolkits(JobCreate, delivered()).model_rebuild()


def warm_up(held: ExitStack, steps: Sequence[Callable[[], object]], report: Callable[[str], None]) -> None:
    """Take steps in a thread, but not in the way of whoever waits for the start; unwinding ``held`` ends it.

    ``report`` hears what fails; the request that needs it is told again.
    """
    ending = threading.Event()

    def take() -> None:
        for number, step in enumerate(steps):
            if ending.wait(0 if number else _WARM_UP_AFTER):
                return
            try:
                step()
            except Exception as error:  # noqa: BLE001 - reported
                report(f"getting ready for the first requests\n{describe(error)}")

    thread = threading.Thread(target=take, name="emulator-warm-up", daemon=True)
    thread.start()

    def end() -> None:
        ending.set()
        thread.join()  # a process that ends while a thread imports compiled code may crash

    held.callback(end)


def make_services(  # noqa: PLR0917 - what every room is made of
    held: ExitStack,
    home: Home,
    settings: EmulatorSettings,
    store: Store,
    clocks: tuple[Clock, Clock],
    account_keys: Sequence[str],
    tokens: Tokens,
    *,
    blob_url: str,
) -> Services:
    """Put the services together, and take up the jobs that an earlier emulator left; ``held`` ends it all.

    ``clocks`` are the machine's, and one that runs evenly, for how long things last; ``blob_url`` is where
    containers are served at ``/ACCOUNT``.
    """
    builder = _Builder(home, settings, store, clocks, account_keys, tokens, blob_url)
    clusters = None if settings.only == "files" else builder.clusters(held)
    return Services(
        builder.storage,
        Lazy(lambda: builder.manager(clusters)),
        builder.accounts,
        builder.volumes,
        clusters,
        preempt=_no_clusters if clusters is None else clusters.controller.preempt,
    )


def _no_clusters(cluster: str, _: str) -> str:
    raise NothingToTake(f"there is no cluster {cluster}: only storage is served")


@dataclass(frozen=True, slots=True)
class RunningClusters:
    """What runs jobs."""

    controller: Controller
    engines: Engines


class _Builder:
    """Builds the services of one emulator, each at most once."""

    def __init__(  # noqa: PLR0917 - what every room is made of
        self,
        home: Home,
        settings: EmulatorSettings,
        store: Store,
        clocks: tuple[Clock, Clock],
        account_keys: Sequence[str],
        tokens: Tokens,
        blob_url: str,
    ) -> None:
        from batchai_scenario.emulator.cluster.servers import ServerDisks
        from batchai_scenario.emulator.identity import development
        from batchai_scenario.emulator.storage.accounts import Accounts
        from batchai_scenario.emulator.storage.shares import Shares
        from batchai_scenario.emulator.storage.volumes import Volumes

        self._home = home
        self._settings = settings
        self._store = store
        self._clock, self._even = clocks
        self._tokens = tokens
        self._blob_url = blob_url
        self.accounts = Accounts(
            store,
            home,
            development=(development.ACCOUNT, *account_keys),
            given=settings.credentials.accounts,
        )
        self._shares = Shares(home, store)
        self._servers = ServerDisks(home)
        self.storage: Lazy[StorageServices] = Lazy(self._storage)
        self.volumes = Volumes(lambda: self.storage().file, lambda: self.storage().blob, self._servers)

    def _storage(self) -> StorageServices:
        from batchai_scenario.emulator.storage.blob.service import BlobService
        from batchai_scenario.emulator.storage.files import FilesService

        return StorageServices(
            FilesService(
                self.accounts,
                self._shares,
                self._store,
                (self._clock, self._even),
                self._tokens,
                copy_seconds=self._settings.copy_seconds,
                share_days=self._settings.share_days,
            ),
            BlobService(self.accounts, self._shares, self._store, self._clock, self._home, self._tokens),
        )

    def clusters(self, held: ExitStack) -> RunningClusters:
        """Build what runs jobs, and let it go on where it left."""
        from batchai_scenario.emulator.cluster.controller import Controller
        from batchai_scenario.emulator.engines.choose import Engines

        engines = Engines(
            self._home,
            self._settings.training or training_folder(),
            self._settings.engine,
            pull=cast("PullPolicy", self._settings.pull),
            python=self._settings.python,
        )
        held.callback(engines.close)
        controller = Controller(
            self._store,
            self._even,
            engines,
            self.volumes,
            home=self._home,
            is_stranger=_is_stranger,
            lasting=_LASTING,
        )
        controller.start()
        held.callback(controller.close)
        return RunningClusters(controller, engines)

    def manager(self, clusters: RunningClusters | None) -> ResourceManager:
        """Build the resource manager; without clusters it has storage alone."""
        from batchai_scenario.emulator.arm.manager import ResourceManager
        from batchai_scenario.emulator.arm.operations import Operations
        from batchai_scenario.emulator.arm.providers import COMPANIONS, NamespaceOnly
        from batchai_scenario.emulator.identity import development
        from batchai_scenario.emulator.storage.management.provider import StorageProvider

        containers = self.storage().blob.containers  # and what a provider deletes, the services mind
        operations = Operations(self._store, self._even, strict=self._settings.strict)
        providers: list[ResourceProvider] = [
            StorageProvider(
                self.accounts,
                self._shares,
                self.storage().file.deleted,
                containers,
                self._clock,
                retry_after=int(operations.retry_after),
                blob_url=self._blob_url,
            ),
        ]
        if clusters is not None:
            companions = [NamespaceOnly(name) for name in COMPANIONS]
            providers = [self._batch_ai(clusters, operations), *providers, *companions]
        return ResourceManager(
            self._store,
            self._clock,
            providers,
            tenant=development.TENANT,
            subscription=development.SUBSCRIPTION,
            retry_after=operations.retry_after,
        )

    def _batch_ai(self, clusters: RunningClusters, operations: Operations) -> ResourceProvider:
        from batchai_scenario.emulator.batchai.provider import BatchAIProvider

        return BatchAIProvider(
            self._store,
            self._clock,
            clusters.controller,
            operations,
            self.volumes,
            resolve_engine=lambda name: _answering(clusters.engines.for_new(name)),
            refusal=clusters.engines.refusal,
            mount_refusal=clusters.engines.mount_refusal,
            gpus=cast("GpuMode", self._settings.gpus),
            servers=self._servers,
        )


def _is_stranger(client: object, server: object) -> bool:
    from batchai_scenario.emulator.gateway.peers import Peer, Peers

    peers = Peers()
    try:
        return peers.between(client, server) is Peer.OTHER
    finally:
        peers.close()


def _answering(engine: Engine) -> str:
    """Name an engine that answers; EngineUnavailable before anything is made if it does not."""
    engine.info()
    return engine.name
