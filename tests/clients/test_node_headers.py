"""What Node's clients can send, the Python clients can send, too; the walks over those hold for both.

``tests/storage/test_headers.py`` and ``tests/blob/test_headers.py`` see that nothing which Microsoft's Python
clients send is ignored in silence. Here the sources of Node's are walked: a name that only they know would be
one that nobody looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.storage.walking import PLAIN, operations

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.clients, pytest.mark.network, pytest.mark.timeout(600)]

_PARAMETER = re.compile(r"export const (\w+) = \{(.*?)\n\};", re.DOTALL)
_OPERATION = re.compile(r"const (\w+)OperationSpec = \{(.*?)\n\};", re.DOTALL)
_LISTED = re.compile(r"(?:queryParameters|headerParameters): \[(.*?)\]", re.DOTALL)
_WIRE = re.compile(r'serializedName: "([^"]+)"')
_CONSTANT = re.compile(r"^ {4}(\w+): '([\w-]+)',?$", re.MULTILINE)

NEW = {
    "azure.storage.fileshare": "storage-file-share/dist-esm/storage-file-share/src/generated/src",
    "azure.storage.blob": "storage-blob/dist/esm/generated/src",
}
OLD = {"azure.storage.fileshare": "file", "azure.storage.blob": "blob"}
EVERYWHERE = {
    "comp": "chooses the operation",
    "restype": "chooses the operation",
    "x-ms-client-request-id": "echoed to every request",
    "x-ms-range": "the other name of Range: who looks for one looks for both",
}
ANSWERED = {
    *("etag", "last-modified", "snapshot", "x-ms-request-id", "x-ms-server-encrypted", "x-ms-lease-state"),
    *("x-ms-has-immutability-policy", "x-ms-has-legal-hold", "x-ms-lease-status", "x-ms-lease-time"),
}
"""What the old client reads of answers (and ``snapshot``, which is its name for a container's)."""
SIGNED = {"rsct": "of a shared access signature, which is checked field by field"}


def _generated(folder: Path) -> dict[str, set[str]]:
    """Give the names of headers and query parameters of each generated operation."""
    declared = (folder / "models" / "parameters.js").read_text()
    names = {name: _WIRE.findall(text) for name, text in _PARAMETER.findall(declared)}
    found: dict[str, set[str]] = {}
    for source in (folder / "operations").glob("*.js"):
        for operation, text in _OPERATION.findall(source.read_text()):
            used = re.findall(r"Parameters\.(\w+)", " ".join(_LISTED.findall(text)))
            sent = {names[name][0].lower() for name in used if names[name]}
            found[f"{source.stem}{operation}".lower()] = sent
    return found


@pytest.mark.parametrize("package", NEW)
def test_the_new_client_sends_no_name_of_its_own(node_packages: Path, package: str) -> None:
    known = {sent.operation.replace("_", ""): sent.headers | sent.query for sent in operations(package)}
    walked = _generated(node_packages / "node_modules" / "@azure" / NEW[package])
    assert len(walked) >= 50
    assert walked.keys() <= known.keys()
    unknown = {name: sent - known[name] - PLAIN - EVERYWHERE.keys() for name, sent in walked.items()}
    assert {name: sent for name, sent in unknown.items() if sent} == {}


@pytest.mark.parametrize("package", OLD)
def test_the_old_client_sends_no_name_of_its_own(node_packages: Path, package: str) -> None:
    library = node_packages / "node_modules" / "azure-storage" / "lib"
    names = dict(_CONSTANT.findall((library / "common" / "util" / "constants.js").read_text()))
    sources = (path.read_text() for path in (library / "services" / OLD[package]).rglob("*.js"))
    used = {
        names[name].lower()
        for text in sources
        for name in re.findall(r"(?:HeaderConstants|QueryStringConstants)\.(\w+)", text)
    }
    assert len(used) > 30
    known = {name for sent in operations(package) for name in sent.headers | sent.query}
    known |= PLAIN | EVERYWHERE.keys() | ANSWERED | SIGNED.keys() | {"range"}
    assert sorted(used - known) == []
