"""What a home's cache holds, and removing of it what nothing uses. Plain data comes back.

A program that makes something holds the lock (flock) on ``.lock`` of the folder that it works in. Who uses
it afterwards holds none, so while a job is not finished, a task runs or a process owns a run, environments
and data sets stay. Links are never followed, and what is of no known kind is left alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.control import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Entries = Callable[[], list[tuple[str, Path]]]

ENVIRONMENT, DATASET, DOWNLOAD, PROOF = "environment", "data set", "download", "GPU proof"
REMAINS, OTHER = "remains", "other"

_LOCK, _ASIDE = ".lock", ".removed-"
_PRUNING = ".prune.lock"
_PLAIN = {"debian": DOWNLOAD, "gpus": PROOF}
"""Folders of files, and what these are."""
_KEPT_FOR_USERS = (ENVIRONMENT, DATASET)
_AT_WORK = "a run makes it or looks at it at this moment"


@dataclass(frozen=True, slots=True)
class Cached:
    """Something in the cache.

    ``kind``: environment, data set, download, GPU proof, image; ``remains`` of something that was not
    finished or not removed whole; ``other``: nothing that we know. ``name``: its path below the cache, or an
    image's reference. ``size``: bytes. ``used``: when it was last used, or made, where nobody notes that.
    """

    kind: str
    name: str
    size: int
    used: datetime


@dataclass(slots=True)
class Pruned:
    """What was removed (or would be), what was kept, and what could not be removed, these with why."""

    removed: list[Cached] = field(default_factory=list)
    kept: list[tuple[Cached, str]] = field(default_factory=list)
    failed: list[tuple[Cached, str]] = field(default_factory=list)


def cached(home: Path) -> list[Cached]:
    """List what the cache holds, by kind and name; none if there is no cache.

    Raises:
        MachineError: it is a link, or cannot be read.
    """
    root = _root(home)
    found = [_described(root, kind, path) for _, entries in _places(root) for kind, path in entries()]
    return sorted(found, key=lambda entry: (entry.kind, entry.name))


def unfinished(home: Path) -> list[str]:
    """Say in a sentence each what uses environments and data sets of a home, as far as its emulator knows.

    Raises:
        MachineError: the home's state cannot be read.
    """
    from batchai_scenario.emulator.api import Home, running_tasks

    jobs = [f"job {name} is not finished" for name in live(home)[1]]
    return jobs or [f"task {task} still runs" for task in running_tasks(Home(home))]


def prune(
    home: Path, users: Callable[[], list[str]], *, before: datetime | None = None, dry_run: bool = False
) -> Pruned:
    """Remove what nothing uses.

    Args:
        home: Home folder.
        users: Says what uses environments and data sets; asked again and again.
        before: Keep what was used at this time or later.
        dry_run: Remove nothing, say what would be.

    Raises:
        MachineError: the cache is a link or cannot be read, or another process prunes it.
    """
    root = _root(home)
    pruned = Pruned()
    users()  # a state that cannot be read is told before anything is removed
    if not root.exists():
        return pruned
    with _held(root / _PRUNING, make=not dry_run) as ours:
        if not ours:
            raise MachineError(f"another process prunes {root}.", remedy="Wait until it has ended.")
        for folder, entries in _places(root):
            _prune_place(root, folder, entries, pruned, _Rules(users, before, dry_run))
    return pruned


@dataclass(frozen=True, slots=True)
class _Rules:
    users: Callable[[], list[str]]
    before: datetime | None
    dry_run: bool

    def reason(self, entry: Cached) -> str:
        """Say why something stays; empty if it goes."""
        if entry.kind == OTHER:
            return "it is a link, or nothing that this command knows"
        if self.before is not None and entry.used >= self.before and entry.kind != REMAINS:
            return "it was used since"
        return "; ".join(self.users()) if entry.kind in _KEPT_FOR_USERS else ""


def _prune_place(root: Path, folder: Path, entries: Entries, pruned: Pruned, rules: _Rules) -> None:
    """Prune one folder that programs lock; what is moved aside is removed when the lock is free again."""
    aside: list[tuple[Cached, Path]] = []
    with _held(folder / _LOCK, make=False) as ours:
        for kind, path in entries():
            entry = _described(root, kind, path)
            reason = rules.reason(entry) if ours else _AT_WORK
            if reason:
                pruned.kept.append((entry, reason))
            elif rules.dry_run:
                pruned.removed.append(entry)
            else:
                try:
                    moved = _moved(entry, path, rules)
                except OSError as error:
                    pruned.failed.append((entry, str(error.strerror)))
                    continue
                if isinstance(moved, str):
                    pruned.kept.append((entry, moved))
                else:
                    aside.append((entry, moved))
    for entry, path in aside:
        _remove(path)
        if os.path.lexists(path):
            pruned.failed.append((entry, f"what is left of it is {path}"))
        else:
            pruned.removed.append(entry)


def _moved(entry: Cached, path: Path, rules: _Rules) -> Path | str:
    """Move something aside, so that nothing takes the rest for whole; why not, if a user has just come."""
    if path.name.startswith(_ASIDE):
        return path
    target = path.with_name(f"{_ASIDE}{secrets.token_hex(6)}")
    path.rename(target)
    reason = rules.reason(entry)
    if not reason:
        return target
    if not os.path.lexists(path):
        target.rename(path)
        return reason
    return target  # the user has made it anew


def _remove(path: Path) -> None:
    """Remove it as far as that goes."""
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _root(home: Path) -> Path:
    """Give the cache's folder; MachineError if it is a link."""
    from batchai_scenario.emulator.api import Home

    root = Home(home).cache
    if root.is_symlink():
        raise MachineError(
            f"{root} is a link, and links are not followed.",
            remedy="Make it a folder, or name a home whose cache is one with SCENARIO_HOME.",
        )
    return root


def _places(root: Path) -> Iterator[tuple[Path, Entries]]:
    """Give each folder that programs lock, and what lists its entries: (kind, path), anew at each call."""
    known = {"toolkits": _in_toolkit, "datasets": _in_dataset}
    for name, listed in known.items():
        for folder in _children(root / name):
            if _is_folder(folder) and not folder.name.startswith(_ASIDE):
                yield folder, partial(listed, folder)
        yield root / name, partial(_beside, root / name)
    for name, kind in _PLAIN.items():
        yield root / name, partial(_plain, root / name, kind)
    yield root, partial(_strays, root, frozenset({*known, *_PLAIN}))


def _in_toolkit(folder: Path) -> list[tuple[str, Path]]:
    """List a toolkit's folder: whole environments, wheels, and what a killed run left."""

    def kind(path: Path) -> str:
        if not _is_folder(path):
            return OTHER
        if path.name.startswith(_ASIDE) or path.name.endswith(".new"):
            return REMAINS
        return DOWNLOAD if path.name == "wheels" else ENVIRONMENT

    return [(kind(path), path) for path in _children(folder)]


def _in_dataset(folder: Path) -> list[tuple[str, Path]]:
    """List a data set's folder: its program, which locks it, looks at each file, so each may go by itself."""
    if not _has_place(folder):
        return []

    def kind(path: Path) -> str:
        if path.is_symlink():
            return OTHER
        if path.name.startswith(_ASIDE) or path.name.endswith(".partial"):
            return REMAINS
        return DOWNLOAD if path.name == "originals" else DATASET

    return [(kind(path), path) for path in _children(folder)]


def _plain(folder: Path, kind: str) -> list[tuple[str, Path]]:
    def found(path: Path) -> str:
        if path.name.startswith(_ASIDE):
            return REMAINS
        return kind if stat.S_ISREG(path.lstat().st_mode) else OTHER

    return [(found(path), path) for path in _children(folder)]


def _beside(folder: Path) -> list[tuple[str, Path]]:
    """List what lies beside the folders that have locks: a data set whose program takes none is one thing."""

    def kind(path: Path) -> str:
        if path.name.startswith(_ASIDE):
            return REMAINS
        return DATASET if _is_folder(path) else OTHER

    return [(kind(path), path) for path in _children(folder) if not _has_place(path)]


def _has_place(path: Path) -> bool:
    if not _is_folder(path) or path.name.startswith(_ASIDE):
        return False
    return path.parent.name == "toolkits" or os.path.lexists(path / _LOCK) or not any(path.iterdir())


def _strays(root: Path, known: frozenset[str]) -> list[tuple[str, Path]]:
    """List what lies in the cache and is nothing of ours."""
    ours = [path for path in _children(root) if path.name in known and _is_folder(path)]
    return [(OTHER, path) for path in _children(root) if path not in ours and path.name != _PRUNING]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _children(folder: Path) -> list[Path]:
    """List a folder without its lock; none if it is no folder, or a link to one."""
    if not _is_folder(folder):
        return []
    try:
        return sorted(path for path in folder.iterdir() if path.name != _LOCK)
    except OSError as error:
        raise MachineError(f"{folder} cannot be read: {error.strerror}.") from None


def _described(root: Path, kind: str, path: Path) -> Cached:
    try:
        used = path.lstat().st_mtime
        if kind == DATASET:  # its program touches the lock at each use
            used = max(used, (path.parent / _LOCK).lstat().st_mtime)
    except OSError:
        used = 0.0
    moment = datetime.fromtimestamp(used, timezone.utc)
    return Cached(kind, str(path.relative_to(root)), _bytes(path), moment)


def _bytes(path: Path) -> int:
    """Add up the bytes of files, never through a link; what goes meanwhile counts nothing."""
    total = 0
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return found.st_size
        for child in path.iterdir():
            total += _bytes(child)
    except OSError:
        pass
    return total


@contextmanager
def _held(lock: Path, *, make: bool) -> Iterator[bool]:
    """Hold a lock file without waiting; False if another process does. Without a file there is nobody."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if make else 0)
    try:
        handle = os.open(lock, flags, 0o600)
    except FileNotFoundError:
        yield True
        return
    except OSError as error:  # a link, or not ours to open: nobody knows who holds it
        if make:
            raise MachineError(f"{lock} cannot be opened: {error.strerror}.") from None
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
