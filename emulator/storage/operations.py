"""The table of Files operations: every published one, and what this emulator does with it.

``python -m batchai_scenario.emulator.storage.operations`` prints the page ``docs/files-operations.md``;
whether an operation is served is asked of the routes themselves, and a test asks it over the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request

from batchai_scenario.emulator.storage.accounts import Account
from batchai_scenario.emulator.storage.call import Call
from batchai_scenario.emulator.storage.errors import StorageError
from batchai_scenario.emulator.storage.routes import find_operation

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST = "2019-02-02"
"""The version whose description is told in whole; later versions added the other rows."""

_HEAD = """# Azure Files: operations

Made by `python -m batchai_scenario.emulator.storage.operations > docs/files-operations.md`: do not edit.
Names are those of the published descriptions. *Refused* is answered 501 `NotImplemented`, naming what is
missing. Every row is tested. What a served operation does differently here is
told in [storage.md](storage.md).
"""


class FilesOperation(NamedTuple):
    """A published operation: ``path`` below the account, with its query; ``headers`` tell it from others."""

    name: str
    method: str
    path: str
    since: str = FIRST
    headers: Mapping[str, str] = {}


_COPY = {"x-ms-copy-source": "URL"}
_SHARE, _FOLDER, _FILE = "/{share}?restype=share", "/{share}/{directory}?restype=directory", "/{share}/{file}"
_LEASES, _RENAMES, _LINKS = "2020-02-10", "2021-04-10", "2024-11-04"

ROWS = [
    FilesOperation("Service_SetProperties", "PUT", "/?restype=service&comp=properties"),
    FilesOperation("Service_GetProperties", "GET", "/?restype=service&comp=properties"),
    FilesOperation("Service_ListSharesSegment", "GET", "/?comp=list"),
    FilesOperation(
        "Service_GetUserDelegationKey", "POST", "/?restype=service&comp=userdelegationkey", "2025-07-05"
    ),
    FilesOperation("Share_Create", "PUT", _SHARE),
    FilesOperation("Share_GetProperties", "GET", _SHARE),
    FilesOperation("Share_Delete", "DELETE", _SHARE),
    FilesOperation("Share_CreateSnapshot", "PUT", _SHARE + "&comp=snapshot"),
    FilesOperation("Share_CreatePermission", "PUT", _SHARE + "&comp=filepermission"),
    FilesOperation("Share_GetPermission", "GET", _SHARE + "&comp=filepermission"),
    FilesOperation("Share_SetQuota", "PUT", _SHARE + "&comp=properties"),
    FilesOperation("Share_SetMetadata", "PUT", _SHARE + "&comp=metadata"),
    FilesOperation("Share_GetAccessPolicy", "GET", _SHARE + "&comp=acl"),
    FilesOperation("Share_SetAccessPolicy", "PUT", _SHARE + "&comp=acl"),
    FilesOperation("Share_GetStatistics", "GET", _SHARE + "&comp=stats"),
    *(
        FilesOperation(
            f"Share_{action}Lease",
            "PUT",
            _SHARE + "&comp=lease",
            _LEASES,
            {"x-ms-lease-action": action.lower()},
        )
        for action in ("Acquire", "Renew", "Change", "Break", "Release")
    ),
    FilesOperation(
        "Share_SetProperties", "PUT", _SHARE + "&comp=properties", "2019-12-12", {"x-ms-access-tier": "Hot"}
    ),
    FilesOperation("Share_Restore", "PUT", _SHARE + "&comp=undelete", "2019-12-12"),
    FilesOperation("Share_Create (NFS)", "PUT", _SHARE, "2020-02-10", {"x-ms-enabled-protocols": "NFS"}),
    FilesOperation("Directory_Create", "PUT", _FOLDER),
    FilesOperation("Directory_GetProperties", "GET", _FOLDER),
    FilesOperation("Directory_Delete", "DELETE", _FOLDER),
    FilesOperation("Directory_SetProperties", "PUT", _FOLDER + "&comp=properties"),
    FilesOperation("Directory_SetMetadata", "PUT", _FOLDER + "&comp=metadata"),
    FilesOperation("Directory_ListFilesAndDirectoriesSegment", "GET", _FOLDER + "&comp=list"),
    FilesOperation("Directory_ListHandles", "GET", "/{share}/{directory}?comp=listhandles"),
    FilesOperation("Directory_ForceCloseHandles", "PUT", "/{share}/{directory}?comp=forceclosehandles"),
    FilesOperation(
        "Directory_Rename", "PUT", _FOLDER + "&comp=rename", _RENAMES, {"x-ms-file-rename-source": "URL"}
    ),
    FilesOperation("File_Create", "PUT", _FILE),
    FilesOperation("File_Download", "GET", _FILE),
    FilesOperation("File_GetProperties", "HEAD", _FILE),
    FilesOperation("File_Delete", "DELETE", _FILE),
    FilesOperation("File_SetHTTPHeaders", "PUT", _FILE + "?comp=properties"),
    FilesOperation("File_SetMetadata", "PUT", _FILE + "?comp=metadata"),
    FilesOperation("File_UploadRange", "PUT", _FILE + "?comp=range", headers={"x-ms-write": "update"}),
    FilesOperation("File_UploadRangeFromURL", "PUT", _FILE + "?comp=range", headers=_COPY),
    FilesOperation("File_GetRangeList", "GET", _FILE + "?comp=rangelist"),
    FilesOperation("File_StartCopy", "PUT", _FILE, headers=_COPY),
    FilesOperation(
        "File_AbortCopy", "PUT", _FILE + "?comp=copy&copyid={id}", headers={"x-ms-copy-action": "abort"}
    ),
    FilesOperation("File_ListHandles", "GET", _FILE + "?comp=listhandles"),
    FilesOperation("File_ForceCloseHandles", "PUT", _FILE + "?comp=forceclosehandles"),
    *(
        FilesOperation(
            f"File_{action}Lease",
            "PUT",
            _FILE + "?comp=lease",
            "2019-07-07",
            {"x-ms-lease-action": action.lower()},
        )
        for action in ("Acquire", "Change", "Break", "Release")
    ),
    FilesOperation(
        "File_Rename", "PUT", _FILE + "?comp=rename", _RENAMES, {"x-ms-file-rename-source": "URL"}
    ),
    FilesOperation("File_CreateSymbolicLink", "PUT", _FILE + "?restype=symboliclink", _LINKS),
    FilesOperation("File_GetSymbolicLink", "GET", _FILE + "?restype=symboliclink", _LINKS),
    FilesOperation("File_CreateHardLink", "PUT", _FILE + "?restype=hardlink", _LINKS),
]


def outcome(row: FilesOperation) -> tuple[str, str]:
    """Ask the routes for an operation.

    Returns:
        What is refused, empty if nothing is, and what serves it, the first line of its description.
    """
    path, _, query = row.path.partition("?")
    scope = {
        "type": "http",
        "method": row.method,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in row.headers.items()],
    }
    call = Call(Request(scope), Account("account", (), (), "", {}))
    call.locate(path.replace("{", "").replace("}", ""))
    try:
        operation = find_operation(call)
    except StorageError as error:
        if error.code != "NotImplemented":
            raise
        return error.message.removeprefix("The emulator does not implement ").rstrip("."), ""
    text = (operation.run.__doc__ or "").strip().partition("\n")[0]
    return "", text


def page() -> str:
    """Write the page."""
    lines = [_HEAD]
    for title, rows in (
        (f"Published for {FIRST}", [row for row in ROWS if row.since == FIRST]),
        ("Published later", [row for row in ROWS if row.since != FIRST]),
    ):
        outcomes = [outcome(row) for row in rows]
        served = sum(not refused for refused, _ in outcomes)
        lines += [f"## {title}", "", f"{served} of {len(rows)} operations are served.", ""]
        lines += ["| operation | request | | |", "|---|---|---|---|"]
        for row, (refused, text) in zip(rows, outcomes, strict=True):
            headers = "".join(f", `{name}: {value}`" for name, value in row.headers.items())
            verdict = f"refused | {refused}" if refused else f"served | {text}"
            lines.append(f"| {row.name} | `{row.method} {row.path}`{headers} | {verdict} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - a page for a file
