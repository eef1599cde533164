"""Whatever the service answers, the caller hears an error of ours that says who can mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from batchai_scenario.backends.base import ClusterSpec
from batchai_scenario.backends.errors import (
    BackendError,
    InvalidSpec,
    MachineError,
    NotFound,
    NotSupported,
    ScenarioError,
    Unreachable,
    UserError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.azure.backend import AzureBackend
    from batchai_scenario.backends.base import Place

    Scripted = Callable[[Callable[[requests.PreparedRequest], Any]], tuple[AzureBackend, Any]]


def refusal(code: str, message: str = "The service says no", **more: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


@pytest.mark.parametrize(
    ("answer", "kind", "transient"),
    [
        ((400, "InvalidPropertyValue"), InvalidSpec, None),
        ((400, "PropertyNotSupported"), NotSupported, None),
        ((400, "EngineUnavailable"), MachineError, None),
        ((401, "AuthenticationFailed"), BackendError, False),
        ((403, "AuthorizationFailed"), BackendError, False),
        ((404, "ClusterNotFound"), NotFound, False),
        ((404, "InvalidResourceType"), BackendError, False),
        ((409, "Conflict"), InvalidSpec, None),
        ((429, "TooManyRequests"), BackendError, True),
        ((500, "InternalServerError"), BackendError, True),
        ((504, "GatewayTimeout"), BackendError, True),
    ],
)
def test_management_answers(
    answer: tuple[int, str],
    kind: type[ScenarioError],
    transient: bool | None,
    scripted: Scripted,
    place: Place,
) -> None:
    status, code = answer
    backend, _ = scripted(lambda _: (status, {}, refusal(code, target="properties.vmSize")))
    with pytest.raises(ScenarioError) as raised:
        backend.get_cluster(place, "nodes")
    assert type(raised.value) is kind
    assert "The service says no" in str(raised.value)
    if isinstance(raised.value, BackendError):
        assert (raised.value.code, raised.value.status, raised.value.transient) == (code, status, transient)
    elif isinstance(raised.value, UserError):
        assert raised.value.field == "properties.vmSize"


def test_a_refused_sign_in_has_a_hint_and_a_retired_provider_says_so(
    scripted: Scripted, place: Place
) -> None:
    backend, _ = scripted(lambda _: (403, {}, refusal("AuthorizationFailed")))
    with pytest.raises(BackendError, match="AZURE_CLIENT_SECRET"):
        backend.get_cluster(place, "nodes")
    backend, _ = scripted(lambda _: (400, {}, refusal("NoRegisteredProviderFound")))
    with pytest.raises(BackendError, match="retired Batch AI in 2019"):
        backend.get_cluster(place, "nodes")
    said = "No provider found for location 'mars'. The supported locations are 'eastus'."
    backend, _ = scripted(lambda _: (400, {}, refusal("NoRegisteredProviderFound", said)))
    with pytest.raises(InvalidSpec) as refused:
        backend.ensure_place(place)
    assert refused.value.field == "location"


@pytest.mark.parametrize("body", [b"", b"<html>down for repair</html>", b'{"error": {}}', b"[]"])
def test_answers_that_are_none_are_errors_too(body: bytes, scripted: Scripted, place: Place) -> None:
    backend, _ = scripted(lambda _: (502, {"Content-Type": "text/html"}, body))
    with pytest.raises(BackendError) as raised:
        backend.get_cluster(place, "nodes")
    assert (raised.value.status, raised.value.transient) == (502, True)


def test_nobody_answers(scripted: Scripted, place: Place) -> None:
    def broken(_: requests.PreparedRequest) -> Any:
        raise requests.ConnectionError("https://secret.example/?sig=abc refused")

    backend, script = scripted(broken)
    for call in (
        lambda: backend.get_cluster(place, "nodes"),
        lambda: backend.list_share("share"),
        lambda: backend.ensure_share("share"),
    ):
        with pytest.raises(Unreachable) as raised:
            call()
        assert raised.value.transient
        assert "sig=" not in str(raised.value)
    assert len(script.sent) == 9  # each was tried again twice


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AuthenticationFailed", BackendError),
        (404, "ShareNotFound", NotFound),
        (503, "ServerBusy", BackendError),
    ],
)
def test_file_answers(status: int, code: str, kind: type[ScenarioError], scripted: Scripted) -> None:
    said = "<Message>Said so.\nRequestId:1</Message>"
    xml = f"\ufeff<?xml version='1.0'?><Error><Code>{code}</Code>{said}</Error>"
    backend, _ = scripted(lambda _: (status, {"x-ms-error-code": code}, xml.encode()))
    with pytest.raises(kind) as raised:
        backend.list_share("share")
    assert isinstance(raised.value, BackendError)
    assert (raised.value.code, raised.value.status) == (code, status)
    assert "Said so." in str(raised.value)
    assert "RequestId" not in str(raised.value)


SHARE = {
    "accountName": "a",
    "azureFileUrl": "$STORAGE_URL/share",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "afs",
}


def test_secrets_stay_out_of_errors(scripted: Scripted, place: Place, environment: dict[str, str]) -> None:
    backend, script = scripted(
        lambda request: (404 if request.method == "GET" else 400, {}, refusal("Invalid", "no such size"))
    )
    properties = {
        "vmSize": "STANDARD_NC6",
        "userAccountSettings": {"adminUserName": "a", "adminUserPassword": "hunter2-password"},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [SHARE]}},
    }
    spec = ClusterSpec(place, "nodes", properties)
    with pytest.raises(InvalidSpec) as raised:
        backend.create_cluster(spec)
    key = environment["AZURE_STORAGE_KEY"]
    volumes = json.loads(script.sent[-1].body)["properties"]["nodeSetup"]["mountVolumes"]
    assert volumes["azureFileShares"][0]["credentials"] == {"accountKey": key}
    for shown in (str(raised.value), repr(raised.value), repr(spec), repr(backend), repr(backend.details())):
        assert "hunter2" not in shown
        assert key not in shown
