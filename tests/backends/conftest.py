"""What the tests of backends share: settings, and an adapter that answers instead of a network."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.credentials import AccessToken
from requests.adapters import BaseAdapter

from batchai_scenario.backends.azure.backend import AzureBackend
from batchai_scenario.backends.azure.clients import Retries
from batchai_scenario.backends.base import BackendOptions, Place
from batchai_scenario.backends.settings import AzureSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENVIRONMENT = {
    "AZURE_TENANT_ID": "tenant",
    "AZURE_CLIENT_ID": "client",
    "AZURE_CLIENT_SECRET": "hunter2-client-secret",
    "AZURE_SUBSCRIPTION_ID": "subscription",
    "AZURE_STORAGE_ACCOUNT": "account",
    "AZURE_STORAGE_KEY": "aHVudGVyMi1zdG9yYWdlLWtleQ==",
}


@dataclass
class Script(BaseAdapter):  # type: ignore[misc, unused-ignore]
    """Answers requests by a function of (method, URL, headers, body); keeps what it was sent."""

    answer: Callable[[requests.PreparedRequest], tuple[int, dict[str, str], Any]]
    sent: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.sent.append(request)
        status, headers, body = self.answer(request)
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not isinstance(body, bytes):
            response.headers["Content-Type"] = "application/json"
        response.raw = io.BytesIO(content)
        response.url = str(request.url)
        response.request = request
        response.reason = ""
        return response

    def close(self) -> None:
        pass


class Token:
    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("a-token", 4_000_000_000)


@pytest.fixture
def environment() -> dict[str, str]:
    """Everything that the backend ``azure`` needs."""
    return dict(ENVIRONMENT)


@pytest.fixture
def place() -> Place:
    return Place("group", "eastus", "workspace", "experiment")


@pytest.fixture
def options(tmp_path: Path) -> BackendOptions:
    return BackendOptions(tmp_path, {}, ENVIRONMENT)


@pytest.fixture
def settings(options: BackendOptions) -> AzureSettings:
    return AzureSettings.read(options)


@pytest.fixture
def scripted(settings: AzureSettings) -> Callable[..., tuple[AzureBackend, Script]]:
    """Make a backend whose requests are answered by a function."""

    def make(answer: Callable[[requests.PreparedRequest], Any]) -> tuple[AzureBackend, Script]:
        script = Script(answer)
        backend = AzureBackend(
            settings,
            adapter=script,
            credential=Token(),
            retries=Retries(2, 0.0),
            pause=lambda _: None,
            connections=1,
        )
        return backend, script

    return make
