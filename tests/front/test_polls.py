"""Clients that poll without a pause are held back."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.front.fakes import make_gateway
from tests.front.test_gateway import SCOPE


def polled(ends_after: int, user_agent: bytes = b"") -> tuple[list[float], dict[bytes, bytes], Any]:
    """Poll work that ends at the n-th look; gives the looks' times, the answer's headers and body."""
    import asyncio

    from batchai_scenario.emulator.arm.messages import ArmResponse

    asked = []

    class Fake:
        def check(self, *_: Any) -> None:
            """Let everybody in."""

        def handle(self, *_: Any, **__: Any) -> ArmResponse:
            asked.append(time.monotonic())
            done = len(asked) == ends_after
            return ArmResponse(200, {"status": "Succeeded" if done else "InProgress"}, {"Retry-After": "0"})

    fake: Any = Fake()
    gateway = make_gateway(fake)
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    asyncio.run(gateway({**SCOPE, "headers": [(b"user-agent", user_agent)]}, fake, keep))
    headers = {name.lower(): value for name, value in sent[0]["headers"]}
    return asked, headers, json.loads(sent[1]["body"])


def test_a_poll_of_work_that_goes_on_is_held_for_a_moment() -> None:
    """A client that polls with ``Retry-After: 0`` must not keep a processor busy."""
    asked, _, body = polled(4)
    assert body["status"] == "Succeeded"
    assert asked[-1] - asked[0] >= 0.05


@pytest.mark.parametrize(
    ("client", "told"), [(b"azsdk-python-mgmt-batchai/7.0.0", b"1"), (b"python-requests/2.21.0", b"0")]
)
def test_clients_that_take_0_for_half_a_minute_are_told_a_second(client: bytes, told: bytes) -> None:
    """azure-core 1.41 polls again after 30 s where ``Retry-After`` is 0."""
    _, headers, body = polled(0, client)
    assert (body["status"], headers[b"retry-after"]) == ("InProgress", told)
