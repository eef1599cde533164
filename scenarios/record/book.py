"""The runs of a home for the emulator's page: plain JSON values, read anew only where a record changed."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.record.comparison import compare_runs
from batchai_scenario.scenarios.record.home import runs_folder
from batchai_scenario.scenarios.record.model import DETACHED
from batchai_scenario.scenarios.record.record import UNREADABLE, Run, metrics, read_run, timings
from batchai_scenario.scenarios.record.series import read_series

if TYPE_CHECKING:
    from batchai_scenario.scenarios.record.model import RunRecord

_LOCKED = re.compile(r"\d+: FLOCK +ADVISORY +WRITE \d+ [0-9a-f]+:[0-9a-f]+:(\d+) ")
_LOCKS = Path("/proc/locks")


class RecordedRuns:
    """Reads run records; from any thread. Nobody's lock is taken: the kernel lists who holds one."""

    def __init__(self, home: Path, locks: Path = _LOCKS) -> None:
        self._folder = runs_folder(home)
        self._locks = locks
        self._guard = threading.Lock()
        self._known: dict[str, tuple[tuple[int, ...], Run | str]] = {}

    def runs(self) -> list[dict[str, Any]]:
        """List all runs, the newest first; one whose record cannot be read says why as ``problem``."""
        held = self._held()
        found = [self._summary(folder, held) for folder in self._folder.glob("*") if folder.is_dir()]
        return sorted(found, key=lambda one: (one.get("createdAt") or "", one["id"]), reverse=True)

    def run(self, name: str) -> dict[str, Any] | None:
        """Give a run whole: its record, its state now, and the seconds that each step took."""
        run = self._find(name)
        if run is None:
            return None
        record: dict[str, Any] = run.record.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {
            **record,
            "state": _state(run, self._held()),
            "timings": timings(run.record),
            "metrics": dict(metrics(run.record)),
            "folder": str(run.folder),
        }

    def series(self, name: str) -> list[dict[str, Any]]:
        """Give every value of a run's metrics."""
        run = self._find(name)
        return [] if run is None else read_series(run.folder)

    def compare(self, left: str, right: str) -> dict[str, Any] | None:
        """Say what ``scenario diff`` says of two runs."""
        one, other = self._find(left), self._find(right)
        if one is None or other is None:
            return None
        found = compare_runs(one.record, other.record)
        return {
            "left": one.record.id,
            "right": other.record.id,
            "same": not any(it.counts for it in found),
            "differences": [it.as_data() for it in found],
        }

    def _find(self, name: str) -> Run | None:
        folder = self._folder / Path(name).name
        found = self._read(folder) if folder.name == name and folder.is_dir() else None
        return found if isinstance(found, Run) else None

    def _read(self, folder: Path) -> Run | str:
        """Read a record, or give what was read if nothing changed since."""
        seen = tuple(_changed(path) for path in (folder / "run.json", folder / "jobs"))
        with self._guard:
            known = self._known.get(folder.name)
        if known is not None and known[0] == seen:
            return known[1]
        found = read_run(folder)
        with self._guard:
            self._known[folder.name] = (seen, found)
        return found

    def _summary(self, folder: Path, held: frozenset[int]) -> dict[str, Any]:
        found = self._read(folder)
        if not isinstance(found, Run):
            return {
                "id": folder.name,
                "state": UNREADABLE,
                "problem": found,
                "jobs": {},
                "parameters": {},
                "metrics": {},
            }
        return {**_told(found.record), "state": _state(found, held)}

    def _held(self) -> frozenset[int]:
        """Give the inodes of all files that somebody has locked."""
        try:
            return frozenset(int(number) for number in _LOCKED.findall(self._locks.read_text()))
        except OSError:
            return frozenset()


def _told(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "scenario": record.scenario,
        "summary": record.summary,
        "backend": record.backend,
        "createdAt": record.created_at.isoformat(),
        "endedAt": None if record.ended_at is None else record.ended_at.isoformat(),
        "parameters": record.parameters,
        "metrics": dict(metrics(record)),
        "reasons": record.reasons,
        "sweep": record.sweep is not None,
        "jobs": {
            name: {
                "state": job.state,
                "exitCode": job.exit_code,
                "id": job.id.lower(),
                "parameters": job.parameters,
            }
            for name, job in record.jobs.items()
        },
    }


def _state(run: Run, held: frozenset[int]) -> str:
    """Tell a run's state; one that nobody owns any more is detached."""
    if run.record.final:
        return run.record.state
    try:
        locked = (run.folder / "lock").stat().st_ino in held
    except OSError:
        locked = False
    return run.record.state if locked else DETACHED


def _changed(path: Path) -> int:
    """Give the time of a file's last change; of a folder the newest of its files'."""
    try:
        if path.is_dir():
            return max((file.stat().st_mtime_ns for file in path.iterdir()), default=0)
        return path.stat().st_mtime_ns
    except OSError:
        return 0
