"""Plans of the backend ``local``: the port stands as ``<port>``, for the emulator may not be there yet."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.local.settings import LocalChoices, local_settings
from batchai_scenario.backends.planning import places_of, requests_of
from batchai_scenario.emulator.api import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.base import Backend, BackendOptions, PlannedRequest
    from batchai_scenario.backends.offers import Whereabouts

NO_PORT = "http://127.0.0.1/"


class LocalPlans:
    """Plans with published credentials in the place of the home's own."""

    def requests(self, options: BackendOptions, calls: Callable[[Backend], object]) -> list[PlannedRequest]:
        """Give the requests that ``calls`` would send."""
        headers = LocalChoices.read(options).headers()
        found = requests_of(local_settings(NO_PORT.rstrip("/"), PUBLISHED), headers, "local", calls)
        return [_with_port(request) for request in found]

    def whereabouts(self, options: BackendOptions) -> Whereabouts:
        """Say where they would go."""
        LocalChoices.read(options)
        return places_of(local_settings("http://127.0.0.1:<port>", PUBLISHED), "the home's own {}")


def _with_port(request: PlannedRequest) -> PlannedRequest:
    shown = NO_PORT.replace("127.0.0.1", "127.0.0.1:<port>")
    body = None if request.body is None else json.loads(json.dumps(request.body).replace(NO_PORT, shown))
    return replace(request, url=request.url.replace(NO_PORT, shown), body=body)
