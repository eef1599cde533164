"""Settings are complete or refused: every missing one is named, and no secret shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.azure import open_backend
from batchai_scenario.backends.errors import MissingSettings, UserError
from batchai_scenario.backends.settings import AzureSettings

if TYPE_CHECKING:
    from batchai_scenario.backends.base import BackendOptions


def test_every_missing_setting_is_named_with_its_variable(
    options: BackendOptions, environment: dict[str, str]
) -> None:
    nothing = replace(options, environment={})
    with pytest.raises(MissingSettings) as missing:
        open_backend(nothing)
    error = missing.value
    assert error.exit_code == 3
    assert [variable for _, variable in error.missing] == list(environment)
    assert all(variable in str(error) for variable in environment)
    assert "retired Batch AI in 2019" in str(error)


def test_an_empty_variable_is_missing(options: BackendOptions, environment: dict[str, str]) -> None:
    some = replace(options, environment={**environment, "AZURE_CLIENT_SECRET": "", "AZURE_TENANT_ID": ""})
    with pytest.raises(MissingSettings) as missing:
        AzureSettings.read(some)
    assert [name for name, _ in missing.value.missing] == ["tenant_id", "client_secret"]


def test_the_public_cloud_is_the_default(settings: AzureSettings) -> None:
    assert settings.authority == "https://login.microsoftonline.com"
    assert settings.resource_manager == "https://management.azure.com"
    assert settings.storage_url == "https://account.file.core.windows.net"
    assert not settings.on_loopback


def test_options_come_before_the_environment(options: BackendOptions) -> None:
    given = {"storage_suffix": "core.chinacloudapi.cn", "subscription_id": "other", "poll_seconds": "0.5"}
    found = AzureSettings.read(replace(options, values=given))
    assert found.storage_url == "https://account.file.core.chinacloudapi.cn"
    assert (found.subscription_id, found.poll_seconds) == ("other", 0.5)


@pytest.mark.parametrize(
    ("field", "values", "changed"),
    [
        ("client_secret", {"client_secret": "x"}, {}),
        ("storage_key", {"storage_key": "x"}, {}),
        ("poll_seconds", {"poll_seconds": "soon"}, {}),
        ("poll_seconds", {"poll_seconds": "-1"}, {}),
        ("resource_manager", {"resource_manager": "http://management.example"}, {}),
        ("storage_url", {"storage_url": "ftp://127.0.0.1"}, {}),
        ("AZURE_STORAGE_KEY", {}, {"AZURE_STORAGE_KEY": "not base64!"}),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(
    field: str,
    values: dict[str, str],
    changed: dict[str, str],
    options: BackendOptions,
    environment: dict[str, str],
) -> None:
    wrong = replace(options, values=values, environment={**environment, **changed})
    with pytest.raises(UserError) as refused:
        AzureSettings.read(wrong)
    assert refused.value.field == field
    assert "not base64!" not in str(refused.value)


def test_no_secret_shows_in_a_repr(settings: AzureSettings, environment: dict[str, str]) -> None:
    shown = repr(settings) + repr(open_backend) + str(settings)
    assert environment["AZURE_CLIENT_SECRET"] not in shown
    assert environment["AZURE_STORAGE_KEY"] not in shown
