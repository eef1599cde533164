"""The token endpoint and the tokens that it issues."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jwt
import pytest

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.identity.service import IdentityService
from batchai_scenario.emulator.identity.tokens import Tokens

if TYPE_CHECKING:
    from batchai_scenario.emulator.identity.service import TokenAnswer
    from batchai_scenario.emulator.state.clock import ManualClock

BASE = "http://127.0.0.1:8888"
MANAGEMENT = "https://management.core.windows.net/"
GOOD = {
    "grant_type": "client_credentials",
    "client_id": development.CLIENT,
    "client_secret": development.SECRET,
    "resource": MANAGEMENT,
}


@pytest.fixture
def tokens(clock: ManualClock) -> Tokens:
    return Tokens(b"a key", clock)


@pytest.fixture
def identity(tokens: Tokens, clock: ManualClock) -> IdentityService:
    known = {development.CLIENT: (development.SECRET,)}
    return IdentityService(tokens, clock, lambda client: known.get(client, ()))


def post(
    identity: IdentityService,
    form: dict[str, str],
    rest: str = "oauth2/token",
    tenant: str = development.TENANT,
    **headers: str,
) -> TokenAnswer:
    return identity.handle(
        "POST", tenant, rest, headers=headers, body=urlencode(form).encode(), base_url=BASE
    )


def test_v1_with_the_secret_in_the_body(identity: IdentityService, tokens: Tokens) -> None:
    answer = post(identity, GOOD)
    assert answer.status == 200
    body = answer.body
    assert body["token_type"] == "Bearer"
    assert body["resource"] == MANAGEMENT
    assert int(body["expires_on"]) - int(body["not_before"]) == int(body["expires_in"]) == 3600
    tokens.check(f"Bearer {body['access_token']}", BASE)


def test_v1_with_basic_authentication_and_tenant_common(identity: IdentityService, tokens: Tokens) -> None:
    basic = base64.b64encode(f"{development.CLIENT}:{development.SECRET}".encode()).decode()
    form = {"grant_type": "client_credentials", "resource": MANAGEMENT, "response_type": "client_credentials"}
    answer = post(identity, form, tenant="common", authorization=f"Basic {basic}")
    assert answer.status == 200
    tokens.check(f"Bearer {answer.body['access_token']}", BASE)


def test_a_token_is_given_by_get_as_well_for_rubys_clients_send_their_form_so(
    identity: IdentityService, tokens: Tokens
) -> None:
    def ask(method: str, **change: str) -> TokenAnswer:
        form = urlencode({**GOOD, **change}).encode()
        return identity.handle(
            method, development.TENANT, "oauth2/token", headers={}, body=form, base_url=BASE
        )

    assert identity.owns("GET", development.TENANT, "oauth2/token")
    tokens.check(f"Bearer {ask('GET').body['access_token']}", BASE)
    assert [ask("GET", client_secret="wrong").status, ask("PUT").status] == [401, 405]


def test_v2_takes_the_audience_from_the_scope(identity: IdentityService, tokens: Tokens) -> None:
    form = {**GOOD, "scope": "https://management.azure.com/.default"}
    answer = post(identity, form, "oauth2/v2.0/token")
    assert answer.body["expires_in"] == 3600
    claims = jwt.decode(answer.body["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.azure.com"
    assert claims["tid"] == development.TENANT
    tokens.check(f"Bearer {answer.body['access_token']}", BASE)


@pytest.mark.parametrize(
    ("change", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_who_is_not_known_is_refused_as_azure_ad_does(
    identity: IdentityService, change: dict[str, str], status: int, error: str, number: int
) -> None:
    answer = post(identity, {**GOOD, **change})
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.body["error_codes"] == [number]
    assert answer.body["error_description"].startswith(f"AADSTS{number}: ")
    assert "wrong" not in answer.body["error_description"]


def test_any_tenant_is_served_and_stands_in_the_token(identity: IdentityService) -> None:
    own = "00000000-0000-0000-0000-00000000000A"
    token = post(identity, GOOD, tenant=own).body["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["tid"] == own.lower()
    token = post(identity, GOOD, tenant="contoso.onmicrosoft.com").body["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["tid"] == development.TENANT


def test_clients_that_were_given_are_known_beside_the_development_client(
    tokens: Tokens, clock: ManualClock
) -> None:
    known = {"my-client": ("its secret",), development.CLIENT: ("another", development.SECRET)}
    identity = IdentityService(tokens, clock, lambda client: known.get(client, ()))
    assert post(identity, {**GOOD, "client_id": "My-Client", "client_secret": "its secret"}).status == 200
    assert post(identity, {**GOOD, "client_id": "my-client"}).status == 401
    assert post(identity, GOOD).status == 200


def test_wrong_scopes_are_refused(identity: IdentityService) -> None:
    scope = post(identity, {**GOOD, "scope": "openid"}, "oauth2/v2.0/token")
    assert scope.body["error_codes"] == [1002012]


def test_discovery_leads_to_the_token_endpoint(identity: IdentityService) -> None:
    rest = "v2.0/.well-known/openid-configuration"
    assert identity.owns("GET", development.TENANT, rest)
    answer = identity.handle("GET", development.TENANT, rest, headers={}, body=b"", base_url=BASE)
    assert answer.body["token_endpoint"] == f"{BASE}/{development.TENANT}/oauth2/v2.0/token"


def test_shares_with_odd_names_are_not_taken_for_tenants(identity: IdentityService) -> None:
    assert not identity.owns("PUT", "myaccount", "oauth2/token")
    assert not identity.owns("POST", "myaccount", "oauth2/token")
    assert identity.owns("POST", "common", "oauth2/token")


def issue(tokens: Tokens, **change: Any) -> str:
    values = {"tenant": "t", "client": "c", "audience": MANAGEMENT, "base_url": BASE, **change}
    return tokens.issue(**values).text


def test_tokens_that_are_not_good_are_refused_with_the_reason(tokens: Tokens, clock: ManualClock) -> None:
    good = issue(tokens)
    other = issue(Tokens(b"another key", clock))
    storage = issue(tokens, audience="https://storage.azure.com/")
    cases = {
        "": "AuthenticationFailed",
        "Basic abc": "AuthenticationFailedInvalidHeader",
        "Bearer": "AuthenticationFailedInvalidHeader",
        "Bearer not.a.token": "InvalidAuthenticationToken",
        f"Bearer {other}": "InvalidAuthenticationToken",
        f"Bearer {good[:-4]}": "InvalidAuthenticationToken",
        f"Bearer {storage}": "InvalidAuthenticationTokenAudience",
    }
    for header, code in cases.items():
        with pytest.raises(ServiceError) as caught:
            tokens.check(header, BASE)
        assert (caught.value.status, caught.value.code) == (401, code)
        assert caught.value.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
    tokens.check(f"Bearer {good}", BASE)
    clock.advance(hours=1)
    with pytest.raises(ServiceError) as caught:
        tokens.check(f"Bearer {good}", BASE)
    assert caught.value.code == "ExpiredAuthenticationToken"
    assert "'6/6/2018 1:00:00 PM'" in caught.value.message


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b", "a.b.c.d", "é.é.é", "=.=.=", "e30.e30.", "\ud800.a.b"]
)
def test_what_is_no_token_is_refused(tokens: Tokens, text: str) -> None:
    with pytest.raises(ServiceError, match="InvalidAuthenticationToken"):
        tokens.check(f"Bearer x{text}", BASE)


def test_an_unsigned_token_is_refused(tokens: Tokens) -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    claims = base64.urlsafe_b64encode(b'{"aud":"https://management.azure.com","exp":9999999999}').decode()
    with pytest.raises(ServiceError, match="InvalidAuthenticationToken"):
        tokens.check(f"Bearer {header}.{claims.rstrip('=')}.", BASE)


def test_development_account_key_is_64_bytes() -> None:
    assert len(base64.b64decode(development.ACCOUNT_KEY, validate=True)) == 64
