"""Long-running operations: what was asked for, and whether it is done by now.

An operation is a document that names a condition and its target; the condition is evaluated when
somebody asks. So an operation needs no thread, and goes on where it was after a restart.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.state.clock import parse_time, wire_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Store

_KIND = "operation"
_KEPT = timedelta(days=7)
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: ``names`` are joined with ``$`` to its ``resourceId``; ``ended_at`` None: in progress."""

    guid: str
    subscription: str
    provider: str
    location: str
    names: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None


class Operations:
    """Keeps operations and answers their polls (status words, headers: recorded traffic)."""

    def __init__(self, store: Store, clock: Clock, *, strict: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._conditions: dict[str, Callable[[Mapping[str, Any]], bool]] = {}
        self.retry_after = "15" if strict else "0"
        """Seconds between polls: the service's 15, or 0 so that clients are quick (our decision)."""
        self._forget_old()

    def define(self, condition: str, holds: Callable[[Mapping[str, Any]], bool]) -> None:
        """Give a condition's name its meaning; done once, when the emulator is put together."""
        self._conditions[condition] = holds

    def begin(
        self,
        condition: str,
        target: Mapping[str, Any],
        *,
        subscription: str,
        provider: str,
        location: str,
        names: tuple[str, ...],
    ) -> Operation:
        """Begin an operation that ends when the condition holds for the target."""
        guid = str(uuid.uuid4())
        now = self._clock.now()
        body = {
            "condition": condition,
            "target": dict(target),
            "subscription": subscription,
            "provider": provider,
            "location": location,
            "names": list(names),
            "startTime": wire_time(now),
        }
        self._store.put(_KIND, guid, body)
        return Operation(guid, subscription, provider, location, names, now, None)

    def look(self, guid: str) -> Operation | None:
        """Read an operation, and end it if its condition has come true."""
        found = self._store.get(_KIND, guid)
        if found is None:
            return None
        body = found.body
        if "endTime" not in body and self._conditions[body["condition"]](body["target"]):
            body["endTime"] = wire_time(self._clock.now())
            self._store.put(_KIND, guid, body)
        ended = parse_time(body["endTime"]) if "endTime" in body else None
        return Operation(
            guid,
            body["subscription"],
            body["provider"],
            body["location"],
            tuple(body["names"]),
            parse_time(body["startTime"]),
            ended,
        )

    def accepted(
        self, operation: Operation, request: ArmRequest, final: str = "operationstatuses"
    ) -> ArmResponse:
        """Make the 202 that begins an operation; its URLs lead back to the host that the client used.

        ``final`` is the resource in ``Location``; some API versions have ``operationresults`` there too.
        """
        where = (
            f"{request.base_url}/subscriptions/{operation.subscription}/providers/{operation.provider}"
            f"/locations/{operation.location}"
        )
        version = f"?api-version={request.api_version}"
        headers = {
            "Azure-AsyncOperation": f"{where}/operationresults/{operation.guid}{version}",
            "Location": f"{where}/{final}/{operation.guid}{version}",
            "Retry-After": self.retry_after,
        }
        return ArmResponse(202, None, headers)

    def poll(self, request: ArmRequest) -> ArmResponse:
        """Answer ``GET .../locations/L/operationresults/GUID`` and ``.../operationstatuses/GUID``.

        The first is the status document, always 200. What the second said was never recorded; as with
        other providers it is 202 while the work goes on and 200 without a body after it.
        """
        kind, guid = request.types[1]
        operation = self.look(guid.lower())
        if operation is None or operation.provider.lower() != request.provider.lower():
            raise ServiceError(404, "OperationNotFound", f"The operation {guid} is not found")
        headers = {"Retry-After": self.retry_after}
        if kind == "operationstatuses":
            if operation.ended_at is not None:
                return ArmResponse(200)
            return self.accepted(operation, request)
        body: dict[str, Any] = {
            "id": f"{request.base_url}{request.path}",
            "name": operation.guid,
            "status": "InProgress" if operation.ended_at is None else "Succeeded",
            "startTime": wire_time(operation.started_at),
        }
        if operation.ended_at is not None:
            body["endTime"] = wire_time(operation.ended_at)
            body["properties"] = {"resourceId": "$".join(operation.names)}
        return ArmResponse(200, body, headers)

    def _forget_old(self) -> None:
        """Drop operations that began long ago: nobody polls them any more. They stand in order of age."""
        limit = self._clock.now() - _KEPT
        with self._store.transaction():
            while old := [
                document
                for document in self._store.list(_KIND, "", limit=_BATCH)
                if parse_time(document.body["startTime"]) < limit
            ]:
                for document in old:
                    self._store.delete(_KIND, document.id)
