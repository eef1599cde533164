"""Cross-origin requests of browsers, and the other properties of the file service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.storage.serving import ACCOUNT, Serving, assemble

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.serving import Served

SERVICE = {"restype": "service", "comp": "properties"}
PAGE, OTHER = "https://page.example", "https://other.example"
FIELDS = ("AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposedHeaders", "MaxAgeInSeconds")
ALLOWED = ("Origin", "Methods", "Headers")
METRICS = "<Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>true</IncludeAPIs>"
SMB = (
    "<Multichannel><Enabled>true</Enabled></Multichannel>"
    "<EncryptionInTransit><Required>true</Required></EncryptionInTransit>"
)
DAYS = "<Days>7</Days>"
RETENTION = f"<RetentionPolicy><Enabled>true</Enabled>{DAYS}</RetentionPolicy>"


def _rule(*values: str) -> str:
    rows = zip(FIELDS, values, strict=False)
    inner = "".join(f"<{tag}>{text}</{tag}>" if text else f"<{tag} />" for tag, text in rows)
    return f"<CorsRule>{inner}</CorsRule>"


def _set(served: Served, inner: str) -> tuple[int, str]:
    body = f"<StorageServiceProperties>{inner}</StorageServiceProperties>".encode()
    answer = served.ask("PUT", "/", SERVICE, body=body)
    return answer.status, answer.code


@pytest.fixture
def ruled(served: Served) -> Served:
    """A service with two rules: one page may do much, all others may read."""
    origins = f"{PAGE},https://*.sub.example"
    mine = _rule(origins, "GET,PUT", "x-ms-meta-a*,x-ms-version", "x-ms-request-id,etag", "60")
    everybody = _rule("*", "HEAD", "", "", "0")
    assert _set(served, f"<Cors>{mine}{everybody}</Cors>") == (202, "")
    return served


def _preflight(served: Served, origin: str, method: str, headers: str = "") -> requests.Response:
    sent = {"Origin": origin, "Access-Control-Request-Method": method}
    sent |= {"Access-Control-Request-Headers": headers} if headers else {}
    return requests.options(f"{served.url}/{ACCOUNT}/data/f", headers=sent, timeout=10)


@pytest.mark.parametrize(
    ("origin", "method", "headers", "allowed"),
    [
        (PAGE, "GET", "", True),
        (PAGE, "PUT", "X-MS-Version, x-ms-meta-abc", True),
        (PAGE, "PUT", "x-ms-date", False),
        (PAGE, "DELETE", "", False),
        (PAGE.upper(), "GET", "", False),
        (OTHER, "HEAD", "", True),
        (OTHER, "GET", "", False),
        ("https://a.sub.example", "GET", "", True),
        ("https://sub.example", "GET", "", False),
        ("http://a.sub.example", "GET", "", False),
        ("https://evil/.sub.example", "GET", "", False),
    ],
)
def test_a_browser_may_ask_what_a_rule_allows(
    ruled: Served,
    origin: str,
    method: str,
    headers: str,
    allowed: bool,
) -> None:
    answer = _preflight(ruled, origin, method, headers)
    if not allowed:
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (403, "CorsPreflightFailure")
        assert "access-control-allow-origin" not in answer.headers
        return
    assert answer.status_code == 200
    told = [answer.headers.get(f"Access-Control-Allow-{name}", "") for name in ALLOWED]
    assert told == [origin, method, headers]
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Max-Age"] == ("0" if origin == OTHER else "60")


def test_a_preflight_that_does_not_say_what_for_is_refused(ruled: Served) -> None:
    for sent in ({"Origin": PAGE}, {"Access-Control-Request-Method": "GET"}):
        answer = requests.options(f"{ruled.url}/{ACCOUNT}/data/f", headers=sent, timeout=10)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "InvalidHeaderValue")


@pytest.mark.parametrize(
    ("method", "origin", "told", "vary"),
    [
        ("GET", PAGE, PAGE, "Origin"),
        ("GET", OTHER, "", "Origin"),
        ("GET", "", "", "Origin"),
        ("HEAD", OTHER, "*", ""),
        ("HEAD", "", "*", ""),
        ("PUT", PAGE, PAGE, ""),
        ("DELETE", PAGE, "", ""),
    ],
)
def test_answers_say_who_may_read_them(ruled: Served, method: str, origin: str, told: str, vary: str) -> None:
    ruled.make("/data/f", b"content")
    query = {"comp": "metadata"} if method == "PUT" else {}
    answer = ruled.ask(method, "/data/f", query, {"origin": origin} if origin else {})
    assert answer.status < 300
    assert answer.headers.get("access-control-allow-origin", "") == told
    assert answer.headers.get("access-control-allow-credentials", "") == ("true" if told == PAGE else "")
    exposed = answer.headers.get("access-control-expose-headers", "")
    assert exposed == ("x-ms-request-id,etag" if told == PAGE else "")
    assert answer.headers.get("vary", "") == vary


def test_errors_say_so_too_and_without_rules_nothing_does(ruled: Served) -> None:
    missing = ruled.ask("GET", "/data/none", headers={"origin": PAGE})
    assert (missing.status, missing.headers["access-control-allow-origin"]) == (404, PAGE)
    assert _set(ruled, "<Cors />") == (202, "")
    missing = ruled.ask("GET", "/data/none", headers={"origin": PAGE})
    assert {"vary", "access-control-allow-origin"}.isdisjoint(missing.headers)
    assert _preflight(ruled, PAGE, "GET").status_code == 403


def test_rules_outlive_the_emulator_and_go_with_their_account(tmp_path: Path) -> None:
    rule = _rule("*", "GET", "*", "*", "1")
    with Serving(assemble(tmp_path / "home")) as served:
        assert _set(served, f"<Cors>{rule}</Cors>") == (202, "")
    with Serving(assemble(tmp_path / "home")) as served:
        assert _preflight(served, PAGE, "GET", "anything").status_code == 200
        assert rule in served.ask("GET", "/", SERVICE).body.decode()
        served.shares.delete_all(ACCOUNT)
        assert _preflight(served, PAGE, "GET").status_code == 403


@pytest.mark.parametrize(
    "kept",
    [
        f"<HourMetrics>{METRICS}{RETENTION}</HourMetrics>",
        f"<MinuteMetrics>{METRICS}{RETENTION}</MinuteMetrics>",
        f"<ProtocolSettings><SMB>{SMB}</SMB></ProtocolSettings>",
    ],
)
def test_what_has_no_effect_here_is_kept_and_told(served: Served, kept: str) -> None:
    assert _set(served, kept) == (202, "")
    for _ in range(2):
        answer = served.ask("GET", "/", SERVICE, {"x-ms-version": "2025-07-05"})
        assert kept in answer.body.decode()
        assert _set(served, "<Cors />") == (202, "")


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (f"<Cors>{_rule('*', 'GET', '', '', '1') * 6}</Cors>", "InvalidXmlDocument"),
        (f"<Cors>{_rule('*', 'GET', '', '')}</Cors>", "InvalidXmlDocument"),
        (f"<Cors>{_rule('', 'GET', '', '', '1')}</Cors>", "InvalidXmlNodeValue"),
        (f"<Cors>{_rule('*', 'GET,TRACE', '', '', '1')}</Cors>", "InvalidXmlNodeValue"),
        (f"<Cors>{_rule('*', 'GET', '', '', '-1')}</Cors>", "InvalidXmlNodeValue"),
        (f"<Cors>{_rule('*', 'GET', 'a*,b*,c*', '', '1')}</Cors>", "InvalidXmlNodeValue"),
        (f"<Cors>{_rule('*', 'GET', 'a b', '', '1')}</Cors>", "InvalidXmlNodeValue"),
        (f"<Cors>{_rule('*', 'GET', ','.join('h' * 67), '', '1')}</Cors>", "InvalidXmlNodeValue"),
        (f"<Cors>{_rule('x' * 257, 'GET', '', '', '1')}</Cors>", "InvalidXmlNodeValue"),
        ("<Cors><Rule /></Cors>", "UnsupportedXmlNode"),
        ("<HourMetrics><Enabled>true</Enabled></HourMetrics>", "InvalidXmlDocument"),
        (f"<HourMetrics>{METRICS.replace('>true', '>maybe')}</HourMetrics>", "InvalidXmlNodeValue"),
        (f"<HourMetrics>{METRICS}{RETENTION.replace('7', '366')}</HourMetrics>", "InvalidXmlNodeValue"),
        (f"<HourMetrics>{METRICS}{RETENTION.replace(DAYS, '')}</HourMetrics>", "InvalidXmlDocument"),
        (f"<HourMetrics>{METRICS}<More /></HourMetrics>", "UnsupportedXmlNode"),
        ("<ProtocolSettings><NFS /></ProtocolSettings>", "NotImplemented"),
        ("<ProtocolSettings><SMB><Versions /></SMB></ProtocolSettings>", "UnsupportedXmlNode"),
        ("<StaticWebsite />", "UnsupportedXmlNode"),
    ],
)
def test_what_is_wrong_with_the_properties_changes_nothing(served: Served, inner: str, code: str) -> None:
    before = served.ask("GET", "/", SERVICE).body
    assert _set(served, f"<MinuteMetrics>{METRICS}</MinuteMetrics>{inner}")[1] == code
    assert served.ask("GET", "/", SERVICE).body == before
