"""What answers of Files and Blob were in the years of the service's first clients (recorded traffic)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

from tests.storage.serving import ACCOUNT

if TYPE_CHECKING:
    from tests.storage.serving import Served

OF_2017, OF_2019 = "2017-04-17", "2019-02-02"


@pytest.mark.parametrize("version", [OF_2017, OF_2019])
def test_an_error_says_its_code_in_a_header_since_the_summer_of_2017(served: Served, version: str) -> None:
    query, headers = {"restype": "share"}, {"x-ms-version": version}
    answers = [served.ask("PUT", "/twice", query, headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 409]
    assert answers[1].text("Code") == "ShareAlreadyExists"
    code = answers[1].headers.get("x-ms-error-code")
    assert code == (None if version == OF_2017 else "ShareAlreadyExists")


def test_entity_tags_have_fifteen_digits_and_differ(served: Served) -> None:
    tags = []
    for content in (b"one", b"more"):
        served.make("/data/tagged", content)
        tags.append(served.ask("HEAD", "/data/tagged").headers["etag"])
    tags.append(served.ask("GET", "/data", {"restype": "share"}).headers["etag"])
    assert len(set(tags)) == 3
    for tag in tags:
        assert re.fullmatch('"0x8D[0-9A-F]{13}"', tag)


def test_a_link_does_not_tell_of_encryption(served: Served) -> None:
    served.make("/data/read", b"read")
    link = served.linked("data/read")
    for ask in (requests.get, requests.head):
        answer = ask(link, timeout=10)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "4")
        assert "x-ms-server-encrypted" not in answer.headers
    assert served.ask("GET", "/data/read").headers["x-ms-server-encrypted"] == "true"
    assert ACCOUNT in link
