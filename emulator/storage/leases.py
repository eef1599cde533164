"""Leases: locks that clients take on a file (for writing and deleting) or on a share (for deleting)."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.errors import bad_header, failure
from batchai_scenario.emulator.storage.numbers import is_number, read_number

if TYPE_CHECKING:
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.storage.call import Call

KIND = "storage-lease"
FIRST_VERSION = "2019-07-07"
"""From this version on answers tell the lease of a file (service)."""

_SHORTEST, _LONGEST = 15, 60


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was last granted or broken.

    ``duration`` in seconds, -1: without end; ``ends`` in seconds since 1970, 0: never.
    """

    id: str
    duration: int
    ends: float
    broken: bool = False


class Leases:
    """Grants, ends and checks leases; used on one event loop.

    L1. A lease is kept in the store under the true path of its file, or the key of its share, so it outlives
        the emulator. Reading takes no look at the store: one process serves a home at a time.
    L2. A lease follows its file when that is renamed, and ends when it is deleted.
    L3. File leases have no end; those of shares last 15 to 60 s or have none (service).
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._leases = {document.id: Lease(**document.body) for document in store.list(KIND)}

    def state(self, key: str) -> str:
        """Give ``available``, ``leased``, ``expired``, ``breaking`` or ``broken``."""
        lease = self._leases.get(key)
        if lease is None:
            return "available"
        over = bool(lease.ends) and self._clock.now().timestamp() >= lease.ends
        if lease.broken:
            return "broken" if over else "breaking"
        return "expired" if over else "leased"

    def is_held(self, key: str) -> bool:
        """Tell whether a lease locks something now."""
        return self.state(key) in ("leased", "breaking")

    def headers(self, call: Call, key: str) -> dict[str, str]:
        """Tell the lease of a file or share; nothing to versions that do not know leases."""
        if call.version < FIRST_VERSION:
            return {}
        state = self.state(key)
        locked = state in ("leased", "breaking")
        headers = {"x-ms-lease-status": "locked" if locked else "unlocked", "x-ms-lease-state": state}
        if state == "leased":
            headers["x-ms-lease-duration"] = "infinite" if self._leases[key].duration < 0 else "fixed"
        return headers

    def check(
        self, call: Call, key: str, *, locks: bool, share: bool = False, header: str = "x-ms-lease-id"
    ) -> None:
        """Check a request's lease id, and refuse what a lease forbids to others.

        Args:
            call: The request.
            key: What it works on.
            locks: Whether a lease locks this operation.
            share: Whether it is a share, for the error's code.
            header: The header that holds the id.

        Raises:
            StorageError: LeaseIdMissing, LeaseLost, LeaseNotPresentWith..., LeaseIdMismatchWith... (412).
        """
        given = call.headers.get(header, "").lower()
        if not given and not self._leases:
            return
        state = self.state(key)
        held = state in ("leased", "breaking")
        what = "Container" if share else "File"
        if not given:
            if locks and held:
                raise failure("LeaseIdMissing")
            return
        if state == "available":
            raise failure(f"LeaseNotPresentWith{what}Operation")
        if self._leases[key].id != given:
            raise failure(f"LeaseIdMismatchWith{what}Operation" if held else "LeaseLost")
        if not held:
            raise failure("LeaseLost")

    def act(self, call: Call, key: str, *, share: bool) -> tuple[int, dict[str, str]]:
        """Do what ``x-ms-lease-action`` says.

        Returns:
            The status and the headers of the answer.

        Raises:
            StorageError: InvalidHeaderValue, MissingRequiredHeader, and 409 for what its state forbids.
        """
        action = call.require("x-ms-lease-action").lower()
        if action == "acquire":
            return 201, self._acquire(call, key, share=share)
        if action == "break":
            return 202, self._break(call, key, share=share)
        if action not in ("renew", "change", "release") or (action == "renew" and not share):
            raise bad_header("x-ms-lease-action", action)
        state = self.state(key)
        if state == "available":
            raise failure("LeaseNotPresentWithLeaseOperation")
        lease = self._leases[key]
        given = _guid(call, "x-ms-lease-id")
        if action == "change":
            return 200, self._change(call, key, lease, given, state)
        if lease.id != given:
            raise failure("LeaseIdMismatchWithLeaseOperation")
        if action == "release":
            self.forget(key)
            return 200, {}
        if lease.broken:
            raise failure("LeaseIsBrokenAndCannotBeRenewed")
        self._keep(key, replace(lease, ends=self._end(lease.duration)))
        return 200, {"x-ms-lease-id": lease.id}

    def forget(self, key: str) -> None:
        """End the lease of something that is gone or released (L2)."""
        if self._leases.pop(key, None) is not None:
            self._store.delete(KIND, key)

    def forget_below(self, key: str) -> None:
        """End the leases of a share and of all files in it; from any thread."""
        for held in list(self._leases):
            if held == key or held.startswith(key + "/"):
                self.forget(held)

    def move(self, source: str, target: str) -> None:
        """Let leases follow a renamed file or directory (L2); those of what it replaced end."""
        self.forget(target)
        for held in list(self._leases):
            if held == source or held.startswith(source + "/"):
                lease = self._leases[held]
                self.forget(held)
                self._keep(target + held[len(source) :], lease)

    def _acquire(self, call: Call, key: str, *, share: bool) -> dict[str, str]:
        text = call.headers.get("x-ms-lease-duration", "-1")
        allowed = text == "-1" or (share and is_number(text) and _SHORTEST <= read_number(text) <= _LONGEST)
        if not allowed:
            raise bad_header("x-ms-lease-duration", text)
        proposed = _guid(call, "x-ms-proposed-lease-id", needed=False) or str(uuid.uuid4())
        state = self.state(key)
        if state == "breaking":
            raise failure("LeaseIsBreakingAndCannotBeAcquired")
        if state == "leased" and self._leases[key].id != proposed:
            raise failure("LeaseAlreadyPresent")
        self._keep(key, Lease(proposed, int(text), self._end(int(text))))
        return {"x-ms-lease-id": proposed}

    def _change(self, call: Call, key: str, lease: Lease, given: str, state: str) -> dict[str, str]:
        proposed = _guid(call, "x-ms-proposed-lease-id")
        if lease.id not in (given, proposed):
            raise failure("LeaseIdMismatchWithLeaseOperation")
        if state == "breaking":
            raise failure("LeaseIsBreakingAndCannotBeChanged")
        if state != "leased":
            raise failure("LeaseNotPresentWithLeaseOperation")
        self._keep(key, replace(lease, id=proposed))
        return {"x-ms-lease-id": proposed}

    def _break(self, call: Call, key: str, *, share: bool) -> dict[str, str]:
        state = self.state(key)
        if state == "available":
            raise failure("LeaseNotPresentWithLeaseOperation")
        lease = self._leases[key]
        given = call.headers.get("x-ms-lease-id", "").lower()
        if given and given != lease.id:
            raise failure("LeaseIdMismatchWithLeaseOperation")
        now = self._clock.now().timestamp()
        left = max(0.0, lease.ends - now) if lease.ends else 0.0
        text = call.headers.get("x-ms-lease-break-period", "") if share else ""
        if text:
            if not (is_number(text) and read_number(text) <= _LONGEST):
                raise bad_header("x-ms-lease-break-period", text)
            left = min(left, int(text)) if lease.ends else float(text)
        if state in ("leased", "breaking"):
            self._keep(key, replace(lease, broken=True, ends=now + left))
        else:
            left = 0.0
            self._keep(key, replace(lease, broken=True))
        return {"x-ms-lease-time": str(round(left))} if share else {"x-ms-lease-id": lease.id}

    def _end(self, duration: int) -> float:
        return 0.0 if duration < 0 else self._clock.now().timestamp() + duration

    def _keep(self, key: str, lease: Lease) -> None:
        self._leases[key] = lease
        self._store.put(KIND, key, asdict(lease))


def _guid(call: Call, name: str, *, needed: bool = True) -> str:
    text = call.require(name) if needed else call.headers.get(name, "")
    if not text:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise bad_header(name, text) from None
