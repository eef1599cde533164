"""The .NET example of docs/azure-files.md, held to the requests that its calls make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.storage.serving import SMB

if TYPE_CHECKING:
    from tests.storage.serving import Served

PAGE = Path(__file__).parents[2] / "docs" / "azure-files.md"
VERSION = {"x-ms-version": "2025-11-05"}
REQUESTS: dict[str, tuple[str, str, dict[str, str], dict[str, str], bytes, int]] = {
    # A call of the library: method, path, query, headers, body, and the status that it expects.
    "share.Create": ("PUT", "/dotnet", {"restype": "share"}, {}, b"", 201),
    "file.Create": (
        "PUT",
        "/dotnet/march.txt",
        {},
        {**SMB, "x-ms-type": "file", "x-ms-content-length": "4"},
        b"",
        201,
    ),
    "file.Upload": (
        "PUT",
        "/dotnet/march.txt",
        {"comp": "range"},
        {"x-ms-write": "update", "x-ms-range": "bytes=0-3"},
        b"42 %",
        201,
    ),
    "file.Download": ("GET", "/dotnet/march.txt", {}, {"x-ms-range": "bytes=0-4194303"}, b"", 206),
}


def test_the_requests_of_the_dotnet_example_are_answered(served: Served) -> None:
    found = re.search(r"```csharp\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    calls = [call for call in re.findall(r"\b((?:share|file)\.\w+)\(", found[1]) if ".Get" not in call]
    assert calls == list(REQUESTS)
    answer: Any = None
    for method, path, query, headers, body, status in REQUESTS.values():
        answer = served.ask(method, path, query, {**VERSION, **headers}, body)
        assert answer.status == status, answer
    assert answer.body == b"42 %"
