"""Security descriptors as text and in binary form."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from azure.storage.fileshare import ShareClient

from batchai_scenario.emulator.storage.descriptors import to_binary, to_sddl
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage.serving import Answer, Served

SDDL = "O:S-1-5-32-544G:S-1-5-21-1-2-3-513D:AI(A;;FA;;;SY)(D;OICI;0x1200a9;;;AU)"


@pytest.fixture
def share(served: Served) -> Iterator[ShareClient]:
    url = f"{served.url}/{ACCOUNT}/data"
    with ShareClient.from_share_url(url, credential=KEY, retry_total=0) as client:
        yield client


def test_a_descriptor_byte_by_byte() -> None:
    """Written by hand from [MS-DTYP]: header, a DACL with one entry, owner BA, group SY."""
    owner = bytes.fromhex("01 02 000000000005 20000000 20020000")
    group = bytes.fromhex("01 01 000000000005 12000000")
    entry = bytes.fromhex("00 03 1400 ff011f00") + group
    dacl = bytes.fromhex("02 00 1c00 0100 0000") + entry
    head = bytes.fromhex("01 00 0490 30000000 40000000 00000000 14000000")
    expected = base64.b64encode(head + dacl + owner + group).decode()
    assert to_binary("O:BAG:SYD:P(A;OICI;FA;;;SY)") == expected
    assert to_sddl(expected) == "O:BAG:SYD:P(A;OICI;FA;;;SY)"


def test_a_descriptor_as_the_service_tells_it() -> None:
    """From the tests of Microsoft's client, which ran against the service."""
    text = (
        "O:S-1-5-21-2127521184-1604012920-1887927527-21560751G:S-1-5-21-2127521184-"
        "1604012920-1887927527-513D:AI(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;"
        "S-1-5-21-397955417-626881126-188441444-3053964)S:NO_ACCESS_CONTROL"
    )
    expected = (
        "AQAUhGwAAACIAAAAAAAAABQAAAACAFgAAwAAAAAAFAD/AR8AAQEAAAAAAAUSAAAAAAAYAP8BHw"
        "ABAgAAAAAABSAAAAAgAgAAAAAkAKkAEgABBQAAAAAABRUAAABZUbgXZnJdJWRjOwuMmS4AAQUA"
        "AAAAAAUVAAAAoGXPfnhLm1/nfIdwr/1IAQEFAAAAAAAFFQAAAKBlz354S5tf53yHcAECAAA="
    )
    assert to_binary(text) == expected
    assert to_sddl(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        SDDL.replace("S-1-5-32-544", "BA"),
        "O:SYG:SYD:",
        "O:SYG:SYD:NO_ACCESS_CONTROL",
        "O:SYG:SYD:PAINO_ACCESS_CONTROLS:ARNO_ACCESS_CONTROL",
        "O:SYG:SYD:PAI(A;ID;FR;;;WD)S:(AU;SAFA;FA;;;WD)(ML;;NW;;;LW)",
        "O:S-1-5-21-4294967295-0-1-500G:BUD:(A;;0x1;;;BU)",
    ],
)
def test_both_forms_say_the_same(text: str) -> None:
    assert to_sddl(to_binary(text)) == text


@pytest.mark.parametrize(
    "text", ["", "O:BA", "O:BAG:XXD:", "O:BAG:BAD:(A;;FA;;SY)", "O:BAG:BAD:(Q;;FA;;;SY)"]
)
def test_what_is_no_descriptor_has_no_binary_form(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        to_binary(text)


@pytest.mark.parametrize("cut", [0, 1, 19, 30, 60])
def test_what_is_cut_off_is_no_descriptor(cut: int) -> None:
    data = base64.b64decode(to_binary(SDDL))
    with pytest.raises(ValueError, match=r".*"):
        to_sddl(base64.b64encode(data[:cut]).decode())


def _create(served: Served, permission: str, form: str) -> Answer:
    """Ask as the service's description says; the library's own way of asking is broken in 12.27.1."""
    body = json.dumps({"permission": permission, "format": form}).encode()
    return served.ask("PUT", "/data", {"restype": "share", "comp": "filepermission"}, body=body)


def test_the_library_keeps_and_reads_binary_permissions(served: Served, share: ShareClient) -> None:
    binary = to_binary(SDDL)
    key = _create(served, binary, "binary").headers["x-ms-file-permission-key"]
    assert share.get_permission_for_share(key, file_permission_format="binary") == binary
    assert share.get_permission_for_share(key) == SDDL.replace("S-1-5-32-544", "BA")
    other = _create(served, SDDL, "sddl").headers["x-ms-file-permission-key"]
    assert share.get_permission_for_share(other, file_permission_format="binary") == binary
    file = share.get_file_client("f")
    file.create_file(1, file_permission=binary, file_permission_format="binary")
    assert file.get_file_properties().permission_key == key
    for form, wrong in (("binary", "bm9uc2Vuc2U="), ("binary", "???"), ("sddl", binary)):
        assert _create(served, wrong, form).code == "FileInvalidPermission"
    assert _create(served, SDDL, "xml").code == "InvalidInput"
