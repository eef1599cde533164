"""Opens the backend ``local``: an emulator that serves the home, and the client of ``backends.azure``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.local.settings import (
    CHOICES,
    OPTIONS,
    LocalChoices,
    local_settings,
    own_credentials,
)
from batchai_scenario.backends.offers import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from batchai_scenario.backends.base import Backend, BackendOptions, Place
    from batchai_scenario.backends.local.host import Host
    from batchai_scenario.backends.offers import Plans

TRIES, PAUSE = 80, 0.25
"""A request that finds nobody is tried again for 20 s: long enough for another process to take over."""


def _plans() -> Plans:
    from batchai_scenario.backends.local.planning import LocalPlans

    return LocalPlans()


@offered("the emulator on this machine: Docker containers or processes", options=OPTIONS, plans=_plans)
def open_backend(options: BackendOptions) -> Backend:
    """Connect to the emulator of ``options.home``, or start it in this process.

    Raises:
        UserError: an unknown option, or a value that it does not have.
        MachineError: the emulator cannot be started.
    """
    choices = LocalChoices.read(options)  # before anything heavy is imported
    from batchai_scenario.backends.local.host import Host, ServeOptions, start_emulator

    host = Host(options.home, lambda port: start_emulator(options.home, ServeOptions(port=port)))
    host.open()
    try:
        return _client(options.home, host, choices)
    except BaseException:
        host.close()
        raise


def _client(home: Path, host: Host, choices: LocalChoices) -> Backend:
    from batchai_scenario.backends.azure.backend import SERVICE, AzureBackend
    from batchai_scenario.backends.azure.clients import Retries
    from batchai_scenario.backends.local.asking import health
    from batchai_scenario.backends.local.control import preempt
    from batchai_scenario.backends.local.readying import lacks, ready

    class LocalBackend(AzureBackend):
        """The client of ``backends.azure`` with an emulator that it keeps alive."""

        def details(self) -> dict[str, str]:
            """Say where this is, and what was chosen."""
            chosen = {
                "engine": choices.engine or CHOICES["engine"][0],
                "gpus": choices.gpus or CHOICES["gpus"][0],
            }
            return {
                **super().details(),
                **chosen,
                **({"notice": "; ".join(host.notices)} if host.notices else {}),
                "emulator": "in process" if host.in_process else "found serving",
            }

        def lacks(self, jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
            """Say what this machine has to get before the jobs can run (M)."""
            return lacks(home, self._engine(), jobs)

        def ready(
            self,
            jobs: Sequence[Mapping[str, Any]],
            tell: Callable[[str], None],
            progress: Callable[[str, int, int], None],
        ) -> None:
            """Get what the jobs need (M)."""
            ready(home, self._engine(), jobs, tell, progress)

        def preempt_node(self, place: Place, cluster: str) -> str:
            """Take a node of low priority away (P)."""
            return preempt(home, self.get_cluster(place, cluster).id)

        @staticmethod
        def _engine() -> str:
            return choices.engine or str(health(host.url)["engine"])

        def close(self) -> None:
            """Close the connections, then an emulator in this process (B10)."""
            try:
                super().close()
            finally:
                host.close()

    return LocalBackend(
        local_settings(host.url, own_credentials(home)),
        name="local",
        capabilities=replace(SERVICE, engines=CHOICES["engine"], readies=True, preempts=True),
        retries=Retries(TRIES, PAUSE),
        cluster_headers=choices.headers(),
    )
