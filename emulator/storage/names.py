"""Names of accounts, shares, directories and files: what the service accepts."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from batchai_scenario.emulator.storage.errors import failure

MAX_NAME = 255
"""Characters in one component (service), and bytes in UTF-8 (Linux file systems): the smaller counts."""

MAX_PATH = 2048
"""Characters in a path below the share (service)."""

MAX_DEPTH = 250
"""Components in a path below the share (service)."""

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_SHARE = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_RESERVED = frozenset('"\\:|<>*?')
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CLOCK$"]
    + [f"{name}{number}" for name in ("COM", "LPT") for number in range(1, 10)]
)


def is_account_name(name: str) -> bool:
    """Tell whether a storage account may have this name: 3 to 24 lower-case letters and digits."""
    return _ACCOUNT.fullmatch(name) is not None


def is_share_name(name: str) -> bool:
    """Tell whether a share may have this name: 3 to 63 lower-case letters, digits and single hyphens."""
    return 3 <= len(name) <= 63 and _SHARE.fullmatch(name) is not None  # noqa: PLR2004 - the service's limits


def check_share_name(name: str) -> None:
    """Refuse a share name as the service does.

    Raises:
        StorageError: OutOfRangeInput for the length, InvalidResourceName for the characters.
    """
    if not 3 <= len(name) <= 63:  # noqa: PLR2004 - the service's limits
        raise failure(
            "OutOfRangeInput", "The specified resource name length is not within the permissible limits."
        )
    if _SHARE.fullmatch(name) is None:
        raise failure("InvalidResourceName")


def decode_path(raw_path: str) -> str:
    """Decode the percent signs of a path; ``%2F`` becomes a separator, as on the service.

    Raises:
        StorageError: InvalidResourceName if the bytes are not UTF-8 or hold a control character.
    """
    try:
        path = unquote_to_bytes(raw_path).decode() if "%" in raw_path else raw_path
    except UnicodeDecodeError:
        raise failure("InvalidResourceName") from None
    if not path.isprintable() and any(character < " " or character == "\x7f" for character in path):
        raise failure("InvalidResourceName")
    return path


def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """Split a decoded path into a share name and the components below it.

    A slash after the share's name alone is taken: the JavaScript client sends one for the share's root.

    Raises:
        StorageError: InvalidResourceName for ``.``, ``..``, components that are empty (public reports of
            ``/share//folder`` and ``/share/folder/``) or too long, InvalidFileOrDirectoryPathName for a path
            that is too long or too deep.
    """
    names = path.removeprefix("/").split("/")
    if names == [""]:
        return "", ()
    if len(names) == 2 and not names[1]:  # noqa: PLR2004 - the share and nothing
        del names[1]
    if len(path) > MAX_PATH or len(names) > MAX_DEPTH:
        raise failure("InvalidFileOrDirectoryPathName")
    for name in names:
        if name in ("", ".", "..") or len(name) > MAX_NAME or len(name.encode(errors="replace")) > MAX_NAME:
            raise failure("InvalidResourceName")
    return names[0], tuple(names[1:])


def trim_dots(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Trim the dots at the ends of components, as the service does unless it is asked not to.

    Raises:
        StorageError: InvalidResourceName if nothing is left of one.
    """
    if not any(part.endswith(".") for part in parts):
        return parts
    trimmed = tuple(part.rstrip(".") for part in parts)
    if not all(trimmed):
        raise failure("InvalidResourceName")
    return trimmed


def check_new_name(name: str) -> None:
    """Refuse what a new directory or file may not be called.

    Stricter than for what exists already: a job on Linux can make a file such as ``loss:0.1.png``, and its
    owner must be able to fetch it.

    Raises:
        StorageError: InvalidResourceName.
    """
    if not _RESERVED.isdisjoint(name) or name.split(".", 1)[0].upper() in _DEVICES:
        raise failure("InvalidResourceName")


def is_presentable(name: str) -> bool:
    """Tell whether a name found on disk can stand in a path of a request; others are left out of listings."""
    return name.isprintable() or not any(
        character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in name
    )
