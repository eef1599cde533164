# ruff: noqa: PTH116 - paths on the way of every request are plain strings and descriptors
"""SMB properties in requests: attributes, times, permissions (REST, from version 2019-02-02 on)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import permissions
from batchai_scenario.emulator.storage.call import ECHO_VERSION, PERMISSION_KEY
from batchai_scenario.emulator.storage.errors import bad_header, failure
from batchai_scenario.emulator.storage.times import parse_smb_time

if TYPE_CHECKING:
    from collections.abc import Collection

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.records import EntryRecord

_OPTIONAL_FROM = "2021-06-08"
"""From this version on the properties may be left out when something is created."""

_REQUIRED = ("x-ms-file-attributes", "x-ms-file-creation-time", "x-ms-file-last-write-time")
NAMES = (*_REQUIRED, "x-ms-file-change-time")
"""Headers that set attributes and times."""

_ATTRIBUTES = {
    name.lower(): name
    for name in (
        "None", "ReadOnly", "Hidden", "System", "Directory", "Archive", "Temporary", "Offline",
        "NotContentIndexed", "NoScrubData",
    )
}  # fmt: skip


def check_required(call: Call) -> None:
    """Refuse to create something without the properties that the version demands.

    Raises:
        StorageError: MissingRequiredHeader.
    """
    if not ECHO_VERSION <= call.version < _OPTIONAL_FROM:
        return
    for name in _REQUIRED:
        if name not in call.headers:
            raise failure("MissingRequiredHeader", HeaderName=name)
    if "x-ms-file-permission" not in call.headers and "x-ms-file-permission-key" not in call.headers:
        raise failure("MissingRequiredHeader", HeaderName="x-ms-file-permission")


def check_writable(record: EntryRecord) -> None:
    """Refuse to change or delete a read-only file.

    Raises:
        StorageError: ReadOnlyAttribute (409).
    """
    if "ReadOnly" in record.attributes:
        raise failure("ReadOnlyAttribute")


def apply(
    context: Context,
    call: Call,
    record: EntryRecord,
    *,
    directory: bool,
    left: Collection[str] = (),
) -> int | None:
    """Take the properties of a create or set request into a record; headers in ``left`` are left out.

    Returns:
        The time of last write that the client set, in ns since 1970; None if it left that to us.

    Raises:
        StorageError: InvalidHeaderValue, FileInvalidPermission, FilePermissionNotFound.
    """
    form = permissions.form_of(call)
    permission, key = (
        call.headers.get("x-ms-file-permission", ""),
        call.headers.get("x-ms-file-permission-key"),
    )
    if key:
        if permission:
            raise bad_header("x-ms-file-permission-key", key)
        permissions.text_of(context, call.share_key, key)
        record.permission = "" if key == PERMISSION_KEY else key
    elif permission.lower() == "inherit":
        record.permission = ""
    elif permission and permission.lower() != "preserve":
        record.permission = permissions.keep(context, call, permission, form)
    changed = _time(call, "x-ms-file-change-time", left)
    if changed is not None:
        record.new_change_time = changed
    attributes = call.headers.get("x-ms-file-attributes", "preserve")
    if attributes.lower() != "preserve" and "x-ms-file-attributes" not in left:
        record.attributes = _attributes(attributes, directory=directory)
    created = _time(call, "x-ms-file-creation-time", left)
    if created is not None:
        record.created = created
    return _time(call, "x-ms-file-last-write-time", left)


def apply_semantics(call: Call, record: EntryRecord, *, directory: bool = False) -> None:
    """Do what ``x-ms-file-property-semantics`` says: ``New`` archives a new file, ``Restore`` adds nothing.

    Without the header attributes are as they were sent. What ``New`` inherits of permissions is nothing here:
    they are kept and never enforced (our decision).

    Raises:
        StorageError: InvalidHeaderValue.
    """
    text = call.headers.get("x-ms-file-property-semantics")
    if text is None:
        return
    if text.lower() not in ("new", "restore"):
        raise bad_header("x-ms-file-property-semantics", text)
    if text.lower() == "new" and not directory and "Archive" not in record.attributes:
        record.attributes = with_archive(record.attributes)


def with_archive(attributes: str) -> str:
    """Add ``Archive`` to attributes."""
    return " | ".join(name for name in (*attributes.split(" | "), "Archive") if name not in ("None", ""))


def set_last_write(path: int | str, written: int | None) -> None:
    """Set when a file was last written, if the client said so; time of last access stays."""
    if written is not None:
        os.utime(path, ns=(os.stat(path).st_atime_ns, written))


def _attributes(text: str, *, directory: bool) -> str:
    names = []
    for part in text.split("|"):
        name = _ATTRIBUTES.get(part.strip().lower())
        if name is None:
            raise bad_header("x-ms-file-attributes", text)
        if name != "None":
            names.append(name)
    if directory and "Directory" not in names:
        names.append("Directory")
    return " | ".join(names) or "None"


def _time(call: Call, name: str, left: Collection[str]) -> int | None:
    text = call.headers.get(name, "preserve")
    if text.lower() == "preserve" or name in left:
        return None
    if text.lower() == "now":
        return time.time_ns()
    value = parse_smb_time(text)
    if value is None:
        raise bad_header(name, text)
    return value
