"""Run records: what a run asked for and what came of it, kept in ``<home>/runs/<run id>/``.

``run.json`` is written whole (a new file, then a rename) before each step takes effect, so a run whose
process died can be understood, attached to and cleaned up by another. The process that owns a run holds a
lock (flock) on the file ``lock`` beside it, which the kernel frees when that process is gone: a record that
is not final and not locked is *detached*. The jobs of a sweep stand in a file each, ``jobs/<name>.json``, so
that what one of them does costs the same however many there are.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import secrets
import shutil
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pydantic_core import from_json, to_json

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.scenarios.record.home import (
    make_private,
    run_folders,
    runs_folder,
    second_in,
    unusable,
)
from batchai_scenario.scenarios.record.migrations import FORMAT, RecordTooNew, migrate
from batchai_scenario.scenarios.record.model import DETACHED, JobPart, RunRecord
from batchai_scenario.scenarios.record.ranking import ranked
from batchai_scenario.scenarios.report.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(timezone.utc)


class Run:
    """A run's folder: its record and its lock."""

    def __init__(self, folder: Path, record: RunRecord) -> None:
        self.folder = folder
        self.record = record
        self._lock: int | None = None

    @classmethod
    def create(cls, home: Path, record: RunRecord) -> Run:
        """Make the folder, own it, and write the first record.

        Raises:
            MachineError: the home folder cannot be written to.
        """
        folder = runs_folder(home) / record.id
        run = cls(folder, record)
        try:
            make_private(folder.parent)
            folder.mkdir(mode=0o700)
            run.own()
            run.save()
        except OSError as error:
            raise unusable(home, error) from None
        return run

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read what is there, of any format up to ours; OSError or ValueError if it cannot be."""
        text = (folder / "run.json").read_bytes()
        data = from_json(text)
        jobs = _job_files(folder)
        if not jobs and isinstance(data, dict) and data.get("format") == FORMAT:
            return cls(folder, RunRecord.model_validate_json(text))  # nothing to bring to this format
        data = migrate(data)
        for file in jobs:
            data["jobs"][file.stem] = from_json(file.read_bytes())
        return cls(folder, RunRecord.model_validate_json(to_json(data)))

    def reload(self) -> None:
        """Read the record again, as another process may have written it."""
        self.record = Run.read(self.folder).record

    def save(self, job: str = "") -> None:
        """Write the record; readers see the old one or the new one, never half of one.

        Args:
            job: All that changed is this job: of a sweep, nothing else is written.
        """
        if self.record.sweep is None:
            self._write("run.json", self.record)
        elif job:
            self._write(f"jobs/{job}.json", self.record.jobs[job])
        else:
            self._write("run.json", self.record.model_copy(update={"jobs": {}}))

    def _write(self, name: str, part: RunRecord | JobPart) -> None:
        target = self.folder / name
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        text = part.model_dump_json(by_alias=True, indent=2, exclude_none=True)
        try:
            draft.write_text(text + "\n", encoding="utf-8")
        except FileNotFoundError:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(target)

    def discard(self) -> None:
        """Remove the folder of a run that never began, and stop being the owner."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def own(self) -> bool:
        """Become the owner, without waiting; False if a living process is."""
        if self._lock is None:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            self._lock = handle
        return True

    def release(self) -> None:
        """Stop being the owner."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def owned_elsewhere(self) -> bool:
        """Tell whether a living process, other than through this object, owns the run."""
        if self._lock is not None:
            return False
        if not self.own():
            return True
        self.release()
        return False

    @property
    def state(self) -> str:
        """Give the state to show: the record's, or ``detached``."""
        if self.record.final or self.owned_elsewhere or self._lock is not None:
            return self.record.state
        return DETACHED


def _job_files(folder: Path) -> list[Path]:
    """List the files of a sweep's jobs."""
    try:
        files = sorted((folder / "jobs").iterdir())
    except FileNotFoundError:
        return []
    return [file for file in files if file.suffix == ".json" and not file.name.startswith(".")]


def stem(scenario: str) -> str:
    """Make a short name of the service from a scenario's name."""
    return re.sub(r"[^a-z0-9]+", "-", scenario.lower()).strip("-")[:36].rstrip("-") or "run"


def new_id(scenario: str, moment: datetime) -> str:
    """Make a run id that sorts by time within a scenario and is a resource name of the service."""
    return f"{stem(scenario)}-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def only_job(run: Run, name: str) -> None:
    """Leave no job but one in a record that is only read; without a name, all.

    Raises:
        UserError: the run has no such job.
    """
    if not name:
        return
    if name not in run.record.jobs:
        raise UserError(f"the run has no job {name!r}", "--job", did_you_mean(name, run.record.jobs))
    run.record.jobs = {name: run.record.jobs[name]}


UNREADABLE = "unreadable"
REMEDY = "Delete the run's folder, or keep it for its files: other runs do not need it."


def read_runs(home: Path, newest: int | None = None) -> tuple[list[Run], list[tuple[Path, str]]]:
    """Read records, each once: all, or those of the newest runs and no others.

    Returns:
        The runs, the oldest first, and the folders of those whose record cannot be read, each with why.
    """
    runs: list[Run] = []
    unreadable: list[tuple[Path, str]] = []
    for _, together in itertools.groupby(run_folders(home), key=lambda folder: second_in(folder.name)):
        if newest is not None and len(runs) >= newest:
            break
        for folder in together:
            found = read_run(folder)
            if isinstance(found, Run):
                runs.append(found)
            else:
                unreadable.append((folder, found))
    runs.sort(key=lambda run: (run.record.created_at, run.record.id))
    return runs if newest is None else runs[len(runs) - newest :], unreadable[::-1]


def owned_runs(home: Path) -> list[str]:
    """List the ids of runs that a living process owns, also where the record cannot be read."""
    return [file.parent.name for file in sorted(runs_folder(home).glob("*/lock")) if _is_held(file)]


def _is_held(file: Path) -> bool:
    try:
        with file.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def read_run(folder: Path) -> Run | str:
    """Read a record, or say why it cannot be read."""
    try:
        return Run.read(folder)
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except RecordTooNew as error:
        return str(error)
    except (ValueError, RecursionError):
        return "it is damaged"


def find_run(home: Path, name: str | None) -> Run:
    """Find a run by its id, the beginning or the end of one, or ``last`` (also None).

    Raises:
        UserError: There is none, or more than one.
        MachineError: Its record cannot be read.
    """
    if name not in (None, "last", ".."):
        whole = runs_folder(home) / str(name)
        if whole.name == name and os.path.isdir(whole):  # noqa: PTH112 - Path.is_dir() raises for long names
            return _readable(whole)
    folders = run_folders(home)
    if not folders:
        raise UserError("there are no runs yet", "", "scenario run hello")
    if name in (None, "last"):
        return _newest(folders)
    name = str(name)
    some = [folder for folder in folders if folder.name.startswith(name) or folder.name.endswith(name)]
    if len(some) > 1:
        listed = ", ".join(folder.name for folder in some[3::-1])
        raise UserError(f"{name!r} stands for {len(some)} runs", "RUN", f"the newest are {listed}")
    if not some:
        newest = [folder.name for folder in folders[7::-1]]
        raise UserError(f"there is no run {name!r}", "RUN", did_you_mean(name, newest))
    return _readable(some[0])


def _readable(folder: Path) -> Run:
    """Read a record; MachineError if it cannot be."""
    found = read_run(folder)
    if isinstance(found, Run):
        return found
    raise MachineError(f"{folder / 'run.json'}: {found}.", remedy=REMEDY)


def _newest(folders: list[Path]) -> Run:
    """Read the newest run that can be read, and of the others as few as that needs."""
    for _, together in itertools.groupby(folders, key=lambda folder: second_in(folder.name)):
        runs = [found for folder in together if isinstance(found := read_run(folder), Run)]
        if runs:
            return max(runs, key=lambda run: (run.record.created_at, run.record.id))
    raise MachineError(f"no record of a run can be read: {folders[0].parent}.", remedy=REMEDY)


def timings(record: RunRecord) -> dict[str, float]:
    """Give the seconds that each step took, and the ``total``."""
    found: dict[str, float] = {}
    for step in record.timeline:
        if step.ended_at is not None:
            seconds = (step.ended_at - step.started_at).total_seconds()
            found[step.step] = round(found.get(step.step, 0.0) + seconds, 3)
    if record.ended_at is not None:
        found["total"] = round((record.ended_at - record.created_at).total_seconds(), 3)
    return found


def metrics(record: RunRecord) -> Mapping[str, float]:
    """Give all metrics of a run; of a sweep those of its best job."""
    if record.sweep is not None:
        best = ranked(record)[:1]
        return record.jobs[best[0]].metrics if best and record.sweep.metric else {}
    return {name: value for job in record.jobs.values() for name, value in job.metrics.items()}
