"""Plans of the backend ``azure``: the real client, with nobody behind it."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.planning import places_of, requests_of
from batchai_scenario.backends.settings import SETTINGS, AzureSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.base import Backend, BackendOptions, PlannedRequest
    from batchai_scenario.backends.offers import Whereabouts

STAND_IN_KEY = base64.b64encode(b"no account's key").decode()


class AzurePlans:
    """Plans; settings that are missing stand as the names of their variables."""

    def requests(self, options: BackendOptions, calls: Callable[[Backend], object]) -> list[PlannedRequest]:
        """Give the requests that ``calls`` would send."""
        return requests_of(_settings(options), {}, "azure", calls)

    def whereabouts(self, options: BackendOptions) -> Whereabouts:
        """Say where they would go."""
        return places_of(_settings(options), "the environment variable AZURE_{}")


def _settings(options: BackendOptions) -> AzureSettings:
    stand_ins = {
        setting.variable: STAND_IN_KEY if setting.name == "storage_key" else setting.variable
        for setting in SETTINGS
        if setting.default is None
    }
    given = {name: value for name, value in options.environment.items() if value}
    return AzureSettings.read(replace(options, environment={**stand_ins, **given}))
