"""Who is let in: SharedKey, SharedKeyLite and SAS, and every way to get them wrong."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit
from uuid import RFC_4122, UUID

import pytest

from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.storage.sharedkey import lite_string_to_sign
from batchai_scenario.emulator.storage.signing import file_link
from tests.storage.serving import ACCOUNT, KEY, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.storage.serving import Served

NOW = datetime(2018, 6, 6, 12, tzinfo=timezone.utc)
FILE = "/data/out/log.txt"


@pytest.fixture
def clock(served: Served) -> Iterator[ManualClock]:
    """The service's clock, which stands in 2018."""
    clock, real = ManualClock(NOW), served.clock
    served.clock = served.service._front._clock = clock
    yield clock
    served.clock = served.service._front._clock = real


@pytest.fixture(autouse=True)
def _file(served: Served, clock: ManualClock) -> None:
    (served.folder("data") / "out").mkdir()
    (served.folder("data") / "out" / "log.txt").write_text("0123456789")


def _sas(served: Served, *, key: str = KEY, resource: str = FILE, **fields: str) -> dict[str, str]:
    """Sign a service SAS, by the published rule, with any fields."""
    query = {"sv": "2017-04-17", "sr": "f", "sp": "r", "se": "2018-06-06T13:00:00Z", **fields}
    names = ("sp", "st", "se", "", "si", "sip", "spr", "sv", "rscc", "rscd", "rsce", "rscl", "rsct")
    text = "\n".join(f"/file/{ACCOUNT}{resource}" if not name else query.get(name, "") for name in names)
    query["sig"] = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()
    return query


def _account_sas(**fields: str) -> dict[str, str]:
    query = {"sv": "2018-03-28", "ss": "f", "srt": "sco", "sp": "rwdl", "se": "2018-06-07", **fields}
    names = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv")
    text = "\n".join([ACCOUNT, *(query.get(name, "") for name in names), ""])
    query["sig"] = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
    return query


@pytest.mark.parametrize("version", ["2016-05-31", "2017-04-17", "2018-03-28", "2019-02-02"])
@pytest.mark.parametrize(("kind", "resource"), [("f", FILE), ("s", "/data")])
def test_a_service_signature_of_every_version_reads(
    served: Served, version: str, kind: str, resource: str
) -> None:
    query = _sas(served, sv=version, sr=kind, resource=resource, st="2018-06-06T11:00Z", sip="127.0.0.1")
    answer = served.ask("GET", FILE, query, signed=False)
    assert (answer.status, answer.body, answer.headers["x-ms-version"]) == (200, b"0123456789", version)


def test_a_link_is_in_the_form_of_the_service_and_ends_in_time(served: Served, clock: ManualClock) -> None:
    url = served.service.link(
        ACCOUNT, "data", "out/log.txt", expires=NOW + timedelta(minutes=60), base_url=served.url
    )
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    assert parts.path == f"/{ACCOUNT}/data/out/log.txt"
    assert {**query, "sig": ""} == {
        "sv": "2016-05-31",
        "sr": "f",
        "sig": "",
        "se": "2018-06-06T13:00:00Z",
        "sp": "rl",
    }
    assert served.ask("GET", FILE, query, {"range": "bytes=8-"}, signed=False).body == b"89"
    clock.advance(minutes=60)
    late = served.ask("GET", FILE, query, signed=False)
    assert (late.status, late.code) == (403, "AuthenticationFailed")
    assert "Signature not valid in the specified time frame" in late.text("AuthenticationErrorDetail")


def test_a_link_to_a_name_with_reserved_characters_reads(served: Served) -> None:
    name = "loss: 50% #1 ä+b?.txt"
    (served.folder("data") / name).write_text("x")
    account = served.accounts.get(ACCOUNT)
    assert account is not None
    parts = urlsplit(file_link(account, "data", name, expires=NOW + timedelta(days=1), base_url=served.url))
    answer = served.ask("GET", parts.path[len(ACCOUNT) + 1 :], dict(parse_qsl(parts.query)), signed=False)
    assert (answer.status, answer.body) == (200, b"x")


WRONG_SAS: dict[str, tuple[Callable[[Served], dict[str, str]], str]] = {
    "tampered permission": (lambda served: {**_sas(served), "sp": "rw"}, "AuthenticationFailed"),
    "tampered end": (lambda served: {**_sas(served), "se": "2030-01-01T00:00:00Z"}, "AuthenticationFailed"),
    "another file": (lambda served: _sas(served, resource="/data/out/other.txt"), "AuthenticationFailed"),
    "another share": (lambda served: _sas(served, sr="s", resource="/date"), "AuthenticationFailed"),
    "another key": (
        lambda served: _sas(served, key=base64.b64encode(b"k" * 64).decode()), "AuthenticationFailed",
    ),
    "ended": (lambda served: _sas(served, se="2018-06-06T11:59:59Z"), "AuthenticationFailed"),
    "not begun": (lambda served: _sas(served, st="2018-06-06T12:00:01Z"), "AuthenticationFailed"),
    "no end": (lambda served: _sas(served, se=""), "AuthenticationFailed"),
    "end is no time": (lambda served: _sas(served, se="tomorrow"), "AuthenticationFailed"),
    "no version": (lambda served: _sas(served, sv=""), "AuthenticationFailed"),
    "a blob's": (lambda served: _sas(served, sr="b"), "AuthenticationFailed"),
    "https only": (lambda served: _sas(served, spr="https"), "AuthorizationProtocolMismatch"),
    "elsewhere": (lambda served: _sas(served, sip="10.0.0.1-10.0.0.3"), "AuthorizationSourceIPMismatch"),
    "write only": (lambda served: _sas(served, sp="w"), "AuthorizationPermissionMismatch"),
    "blobs only": (lambda _: _account_sas(ss="b"), "AuthorizationServiceMismatch"),
    "shares only": (lambda _: _account_sas(srt="c"), "AuthorizationResourceTypeMismatch"),
    "lists only": (lambda _: _account_sas(sp="l"), "AuthorizationPermissionMismatch"),
    "signature is no base64": (lambda served: {**_sas(served), "sig": "ä%"}, "AuthenticationFailed"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_SAS)
def test_a_wrong_sas_is_refused(served: Served, case: str) -> None:
    make, code = WRONG_SAS[case]
    answer = served.ask("GET", FILE, make(served), signed=False)
    assert (answer.status, answer.code) == (403, code)


def test_a_file_signature_opens_nothing_else(served: Served) -> None:
    before = served.state()
    query = _sas(served, sp="rcwdl")
    for method, path, more in (
        ("GET", "/data/out", {"restype": "directory", "comp": "list"}),
        ("GET", "/data", {"restype": "share"}),
        ("DELETE", "/data", {"restype": "share"}),
        ("GET", "/", {"comp": "list"}),
        ("PUT", "/data/out/new.txt", {}),
    ):
        assert served.ask(method, path, {**query, **more}, {"x-ms-type": "file"}, signed=False).status == 403
    assert served.state() == before


def test_permission_to_create_does_not_replace(served: Served) -> None:
    query = _sas(served, sp="c")
    sent = {"x-ms-type": "file", "x-ms-content-length": "1"}
    answer = served.ask("PUT", FILE, query, sent, signed=False)
    assert (answer.status, answer.code) == (403, "AuthorizationPermissionMismatch")
    assert (served.folder("data") / "out" / "log.txt").read_text() == "0123456789"
    query = _sas(served, sp="c", resource="/data/new")
    assert served.ask("PUT", "/data/new", query, sent, signed=False).status == 201


def test_a_request_without_signature_is_refused(served: Served) -> None:
    answer = served.ask("GET", FILE, signed=False)
    assert (answer.status, answer.code) == (401, "NoAuthenticationInformation")


@pytest.mark.parametrize("minutes", [-15, 15])
def test_a_date_within_fifteen_minutes_is_taken(served: Served, minutes: int) -> None:
    date = f"{NOW + timedelta(minutes=minutes):%a, %d %b %Y %H:%M:%S} GMT"
    assert served.ask("GET", FILE, headers={"x-ms-date": date}).status == 200


@pytest.mark.parametrize(
    "date",
    [
        "Wed, 06 Jun 2018 11:44:59 GMT",
        "Wed, 06 Jun 2018 12:15:01 GMT",
        "2018-06-06T12:00:00Z",
        "Wed, 06 Jun 2018 12:00:00 CET",
        "yesterday",
        "",
    ],
)
def test_a_wrong_date_is_refused(served: Served, date: str) -> None:
    answer = served.ask("GET", FILE, headers={"x-ms-date": date})
    assert (answer.status, answer.code) == (403, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer abc", 401),
        ("SharedKey", 400),
        (f"SharedKey {ACCOUNT}", 400),
        (f"SharedKey {ACCOUNT}:???", 400),
        (f"SharedKey {ACCOUNT}:", 403),
        (f"SharedKey other:{KEY}", 403),
        (f"SharedKey {ACCOUNT}:{KEY}", 403),
    ],
)
def test_a_wrong_authorization_header_is_refused(served: Served, header: str, status: int) -> None:
    sent = served.sign("GET", FILE, {}, {}) | {"authorization": header}
    answer = served.ask("GET", FILE, headers=sent, signed=False)
    assert answer.status == status
    assert answer.code == ("AuthenticationFailed" if status == 403 else "InvalidAuthenticationInfo")


def test_what_is_signed_cannot_be_changed(served: Served) -> None:
    sent = served.sign("GET", FILE, {}, {"x-ms-range": "bytes=0-1", "content-length": "0"})
    assert served.ask("GET", FILE, headers=sent, signed=False).body == b"01"
    for changed in ({"x-ms-range": "bytes=0-2"}, {"x-ms-added": "1"}, {"content-type": "text/x"}):
        assert served.ask("GET", FILE, headers=sent | changed, signed=False).status == 403
    assert served.ask("GET", FILE, {"timeout": "5"}, sent, signed=False).status == 403
    assert served.ask("HEAD", FILE, headers=sent, signed=False).status == 403
    assert served.ask("GET", "/data/out/other", headers=sent, signed=False).status == 403


def test_shared_key_lite_reads(served: Served) -> None:
    sent = served.sign("GET", FILE, {}, {})
    text = lite_string_to_sign(ACCOUNT, "GET", f"/{ACCOUNT}{FILE}", {}, sent)
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
    sent["authorization"] = f"SharedKeyLite {ACCOUNT}:{signature}"
    assert served.ask("GET", FILE, headers=sent, signed=False).status == 200


@pytest.mark.parametrize("version", ["", "today", "2019-02", "2019-02-30"])
def test_a_version_that_is_none_is_refused(served: Served, version: str) -> None:
    answer = served.ask("GET", FILE, headers={"x-ms-version": version})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")


def test_a_version_of_the_future_is_served_like_the_newest_known(served: Served) -> None:
    answer = served.ask("GET", FILE, headers={"x-ms-version": "2031-10-06", "x-ms-client-request-id": "me"})
    assert answer.status == 200
    assert (answer.headers["x-ms-version"], answer.headers["x-ms-client-request-id"]) == ("2026-10-06", "me")
    assert "2031-10-06" in answer.headers["warning"]
    known = served.ask("GET", FILE, headers={"x-ms-version": "2026-10-06"})
    assert (known.headers["x-ms-version"], "warning" in known.headers) == ("2026-10-06", False)
    old = served.ask("GET", FILE, headers={"x-ms-version": "2017-04-17", "x-ms-client-request-id": "me"})
    assert "x-ms-client-request-id" not in old.headers
    assert "x-ms-file-attributes" not in old.headers
    assert (
        served.ask("GET", FILE, headers={"x-ms-version": VERSION}).headers["x-ms-file-attributes"]
        == "Archive"
    )


def test_every_request_has_a_random_id_of_its_own(served: Served) -> None:
    told = [served.ask("GET", FILE).headers["x-ms-request-id"] for _ in range(3)]
    assert len(set(told)) == len(told)
    assert [(str(UUID(text)), UUID(text).version, UUID(text).variant) for text in told] == [
        (text, 4, RFC_4122) for text in told
    ]
