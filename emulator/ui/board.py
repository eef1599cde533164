"""All clusters and jobs at a glance, read anew only as far as something changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.ui.views import cluster_summary, job_summary

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.window import Window


class Board:
    """Keeps what the overview shows; from any thread.

    Jobs that are over do not change: after the first look only those are read that had something to do, now
    or at the last look, and new ones. ``revision`` grows with each change, and every entry remembers the
    revision that it changed with, so that each page is sent what is new to it. Nobody looks: nothing is read.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._changes = -1
        self._last = 0
        self._live: set[str] = set()
        self._clusters: list[dict[str, Any]] = []
        self._clusters_at = 0
        self._jobs: dict[str, tuple[int, dict[str, Any]]] = {}
        self._gone: dict[str, int] = {}
        self.revision = 0

    def since(self, revision: int) -> dict[str, Any] | None:
        """Give what changed after a revision (0: everything); None if nothing did.

        ``clusters`` is the whole list, or missing if none changed; ``jobs`` those that are new or changed,
        ``gone`` the ids of those that were deleted.
        """
        with self._lock:
            self._update()
            if revision == self.revision:
                return None
            if revision > self.revision:  # of an emulator before this one
                revision = 0
            told: dict[str, Any] = {
                "revision": self.revision,
                "whole": revision == 0,
                "jobs": [job for at, job in self._jobs.values() if at > revision],
                "gone": [key for key, at in self._gone.items() if at > revision],
            }
            if self._clusters_at > revision:
                told["clusters"] = self._clusters
            return told

    def _update(self) -> None:
        changes = self._window.changes
        if changes == self._changes:
            return
        self._changes = changes
        now = self.revision + 1
        changed = self._look_at_clusters(now)
        changed |= self._look_at_jobs(now)
        if changed or self.revision == 0:
            self.revision = now

    def _look_at_clusters(self, now: int) -> bool:
        clusters = [cluster_summary(cluster) for cluster in self._window.clusters()]
        if clusters == self._clusters and self.revision:
            return False
        self._clusters, self._clusters_at = clusters, now
        return True

    def _look_at_jobs(self, now: int) -> bool:
        live = dict.fromkeys(self._live)
        fresh = self._window.jobs(self._last)
        looked = dict([*self._window.jobs(live=True), *fresh])
        self._last = max([self._last, *looked])
        seen = {job.key.id: job_summary(job, number) for number, job in looked.items()}
        for key in live:
            if key not in seen and key in self._jobs:  # over, or gone
                number, job = self._jobs[key][1]["number"], self._read(self._jobs[key][1])
                if job is not None:
                    seen[key] = job_summary(job, number)
        changed = False
        for key, summary in seen.items():
            if key not in self._jobs or self._jobs[key][1] != summary:
                self._jobs[key] = (now, summary)
                self._gone.pop(key, None)
                changed = True
        vanished = [key for key in live if key not in seen]
        if self._window.count_jobs() != len(self._jobs) - sum(key in self._jobs for key in vanished):
            present = {job.key.id for _, job in self._window.jobs()}
            vanished = [key for key in self._jobs if key not in present]
        for key in vanished:
            if self._jobs.pop(key, None) is not None:
                self._gone[key] = now
                changed = True
        self._live = {key for key, summary in seen.items() if _is_live(summary)}
        return changed

    def _read(self, summary: dict[str, Any]) -> Any:  # noqa: ANN401 - a Job or None
        from batchai_scenario.emulator.ui.views import job_key

        return self._window.job(job_key(summary["id"]))


def _is_live(summary: dict[str, Any]) -> bool:
    return summary["state"] not in ("succeeded", "failed") or summary["provisioning"] == "deleting"
