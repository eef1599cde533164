"""Bearer tokens: who is let in, who is told where to get one, and what a bearer may sign for itself."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.fileshare import (
    FileSasPermissions,
    ShareSasPermissions,
    ShareServiceClient,
    generate_file_sas,
    generate_share_sas,
)

from batchai_scenario.emulator.identity.tokens import LIFETIME, Tokens
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.storage.bearer import secret_of_key
from tests.storage.serving import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.fileshare import UserDelegationKey

    from tests.storage.serving import Served

STORAGE = "https://storage.azure.com"
INTENT = {"x-ms-file-request-intent": "backup", "x-ms-version": "2025-07-05"}
LATER = datetime.now(timezone.utc) + timedelta(hours=1)


def _token(served: Served, audience: str = STORAGE, tokens: Tokens | None = None) -> str:
    issuer = tokens or served.tokens
    return issuer.issue(tenant="a-tenant", client="a-client", audience=audience, base_url=served.url).text


def _get(served: Served, token: str, **headers: str) -> requests.Response:
    sent = {"authorization": f"Bearer {token}", **INTENT, **headers}
    return requests.get(f"{served.url}/{ACCOUNT}/data/f", headers=sent, timeout=10)


class Credential:
    """What azure-identity is to a client."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.scopes: list[tuple[str, ...]] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.append(scopes)
        return AccessToken(_token(self._served, scopes[0].removesuffix("/.default")), 9_999_999_999)


class Plain(RequestsTransport):  # type: ignore[misc]
    """The library sends tokens over https only; there is none here."""

    def send(self, request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def _client(served: Served, credential: Credential, **options: Any) -> ShareServiceClient:
    url = f"{served.url}/{ACCOUNT}".replace("http://", "https://")
    return ShareServiceClient(
        url, credential=credential, token_intent="backup", transport=Plain(), retry_total=0, **options
    )


@pytest.fixture
def service(served: Served) -> Iterator[ShareServiceClient]:
    """The library with a token; it would want https."""
    with _client(served, Credential(served)) as client:
        yield client


@pytest.mark.parametrize(
    "audience",
    [
        STORAGE,
        f"{STORAGE}/",
        f"https://{ACCOUNT}.file.core.windows.net",
        f"https://{ACCOUNT}.file.core.chinacloudapi.cn",
    ],
)
def test_a_token_for_storage_opens_the_account(served: Served, audience: str) -> None:
    served.make("/data/f", b"content")
    assert _get(served, _token(served, audience)).content == b"content"


@pytest.mark.parametrize(
    "audience", ["https://management.azure.com/", "https://other.file.core.windows.net", "", "storage"]
)
def test_a_token_for_somebody_else_is_refused_with_a_challenge(served: Served, audience: str) -> None:
    served.make("/data/f", b"content")
    answer = _get(served, _token(served, audience))
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
    expected = f"Bearer authorization_uri={served.url}/a-tenant/oauth2/authorize resource_id={STORAGE}"
    assert answer.headers["www-authenticate"] == expected
    assert "Audience validation failed" in answer.text


def test_a_token_that_is_not_ours_or_no_longer_good_is_refused(served: Served) -> None:
    old = Tokens(b"a key", ManualClock(served.clock.now() - LIFETIME - timedelta(seconds=1)))
    other = Tokens(b"another key", served.clock)
    for token in (_token(served, tokens=old), _token(served, tokens=other), "nonsense", "a.b.c"):
        answer = _get(served, token)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
        assert f"resource_id={STORAGE}" in answer.headers["www-authenticate"]


def test_without_any_authorization_the_challenge_is_told(served: Served) -> None:
    answer = served.ask("GET", "/data/f", signed=False)
    assert (answer.status, answer.code) == (401, "NoAuthenticationInformation")
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=http://127.0.0.1:")


@pytest.mark.parametrize(
    ("intent", "code"), [("", "MissingRequiredHeader"), ("restore", "InvalidHeaderValue")]
)
def test_files_wants_to_know_what_for(served: Served, intent: str, code: str) -> None:
    answer = _get(served, _token(served), **{"x-ms-file-request-intent": intent})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)


def test_the_library_works_with_a_token(service: ShareServiceClient) -> None:
    share = service.get_share_client("data")
    file = share.get_file_client("f")
    file.create_file(3, data=b"abc")
    assert file.get_file_properties().size == 3
    assert [item.name for item in service.list_shares()] == ["data"]


def test_a_source_is_opened_by_a_token_of_its_own(served: Served) -> None:
    served.make("/data/f", b"0123456789")
    sent = {
        "x-ms-copy-source": f"{served.url}/{ACCOUNT}/data/f",
        "x-ms-range": "bytes=0-1",
        "x-ms-source-range": "bytes=8-9",
    }
    for token in ("Bearer nonsense", "Basic x", f"Bearer {_token(served, 'https://other')}"):
        refused = served.ask(
            "PUT", "/data/f", {"comp": "range"}, {**sent, "x-ms-copy-source-authorization": token}
        )
        assert (refused.status, refused.code) == (401, "CannotVerifyCopySource")
        assert refused.headers["x-ms-copy-source-error-code"] == "InvalidAuthenticationInfo"
    sent["x-ms-copy-source-authorization"] = f"Bearer {_token(served)}"
    assert served.ask("PUT", "/data/f", {"comp": "range"}, sent).status == 201
    assert served.ask("GET", "/data/f").body == b"8923456789"


@pytest.fixture
def key(service: ShareServiceClient) -> UserDelegationKey:
    now = datetime.now(timezone.utc)
    return service.get_user_delegation_key(start=now - timedelta(minutes=1), expiry=LATER)


def test_a_delegated_key_signs_for_files_and_shares(served: Served, key: UserDelegationKey) -> None:
    served.make("/data/f", b"content")
    url = f"{served.url}/{ACCOUNT}/data/f"
    permission = FileSasPermissions(read=True)
    file = generate_file_sas(
        ACCOUNT, "data", ["f"], user_delegation_key=key, permission=permission, expiry=LATER
    )
    share = generate_share_sas(
        ACCOUNT, "data", user_delegation_key=key, permission=ShareSasPermissions(read=True), expiry=LATER
    )
    for token in (file, share):
        assert requests.get(f"{url}?{token}", timeout=10).text == "content"
        assert requests.delete(f"{url}?{token}", timeout=10).status_code == 403
        for spoilt in (
            token.replace("sp=r", "sp=d"),
            token.replace("skoid=a-client", "skoid=b-client"),
            token.replace("sks=f", "sks=b"),
            token.replace(f"ske={LATER:%Y}", f"ske={LATER.year + 1}"),
        ):
            assert spoilt != token
            assert requests.get(f"{url}?{spoilt}", timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"skt": "2019-01-01T00:00:00Z", "ske": "2019-01-02T00:00:00Z"}, "AuthenticationFailed"),
        ({"skt": "2219-01-01T00:00:00Z", "ske": "2219-01-02T00:00:00Z"}, "AuthenticationFailed"),
        ({"sks": "b"}, "AuthorizationServiceMismatch"),
        ({}, ""),
    ],
)
def test_a_key_that_is_over_or_for_another_service_opens_nothing(
    served: Served, key: UserDelegationKey, change: dict[str, str], code: str
) -> None:
    """The signature itself is right: it is the key whose time or service is not."""
    served.make("/data/f", b"content")
    named = {
        "skoid": "signed_oid",
        "sktid": "signed_tid",
        "skt": "signed_start",
        "ske": "signed_expiry",
        "sks": "signed_service",
        "skv": "signed_version",
    }
    fields = {name: getattr(key, attribute) for name, attribute in named.items()} | change
    for name, attribute in named.items():
        setattr(key, attribute, fields[name])
    key.value = base64.b64encode(secret_of_key(served.tokens, ACCOUNT, fields)).decode()
    token = generate_file_sas(ACCOUNT, "data", ["f"], user_delegation_key=key, permission="r", expiry=LATER)
    answer = requests.get(f"{served.url}/{ACCOUNT}/data/f?{token}", timeout=10)
    assert answer.headers.get("x-ms-error-code", "") == code, answer.text
    assert "Signature did not match" not in answer.text


@pytest.mark.parametrize("name", ["signed_expiry", "signed_start", "signed_oid", "signed_tid"])
def test_a_key_signs_for_what_it_was_given_for_alone(
    served: Served, key: UserDelegationKey, name: str
) -> None:
    served.make("/data/f", b"content")
    times = {"signed_expiry": "2037-01-01T00:00:00Z", "signed_start": "2001-01-01T00:00:00Z"}
    setattr(key, name, times.get(name, "00000000-0000-0000-0000-00000000000f"))
    permission = FileSasPermissions(read=True)
    token = generate_file_sas(
        ACCOUNT, "data", ["f"], user_delegation_key=key, permission=permission, expiry=LATER
    )
    assert requests.get(f"{served.url}/{ACCOUNT}/data/f?{token}", timeout=10).status_code == 403


def test_a_signature_for_one_user_needs_that_users_token(served: Served, key: UserDelegationKey) -> None:
    served.make("/data/f", b"content")
    for user, status in (("a-client", 200), ("somebody", 403)):
        token = generate_file_sas(
            ACCOUNT, "data", ["f"], user_delegation_key=key, permission="r", expiry=LATER,
            user_delegation_oid=user,
        )  # fmt: skip
        url = f"{served.url}/{ACCOUNT}/data/f?{token}"
        assert requests.get(url, timeout=10).status_code == 403
        sent = {"authorization": f"Bearer {_token(served)}"}
        assert requests.get(url, headers=sent, timeout=10).status_code == status


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (b"", "InvalidXmlDocument"),
        (b"<KeyInfo></KeyInfo>", "InvalidXmlNodeValue"),
        (b"<KeyInfo><Expiry>soon</Expiry></KeyInfo>", "InvalidXmlNodeValue"),
        (b"<KeyInfo><Expiry>2019-01-01T00:00:00Z</Expiry></KeyInfo>", "InvalidXmlNodeValue"),
        (b"<KeyInfo><Expiry>2219-01-01T00:00:00Z</Expiry></KeyInfo>", "InvalidXmlNodeValue"),
    ],
)
def test_a_key_is_good_for_seven_days_at_most(served: Served, info: bytes, code: str) -> None:
    url = f"{served.url}/{ACCOUNT}/?restype=service&comp=userdelegationkey"
    sent = {"authorization": f"Bearer {_token(served)}", **INTENT}
    answer = requests.post(url, data=info, headers=sent, timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)


def test_only_a_token_gets_a_key(served: Served) -> None:
    query = {"restype": "service", "comp": "userdelegationkey"}
    body = f"<KeyInfo><Expiry>{LATER:%Y-%m-%dT%H:%M:%SZ}</Expiry></KeyInfo>".encode()
    answer = served.ask("POST", "/", query, body=body)
    assert (answer.status, answer.code) == (403, "AuthenticationFailed")


def test_the_librarys_challenge_leads_to_a_token(served: Served) -> None:
    """A client that asked for the wrong audience follows the challenge."""
    credential = Credential(served)
    with _client(served, credential, audience="https://wrong.example.org") as client:
        try:
            assert [item.name for item in client.list_shares()] == ["data"]
        except ClientAuthenticationError as refused:
            pytest.fail(str(refused))
    assert credential.scopes[-1] == (f"{STORAGE}/.default",)
