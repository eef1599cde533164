"""Gets files whose checksums are known, from the first place that has them.

What is there is kept, a file that was cut off is taken up where it was, and nothing is believed before its
checksum was seen: a place that gives other bytes is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import requests

from training.support.events import Events, RequirementError
from training.support.files import sha256

_CONNECT, _READ = 3.0, 20.0  # seconds; an offline machine must not be slow to say so


@dataclass(frozen=True)
class KnownFile:
    """A published file: its name, size in bytes and SHA-256; ``path``: where a mirror has it, if not by name."""

    name: str
    size: int
    sha256: str
    path: str = ""


class _Refused(Exception):
    """What came is not the file that was asked for."""


def fetch_known(files: Iterable[KnownFile], mirrors: Iterable[str], folder: Path, events: Events) -> str:
    """Put the files into ``folder``; give the mirror that the last of them came from, empty if all were there.

    Args:
        files: what is wanted.
        mirrors: base URLs, with a slash at the end, in the order in which they are asked.
        folder: made if it is absent; one program at a time works in it.
        events: hears the progress of each file.

    Raises:
        RequirementError: no mirror gave them; says what is missing and what each mirror answered.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [file for file in files if not _is_there(folder / file.name, file)]
    if not missing:
        return ""
    reasons = []
    for mirror in mirrors:
        try:
            with requests.Session() as session:
                while missing:
                    _download(session, mirror, missing[0], folder / missing[0].name, events)
                    del missing[0]
        except (requests.RequestException, _Refused) as error:
            reasons.append(f"{mirror}: {_short(error)}")
        else:
            return mirror
    names = ", ".join(file.name for file in missing)
    raise RequirementError(f"{names} could not be fetched: {'; '.join(reasons) or 'no mirrors are known'}")


def missing_bytes(files: Iterable[KnownFile], folder: Path) -> int:
    """Say how many bytes of the files are not in ``folder``."""
    return sum(file.size for file in files if not _is_there(folder / file.name, file))


def _is_there(path: Path, file: KnownFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256(path) == file.sha256


def _download(session: requests.Session, mirror: str, file: KnownFile, path: Path, events: Events) -> None:
    partial = path.with_name(path.name + ".partial")
    have = partial.stat().st_size if partial.exists() else 0
    if have >= file.size:
        partial.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session.get(
        mirror + (file.path or file.name), headers=headers, stream=True, timeout=(_CONNECT, _READ)
    ) as answer:
        answer.raise_for_status()
        have = have if answer.status_code == requests.codes.partial else 0
        with partial.open("ab" if have else "wb") as stream:
            for block in answer.iter_content(1 << 13):
                have += len(block)
                if have > file.size:
                    break
                stream.write(block)
                events.progress(file.name, have, file.size)
    if have < file.size:
        raise _Refused(f"{file.name} was cut off after {have} bytes")
    if have > file.size or sha256(partial) != file.sha256:
        partial.unlink()
        raise _Refused(f"{file.name} there is another file (wrong SHA-256)")
    partial.replace(path)


def _short(error: Exception) -> str:
    """Say in a few words why a download failed."""
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout):
        return "no answer in time"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.ConnectionError):
        return "not reachable"
    return str(error)
