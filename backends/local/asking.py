"""Questions to an emulator of this machine that are not Azure's: how it is, to stop, to take a node."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.host import LOOK_SECONDS, READY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from batchai_scenario.emulator.api import Address


def health(
    url: str, seconds: float = READY_SECONDS, pause: Callable[[float], object] = time.sleep
) -> dict[str, Any]:
    """Ask an emulator how it is; one that ends just then is waited for: another process may take over.

    Raises:
        MachineError: nobody answers for so long.
    """
    import requests

    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = _send("GET", f"{url}/.emulator/health", seconds)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:  # noqa: PERF203 - each try is one
            if time.monotonic() > deadline:
                raise MachineError(
                    f"the emulator at {url} does not answer.",
                    remedy="Look at 'scenario emulator logs'; 'scenario emulator stop' ends it.",
                ) from error
            pause(LOOK_SECONDS)
        else:
            return found


def ask(
    found: Address, what: str, seconds: float, params: Mapping[str, str] | None = None
) -> requests.Response:
    """Ask an emulator to do something, with the key that stands in its home.

    Raises:
        requests.RequestException: it does not answer.
    """
    key = {"Authorization": f"Bearer {found.stop_key}"}
    return _send("POST", f"{found.url}/.emulator/{what}", seconds, params=params, headers=key)


def _send(method: str, url: str, seconds: float, **more: Any) -> requests.Response:  # noqa: ANN401 - of requests
    import requests

    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and ourselves
        return session.request(method, url, timeout=seconds, **more)
