"""Where Azure is and who we are there: read from the environment, completely or not at all."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchai_scenario.backends.errors import MissingSettings, UserError
from batchai_scenario.backends.offers import Option, refuse_unknown

if TYPE_CHECKING:
    from batchai_scenario.backends.base import BackendOptions

RETIRED = "Azure retired Batch AI in 2019"

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that may be spoken to without TLS: nothing leaves the machine."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: its option's name, its environment variable, and its default (None: it must be given)."""

    name: str
    variable: str
    default: str | None = None
    secret: bool = False


SETTINGS = (
    Setting("tenant_id", "AZURE_TENANT_ID"),
    Setting("client_id", "AZURE_CLIENT_ID"),
    Setting("client_secret", "AZURE_CLIENT_SECRET", secret=True),
    Setting("subscription_id", "AZURE_SUBSCRIPTION_ID"),
    Setting("storage_account", "AZURE_STORAGE_ACCOUNT"),
    Setting("storage_key", "AZURE_STORAGE_KEY", secret=True),
    Setting("authority", "AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
    Setting("resource_manager", "AZURE_RESOURCE_MANAGER", "https://management.azure.com"),
    Setting("storage_suffix", "AZURE_STORAGE_SUFFIX", "core.windows.net"),
    Setting("storage_url", "AZURE_STORAGE_FILE_URL", ""),
    Setting("poll_seconds", "AZURE_POLL_SECONDS", "5"),
)
"""Every setting of the backend ``azure``. ``storage_url`` empty: made of account and suffix."""

OPTIONS = tuple(
    Option(
        setting.name,
        f"Azure's {setting.name.replace('_', ' ')}.",
        default=setting.default or "",
        secret=setting.secret,
        variable=setting.variable,
    )
    for setting in SETTINGS
)


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """What is needed to speak to Batch AI and Azure Files, wherever they are.

    ``authority``, ``resource_manager`` and ``storage_url`` are URLs without a trailing slash; the last
    is the file endpoint without a share. ``poll_seconds``: between two looks at an operation or a job.
    """

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    subscription_id: str
    storage_account: str
    storage_key: str = field(repr=False)
    authority: str
    resource_manager: str
    storage_url: str
    poll_seconds: float

    @property
    def on_loopback(self) -> bool:
        """Tell whether management requests stay on this machine, where no TLS is needed."""
        return urlsplit(self.resource_manager).hostname in LOOPBACK

    @classmethod
    def read(cls, options: BackendOptions) -> AzureSettings:
        """Read the settings from the options, then from the environment, then the defaults.

        Raises:
            MissingSettings: names every one that is missing, with its variable.
            UserError: an unknown option, a secret given as an option, or a value that cannot be.
        """
        refuse_unknown("azure", options, (setting.name for setting in SETTINGS))
        found: dict[str, str] = {}
        missing: list[tuple[str, str]] = []
        for setting in SETTINGS:
            if setting.secret and setting.name in options.values:
                raise UserError(
                    "a secret on a command line can be read by others",
                    field=setting.name,
                    hint=f"set the environment variable {setting.variable}",
                )
            given = options.values.get(setting.name) or options.environment.get(setting.variable)
            if given:
                found[setting.name] = given.strip()
            elif setting.default is None:
                missing.append((setting.name, setting.variable))
            else:
                found[setting.name] = setting.default
        if missing:
            raise _missing(missing)
        return _checked(found)


def _missing(missing: list[tuple[str, str]]) -> MissingSettings:
    listed = ", ".join(f"{name.replace('_', ' ')} ({variable})" for name, variable in missing)
    return MissingSettings(
        f"the backend 'azure' lacks settings: {listed}.",
        remedy=(
            f"Set the environment variables named in brackets. Note that {RETIRED}: without a service that "
            "still speaks its API, use --backend local."
        ),
        missing=tuple(missing),
    )


def _checked(found: dict[str, str]) -> AzureSettings:
    suffix = found.pop("storage_suffix")
    url = found["storage_url"] or f"https://{found['storage_account']}.file.{suffix}"
    seconds = _seconds(found["poll_seconds"])
    _base64(found["storage_key"])
    return AzureSettings(
        tenant_id=found["tenant_id"],
        client_id=found["client_id"],
        client_secret=found["client_secret"],
        subscription_id=found["subscription_id"],
        storage_account=found["storage_account"],
        storage_key=found["storage_key"],
        authority=_endpoint("authority", found["authority"]),
        resource_manager=_endpoint("resource_manager", found["resource_manager"]),
        storage_url=_endpoint("storage_url", url),
        poll_seconds=seconds,
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:  # noqa: PLR2004 - ten minutes
        raise UserError(f"{text!r} is not a number of seconds up to 600", field="poll_seconds")
    return seconds


def _base64(key: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except binascii.Error:
        raise UserError(
            "the storage account's key is not base64", field="AZURE_STORAGE_KEY", hint="copy it whole"
        ) from None


def _endpoint(name: str, text: str) -> str:
    """Give a URL without its trailing slash; plain HTTP only where nothing leaves the machine."""
    url = text if "://" in text else f"https://{text}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{text!r} is not an http(s) address", field=name)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise UserError(f"{text!r} would send secrets in the clear", field=name, hint="use https")
    return url.rstrip("/")
