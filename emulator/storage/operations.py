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


class Row(NamedTuple):
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
    Row("Service_SetProperties", "PUT", "/?restype=service&comp=properties"),
    Row("Service_GetProperties", "GET", "/?restype=service&comp=properties"),
    Row("Service_ListSharesSegment", "GET", "/?comp=list"),
    Row("Service_GetUserDelegationKey", "POST", "/?restype=service&comp=userdelegationkey", "2025-07-05"),
    Row("Share_Create", "PUT", _SHARE),
    Row("Share_GetProperties", "GET", _SHARE),
    Row("Share_Delete", "DELETE", _SHARE),
    Row("Share_CreateSnapshot", "PUT", _SHARE + "&comp=snapshot"),
    Row("Share_CreatePermission", "PUT", _SHARE + "&comp=filepermission"),
    Row("Share_GetPermission", "GET", _SHARE + "&comp=filepermission"),
    Row("Share_SetQuota", "PUT", _SHARE + "&comp=properties"),
    Row("Share_SetMetadata", "PUT", _SHARE + "&comp=metadata"),
    Row("Share_GetAccessPolicy", "GET", _SHARE + "&comp=acl"),
    Row("Share_SetAccessPolicy", "PUT", _SHARE + "&comp=acl"),
    Row("Share_GetStatistics", "GET", _SHARE + "&comp=stats"),
    *(
        Row(
            f"Share_{action}Lease",
            "PUT",
            _SHARE + "&comp=lease",
            _LEASES,
            {"x-ms-lease-action": action.lower()},
        )
        for action in ("Acquire", "Renew", "Change", "Break", "Release")
    ),
    Row("Share_SetProperties", "PUT", _SHARE + "&comp=properties", "2019-12-12", {"x-ms-access-tier": "Hot"}),
    Row("Share_Restore", "PUT", _SHARE + "&comp=undelete", "2019-12-12"),
    Row("Share_Create (NFS)", "PUT", _SHARE, "2020-02-10", {"x-ms-enabled-protocols": "NFS"}),
    Row("Directory_Create", "PUT", _FOLDER),
    Row("Directory_GetProperties", "GET", _FOLDER),
    Row("Directory_Delete", "DELETE", _FOLDER),
    Row("Directory_SetProperties", "PUT", _FOLDER + "&comp=properties"),
    Row("Directory_SetMetadata", "PUT", _FOLDER + "&comp=metadata"),
    Row("Directory_ListFilesAndDirectoriesSegment", "GET", _FOLDER + "&comp=list"),
    Row("Directory_ListHandles", "GET", "/{share}/{directory}?comp=listhandles"),
    Row("Directory_ForceCloseHandles", "PUT", "/{share}/{directory}?comp=forceclosehandles"),
    Row("Directory_Rename", "PUT", _FOLDER + "&comp=rename", _RENAMES, {"x-ms-file-rename-source": "URL"}),
    Row("File_Create", "PUT", _FILE),
    Row("File_Download", "GET", _FILE),
    Row("File_GetProperties", "HEAD", _FILE),
    Row("File_Delete", "DELETE", _FILE),
    Row("File_SetHTTPHeaders", "PUT", _FILE + "?comp=properties"),
    Row("File_SetMetadata", "PUT", _FILE + "?comp=metadata"),
    Row("File_UploadRange", "PUT", _FILE + "?comp=range", headers={"x-ms-write": "update"}),
    Row("File_UploadRangeFromURL", "PUT", _FILE + "?comp=range", headers=_COPY),
    Row("File_GetRangeList", "GET", _FILE + "?comp=rangelist"),
    Row("File_StartCopy", "PUT", _FILE, headers=_COPY),
    Row("File_AbortCopy", "PUT", _FILE + "?comp=copy&copyid={id}", headers={"x-ms-copy-action": "abort"}),
    Row("File_ListHandles", "GET", _FILE + "?comp=listhandles"),
    Row("File_ForceCloseHandles", "PUT", _FILE + "?comp=forceclosehandles"),
    *(
        Row(
            f"File_{action}Lease",
            "PUT",
            _FILE + "?comp=lease",
            "2019-07-07",
            {"x-ms-lease-action": action.lower()},
        )
        for action in ("Acquire", "Change", "Break", "Release")
    ),
    Row("File_Rename", "PUT", _FILE + "?comp=rename", _RENAMES, {"x-ms-file-rename-source": "URL"}),
    Row("File_CreateSymbolicLink", "PUT", _FILE + "?restype=symboliclink", _LINKS),
    Row("File_GetSymbolicLink", "GET", _FILE + "?restype=symboliclink", _LINKS),
    Row("File_CreateHardLink", "PUT", _FILE + "?restype=hardlink", _LINKS),
]


def outcome(row: Row) -> tuple[str, str]:
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
