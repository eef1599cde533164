"""Nothing that Microsoft's client of Blob can send is ignored in silence: its sources are walked for names.

Each name must be refused by name, be read somewhere in the service, or stand below with the reason.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

import batchai_scenario.emulator.storage as room
from batchai_scenario.emulator.storage.blob.routes import _NOT_BUILT_HEADERS as REFUSED
from batchai_scenario.emulator.storage.blob.routes import _NOT_BUILT_QUERY as REFUSED_QUERY
from tests.blob.serving import account_sas
from tests.storage.walking import operations

if TYPE_CHECKING:
    from tests.storage.serving import Served

CONDITIONS = {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"}
REASONS = {
    "x-ms-client-request-id": "echoed to every request",
    "x-ms-meta": "read where metadata are read",
    "x-ms-delete-snapshots": "there are no snapshots: what is asked for is so",
    "x-ms-file-request-intent": "for files as sources, which are refused by name",
    "timeout": "how long the service may take: here nothing takes longer",
}


def _read_here() -> set[str]:
    """Give the names that the service's own sources hold."""
    folder = Path(str(room.__file__)).parent
    text = "".join(path.read_text() for path in folder.rglob("*.py"))
    found = {name.lower() for name in re.findall(r'"([A-Za-z][A-Za-z0-9-]+)"', text)}
    for start, name, end in re.findall(r'f"([a-z-]+)\{(\w+)\}([a-z0-9-]*)"', text):
        words = ("match", "none-match") if name == "word" else ()
        found |= {f"{start}{word}{end}" for word in words}
    return found - REFUSED.keys() - REFUSED_QUERY.keys()


def test_every_name_is_read_or_refused() -> None:
    sent = operations("azure.storage.blob")
    assert len(sent) > 60
    names = {name for operation in sent for name in operation.headers | operation.query}
    assert len(names) > 90
    unknown = names - _read_here() - REFUSED.keys() - REFUSED_QUERY.keys() - REASONS.keys() - CONDITIONS
    assert sorted(unknown) == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_header_that_is_refused_is_named(served: Served, name: str) -> None:
    url = f"{served.url}/blob/devaccount/data/new?{account_sas(served)}"
    sent = {"x-ms-blob-type": "BlockBlob", name: "1"}
    answer = requests.put(url, headers=sent, data=b"x", timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")
    assert name in answer.text
    assert not (served.home.storage / "devaccount" / "_blob" / "data" / "new").exists()


@pytest.mark.parametrize("name", sorted(REFUSED_QUERY))
def test_a_parameter_that_is_refused_is_named(served: Served, name: str) -> None:
    url = f"{served.url}/blob/devaccount/data/new?{account_sas(served)}&{name}=1"
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")
    assert REFUSED_QUERY[name] in answer.text
