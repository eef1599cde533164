"""What the backend ``local`` may be told, and who it is at the emulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.offers import Offered, Option
from batchai_scenario.backends.settings import AzureSettings
from batchai_scenario.schema.engines import ENGINE_CHOICES

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.backends.base import BackendOptions
    from batchai_scenario.emulator.api import OwnCredentials

OPTIONS = (
    Option("engine", "What runs jobs (local).", ENGINE_CHOICES, "auto"),
    Option("gpus", "Whether jobs get GPUs (local).", ("auto", "none", "required", "shared"), "auto"),
)
CHOICES = {option.name: option.choices for option in OPTIONS}
"""The options' values; the first is the default."""

POLL_SECONDS = 2.0
"""Longest time between two looks at a job on this machine: a training on all cores loses less than
a percent of one to being watched. Short jobs are looked at more often (see the runner)."""


@dataclass(frozen=True, slots=True)
class LocalChoices:
    """The options as given; empty where nothing was chosen, so that the emulator's default counts."""

    engine: str = ""
    gpus: str = ""

    @classmethod
    def read(cls, options: BackendOptions) -> LocalChoices:
        """Read the options.

        Raises:
            UserError: an unknown option, or a value that it does not have.
        """
        Offered(options=OPTIONS).check("local", options)
        return cls(**options.values)

    def headers(self) -> dict[str, str]:
        """Give the headers that tell the emulator what was chosen for a cluster."""
        given = {"x-scenario-engine": self.engine, "x-scenario-gpus": self.gpus}
        return {name: value for name, value in given.items() if value}


def own_credentials(home: Path) -> OwnCredentials:
    """Read the credentials of a home; MachineError if they cannot be read."""
    from batchai_scenario.emulator.api import Home, HomeDamaged, OwnCredentials

    try:
        return OwnCredentials.at(Home(home).credentials)
    except HomeDamaged as error:
        raise MachineError(f"{error.path}: {error.reason}.", remedy=error.remedy) from None


def local_settings(url: str, own: OwnCredentials) -> AzureSettings:
    """Give the client's settings for an emulator that knows these credentials."""
    from batchai_scenario.emulator.api import development

    return AzureSettings(
        tenant_id=development.TENANT,
        client_id=development.CLIENT,
        client_secret=own.secret,
        subscription_id=development.SUBSCRIPTION,
        storage_account=development.ACCOUNT,
        storage_key=own.account_key,
        authority=url,
        resource_manager=url,
        storage_url=f"{url}/{development.ACCOUNT}",
        poll_seconds=POLL_SECONDS,
    )


def own_secrets(home: Path) -> tuple[str, ...]:
    """Give the secrets that jobs of a home's emulator may know; none if it has no credentials yet."""
    from batchai_scenario.emulator.api import Home

    if not Home(home).credentials.exists():
        return ()
    try:
        own = own_credentials(home)
    except MachineError:
        return ()
    return own.secret, own.account_key
