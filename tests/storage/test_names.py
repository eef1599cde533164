"""Dots at the ends of names, names that XML cannot hold, and what else newer versions say of names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.fileshare import ShareClient

from tests.storage.serving import ACCOUNT, KEY, SMB

if TYPE_CHECKING:
    from tests.storage.serving import Served

DOTS = {"x-ms-allow-trailing-dot": "true"}
CREATE = {"x-ms-type": "file", "x-ms-content-length": "1", **SMB}


def _share(served: Served, **options: Any) -> ShareClient:
    url = f"{served.url}/{ACCOUNT}/data"
    return ShareClient.from_share_url(url, credential=KEY, retry_total=0, **options)


def _names(served: Served) -> list[str]:
    return sorted(
        path.relative_to(served.folder("data")).as_posix() for path in served.folder("data").rglob("*")
    )


def test_dots_at_the_end_are_trimmed_unless_they_are_asked_for(served: Served) -> None:
    with (
        _share(served) as plain,
        _share(served, allow_trailing_dot=True, allow_source_trailing_dot=True) as kept,
    ):
        plain.create_directory("folder..")
        plain.get_file_client("folder/f.").upload_file(b"plain")
        kept.create_directory("folder..")
        kept.get_file_client("folder../f.").upload_file(b"kept")
        assert _names(served) == ["folder", "folder..", "folder../f.", "folder/f"]
        assert plain.get_file_client("folder../f.").download_file().readall() == b"plain"
        assert kept.get_file_client("folder../f.").download_file().readall() == b"kept"
        kept.get_file_client("folder../f.").rename_file("g.")
        assert _names(served) == ["folder", "folder..", "folder/f", "g."]
        copied = kept.get_file_client("h.")
        copied.start_copy_from_url(f"{served.url}/{ACCOUNT}/data/g.")
        assert copied.download_file().readall() == b"kept"


def test_dots_of_a_source_are_trimmed_by_their_own_header(served: Served) -> None:
    served.make("/data/f", b"content")
    sent = {**DOTS, "x-ms-copy-source": f"{served.url}/{ACCOUNT}/data/f."}
    assert served.ask("PUT", "/data/copy.", headers=sent).status == 202
    assert _names(served) == ["copy.", "f"]
    sent["x-ms-source-allow-trailing-dot"] = "true"
    assert served.ask("PUT", "/data/copy.", headers=sent).code == "CannotVerifyCopySource"


@pytest.mark.parametrize("name", [".", "..", "%2e", "%2e%2e"])
def test_names_of_dots_only_are_none_even_then(served: Served, name: str) -> None:
    assert served.ask("PUT", f"/data/{name}", headers={**CREATE, **DOTS}).code == "InvalidResourceName"
    assert served.ask("GET", f"/data/{name}/secret", headers=DOTS).code == "InvalidResourceName"


def test_a_flag_is_true_or_false(served: Served) -> None:
    sent = {**CREATE, "x-ms-allow-trailing-dot": "yes"}
    assert served.ask("PUT", "/data/f", headers=sent).code == "InvalidHeaderValue"


def test_names_that_xml_cannot_hold_are_encoded(served: Served) -> None:
    with _share(served) as share:
        folder = share.create_directory("d\uffff")
        folder.upload_file("f\ufffe&", b"content")
        folder.upload_file("plain", b"content")
        assert [entry.name for entry in share.list_directories_and_files()] == ["d\uffff"]
        assert [entry.name for entry in folder.list_directories_and_files()] == ["f\ufffe&", "plain"]
        assert [entry.name for entry in folder.list_directories_and_files("f\ufffe")] == ["f\ufffe&"]
    query = {"restype": "directory", "comp": "list", "prefix": "f\ufffe"}
    answer = served.ask("GET", "/data/d%EF%BF%BF", query)
    assert b'DirectoryPath="d%EF%BF%BF" Encoded="true"' in answer.body
    assert b'<Prefix Encoded="true">f%EF%BF%BE</Prefix>' in answer.body
    assert b'<Name Encoded="true">f%EF%BF%BE%26</Name>' in answer.body


def test_a_directory_replaces_a_file_if_it_is_to(served: Served) -> None:
    with _share(served) as share:
        share.create_directory("d").upload_file("f", b"content")
        share.get_file_client("taken").upload_file(b"old")
        with pytest.raises(ResourceExistsError):
            share.get_directory_client("d").rename_directory("taken")
        share.get_directory_client("d").rename_directory("taken", overwrite=True)
        assert share.get_file_client("taken/f").download_file().readall() == b"content"
        share.create_directory("other")
        with pytest.raises(HttpResponseError):
            share.get_directory_client("taken").rename_directory("other", overwrite=True)
    assert _names(served) == ["other", "taken", "taken/f"]


def test_a_copy_may_replace_a_read_only_file(served: Served) -> None:
    served.make("/data/f", b"new")
    read_only = {**CREATE, "x-ms-file-attributes": "ReadOnly"}
    assert served.ask("PUT", "/data/g", headers=read_only).status == 201
    sent = {"x-ms-copy-source": f"{served.url}/{ACCOUNT}/data/f"}
    assert served.ask("PUT", "/data/g", headers=sent).code == "ReadOnlyAttribute"
    sent["x-ms-file-copy-ignore-readonly"] = "true"
    assert served.ask("PUT", "/data/g", headers=sent).status == 202
    assert served.ask("GET", "/data/g").body == b"new"


def test_a_snapshot_is_leased(served: Served) -> None:
    with _share(served) as share:
        snapshot = share.create_snapshot()
        with _share(served, snapshot=snapshot) as taken:
            lease = taken.acquire_lease()
            assert taken.get_share_properties().lease.state == "leased"
            with pytest.raises(HttpResponseError):
                share.delete_share(delete_snapshots=True)
            lease.release()
        share.delete_share(delete_snapshots=True)


def test_a_missing_snapshot_and_too_many_rules(served: Served) -> None:
    missing = {"restype": "share", "sharesnapshot": "2019-05-17T23:41:28.0000000Z"}
    assert served.ask("GET", "/data", missing).code == "ShareNotFound"
    rules = b"<CorsRule></CorsRule>" * 6
    body = b"<StorageServiceProperties><Cors>" + rules + b"</Cors></StorageServiceProperties>"
    query = {"restype": "service", "comp": "properties"}
    assert served.ask("PUT", "/", query, body=body).code == "InvalidXmlDocument"
