"""A guard around a backend that costs money: few nodes, few minutes, and nothing stays."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.backends.base import Place
from batchai_scenario.backends.errors import NotFound, ScenarioError, UserError
from batchai_scenario.backends.wrappers.base import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, ClusterSpec, ClusterStatus

T = TypeVar("T")
DELETING = ("delete_place", "delete_cluster", "delete_job", "terminate")
TRIES = 5


class SpendingGuard(Wrapper):
    """Refuses more than ``max_nodes`` nodes at a time, and everything but deletion after ``max_minutes``.

    What is to be created is written into ``ledger`` first; ``close`` deletes it, and so does a thread when
    the minutes are over. If the process is killed, the next guard with the same ledger deletes it first.
    ``delete_share`` deletes a share, which the interface does not.

    Raises:
        ScenarioError: what an earlier process left could not be deleted.
    """

    name = "guarded"

    def __init__(
        self,
        inner: Backend,
        ledger: Path,
        *,
        max_nodes: int,
        max_minutes: float,
        delete_share: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._ledger = ledger
        self._max_nodes, self._max_minutes = max_nodes, max_minutes
        self._delete_share = delete_share
        self._pause = pause
        self._lock = threading.RLock()
        self._nodes: dict[tuple[Place, str], int] = {}
        self._entries: list[dict[str, Any]] = json.loads(ledger.read_text()) if ledger.exists() else []
        self._over = threading.Event()
        self.delete_all()
        self._timer = threading.Timer(max_minutes * 60, self._time_is_up)
        self._timer.daemon = True
        self._timer.start()

    def _time_is_up(self) -> None:
        self._over.set()
        self.delete_all()

    def around(self, call: str, arguments: tuple[Any, ...], work: Callable[[], T]) -> T:  # noqa: ARG002
        """Do a call, if there is time for it."""
        if self._over.is_set() and call not in DELETING:
            raise UserError(f"the {self._max_minutes:g} minutes that may be spent are over", field=call)
        return work()

    def _note(self, **entry: Any) -> None:  # noqa: ANN401 - JSON
        with self._lock:
            if entry not in self._entries:
                self._entries.append(entry)
            self._save()

    def _save(self) -> None:
        if self._entries:
            self._ledger.parent.mkdir(parents=True, exist_ok=True)
            self._ledger.write_text(json.dumps(self._entries, indent=2) + "\n")
        else:
            self._ledger.unlink(missing_ok=True)

    def ensure_place(self, place: Place) -> bool:
        """Write the place down, then create it."""
        self._note(kind="place", place=_names(place))
        return super().ensure_place(place)

    def ensure_share(self, share: str) -> None:
        """Write the share down, then create it."""
        self._note(kind="share", name=share)
        super().ensure_share(share)

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster, if its nodes may be paid for; UserError if not."""
        self._allow(spec.place, spec.name, nodes_of(spec.properties))
        self._note(kind="cluster", place=_names(spec.place), name=spec.name)
        return super().create_cluster(spec)

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Resize a cluster, if its nodes may be paid for; UserError if not."""
        self._allow(place, name, nodes)
        return super().resize_cluster(place, name, nodes)

    def _allow(self, place: Place, name: str, nodes: int) -> None:
        with self._lock:
            others = sum(count for key, count in self._nodes.items() if key != (place, name))
            if others + nodes > self._max_nodes:
                raise UserError(
                    f"{others + nodes} nodes are more than the {self._max_nodes} that may be paid for",
                    field="scaleSettings",
                )
            self._nodes[place, name] = nodes

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster; its nodes are free to be used elsewhere."""
        super().delete_cluster(place, name)
        with self._lock:
            self._nodes.pop((place, name), None)

    def delete_all(self) -> None:
        """Delete everything in the ledger, the newest first; what is gone is struck out.

        Raises:
            ScenarioError: something is still there after some tries; it stays in the ledger.
        """
        with self._lock:
            for entry in list(reversed(self._entries)):
                self._delete(entry)
                self._entries.remove(entry)
                self._save()

    def _delete(self, entry: Mapping[str, Any]) -> None:
        for tries in range(TRIES):
            try:
                self._delete_once(entry)
            except ScenarioError:
                if tries == TRIES - 1:
                    raise
            else:
                return
            self._pause(2.0**tries)

    def _delete_once(self, entry: Mapping[str, Any]) -> None:
        with suppress(NotFound):
            if entry["kind"] == "share":
                self._delete_share(entry["name"])
            elif entry["kind"] == "cluster":
                self.delete_cluster(Place(*entry["place"]), entry["name"])
            else:
                self.delete_place(Place(*entry["place"]))

    def close(self) -> None:
        """Delete everything, then let go."""
        self._timer.cancel()
        try:
            self.delete_all()
        finally:
            super().close()


def nodes_of(properties: Mapping[str, Any]) -> int:
    """Give the most nodes that a cluster may come to have."""
    scale = properties.get("scaleSettings") or {}
    manual, automatic = scale.get("manual") or {}, scale.get("autoScale") or {}
    return max(int(manual.get("targetNodeCount", 0)), int(automatic.get("maximumNodeCount", 0)))


def _names(place: Place) -> list[str]:
    return [place.group, place.location, place.workspace, place.experiment]
