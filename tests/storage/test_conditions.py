"""Conditional headers: they hold, or are refused by name where nothing looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storage.serving import ACCOUNT, SMB

if TYPE_CHECKING:
    from tests.storage.serving import Served

NEVER = '"0x0"'
PAST, FUTURE = "Thu, 01 Jan 2004 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"
UNMET = (
    {"if-match": NEVER},
    {"if-none-match": "*"},
    {"if-modified-since": FUTURE},
    {"if-unmodified-since": PAST},
)


def _create(served: Served, headers: dict[str, str], size: int = 3) -> int:
    made = {"x-ms-type": "file", "x-ms-content-length": str(size), **SMB}
    return served.ask("PUT", "/data/f", headers=made | headers).status


@pytest.mark.parametrize("condition", UNMET, ids="".join)
def test_a_file_is_not_replaced_where_conditions_are_not_met(
    served: Served, condition: dict[str, str]
) -> None:
    served.make("/data/f", b"0123456789")
    served.make("/data/source", b"other")
    source = f"{served.url}/{ACCOUNT}/data/source"
    assert _create(served, condition) == 412
    copy = served.ask("PUT", "/data/f", headers={"x-ms-copy-source": source, **condition})
    assert (copy.status, copy.code) == (412, "ConditionNotMet")
    told = served.ask("GET", "/data/f", {"comp": "metadata"}, condition)
    assert told.status == (304 if "if-none-match" in condition or "if-modified-since" in condition else 412)
    assert served.ask("GET", "/data/f").body == b"0123456789"


def test_a_file_is_made_or_replaced_where_conditions_are_met(served: Served) -> None:
    assert _create(served, {"if-match": "*"}) == 412
    assert served.ask("HEAD", "/data/f").status == 404
    assert _create(served, {"if-none-match": "*"}) == 201
    tag = served.ask("HEAD", "/data/f").headers["etag"]
    assert _create(served, {"if-match": tag}, 7) == 201
    assert served.ask("HEAD", "/data/f").headers["content-length"] == "7"


@pytest.mark.parametrize("condition", UNMET, ids="".join)
def test_conditions_that_nothing_looks_at_are_refused_by_name(
    served: Served, condition: dict[str, str]
) -> None:
    served.make("/data/f", b"x")
    (name,) = condition
    source = f"{served.url}/{ACCOUNT}/data/f"
    for path, query, headers in (
        ("/data", {"restype": "share", "comp": "metadata"}, {"x-ms-meta-a": "1"}),
        ("/data", {"restype": "share", "comp": "properties"}, {"x-ms-share-quota": "5"}),
        ("/data/d", {"restype": "directory"}, SMB),
        ("/data/g", {"comp": "rename"}, {"x-ms-file-rename-source": source}),
    ):
        answer = served.ask("PUT", path, query, headers | condition)
        assert (answer.status, answer.code) == (400, "ConditionHeadersNotSupported")
        assert answer.text("HeaderName") == name
    assert (
        served.ask("GET", "/data", {"restype": "share", "comp": "metadata"}).headers.get("x-ms-meta-a")
        is None
    )
    assert served.ask("HEAD", "/data/f").status == 200
    # What a cache asks may always be answered whole.
    read = served.ask("GET", "/data", {"restype": "share"}, condition)
    assert read.status == (400 if name in ("if-match", "if-unmodified-since") else 200)
