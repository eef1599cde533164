"""The SDK clients, built on first use: the one place that knows how they are set up."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.credentials import TokenCredential
    from azure.storage.file import FileService
    from requests.adapters import BaseAdapter

    from batchai_scenario.backends.settings import AzureSettings

NOISY = ("azure", "msal", "msrest", "urllib3")
"""Libraries that log what they also raise."""

FIRST_LOOK = 0.01
"""Seconds until the first look at an operation on loopback, where most are done at once; the emulator
says itself how long to wait before the next."""

CONNECTIONS = 32
"""Connections kept for each kind of client."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and after how many seconds, a request is sent again that found nobody or a busy service."""

    tries: int = 5
    pause: float = 3.0


class Clients:
    """The three SDK clients and a plain session for links, sharing settings and retries.

    ``adapter`` carries every request instead of the network (for plans and tests); ``credential``
    likewise replaces the sign-in.
    """

    def __init__(
        self,
        settings: AzureSettings,
        retries: Retries,
        *,
        adapter: BaseAdapter | None = None,
        credential: TokenCredential | None = None,
    ) -> None:
        self.settings = settings
        self.retries = retries
        self._adapter = adapter
        self._wrap: Callable[[BaseAdapter], BaseAdapter] = lambda inner: inner
        self._credential = credential
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}
        self._sessions: list[requests.Session] = []
        _quieten()

    def _once(self, name: str, make: Any) -> Any:  # noqa: ANN401 - any of the clients
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

    @property
    def batchai(self) -> Any:  # noqa: ANN401 - its annotations do not fit what it does with bodies
        """The Batch AI client, API version 2018-05-01."""

        def make() -> Any:  # noqa: ANN401
            with without_warnings():
                from azure.mgmt.batchai import BatchAI

            return BatchAI(**self._management())

        return self._once("batchai", make)

    @property
    def resources(self) -> Any:  # noqa: ANN401 - its operations are looked up by version as it runs
        """The client for resource groups."""

        def make() -> Any:  # noqa: ANN401
            with without_warnings():
                from azure.mgmt.resource.resources import ResourceManagementClient

            return ResourceManagementClient(**self._management())

        return self._once("resources", make)

    @property
    def files(self) -> FileService:
        """The client for shares of the storage account."""
        return self._once("files", self._make_files)

    @property
    def web(self) -> requests.Session:
        """A session for links that carry their own signature."""
        session: requests.Session = self._once("web", self._session)
        return session

    def interpose(self, wrap: Callable[[BaseAdapter], BaseAdapter]) -> None:
        """Put something between the clients and the network, for sessions made from now on."""
        self._wrap = wrap

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
            self._made.clear()

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = not self.settings.on_loopback  # no proxy stands between us and ourselves
        adapter = self._wrap(self._adapter or HTTPAdapter(pool_maxsize=CONNECTIONS))
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        self._sessions.append(session)
        return session

    def _management(self) -> dict[str, Any]:
        """Give the arguments that both management clients take."""
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryMode, RetryPolicy
        from azure.core.pipeline.transport import RequestsTransport

        from batchai_scenario.backends.azure.credentials import LoopbackBearerPolicy, credential_for

        settings, retries = self.settings, self.retries
        credential = self._once(
            "credential", lambda: self._credential or credential_for(settings, self._session())
        )
        scope = f"{settings.resource_manager}/.default"
        policy = LoopbackBearerPolicy if settings.on_loopback else BearerTokenCredentialPolicy
        return {
            "credential": credential,
            "subscription_id": settings.subscription_id,
            "base_url": settings.resource_manager,
            "credential_scopes": [scope],
            "authentication_policy": policy(credential, scope),
            "polling_interval": FIRST_LOOK if settings.on_loopback else settings.poll_seconds,
            "transport": RequestsTransport(
                session=self._session(), session_owner=False, use_env_settings=not settings.on_loopback
            ),
            "retry_policy": RetryPolicy(
                retry_total=retries.tries,
                retry_connect=retries.tries,
                retry_read=retries.tries,
                retry_status=retries.tries,
                retry_backoff_factor=retries.pause,
                retry_mode=RetryMode.Fixed,
            ),
        }

    def _make_files(self) -> FileService:
        with without_warnings():
            from azure.storage.common.retry import LinearRetry
            from azure.storage.file import FileService

        settings, retries = self.settings, self.retries
        session = self._session()
        session.hooks["response"].append(_name_error)
        service = FileService(
            connection_string=(  # the only way to give it an endpoint of our own
                f"AccountName={settings.storage_account};AccountKey={settings.storage_key};"
                f"FileEndpoint={settings.storage_url}"
            ),
            request_session=session,
        )
        service.socket_timeout = (10.0, 120.0)
        # Its own first pause is a quarter of a minute.
        service.retry = LinearRetry(retries.pause, retries.tries, random_jitter_range=0).retry
        return service


def _name_error(response: requests.Response, *_: object, **__: object) -> None:
    """Name an error that has no code, as those of a proxy have none: the SDK does not cope with one."""
    if response.status_code >= requests.codes.bad_request:
        response.headers.setdefault("x-ms-error-code", f"Http{response.status_code}")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Import the published SDKs without what a newer Python says of their text.

    It says so when it compiles them, which is on the first use where the installer did not (uv, a folder that
    cannot be written), and a user's pytest may have errors made of warnings.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _quieten() -> None:
    """Keep libraries from printing what they also raise, where nobody has set up logging."""
    for name in NOISY:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
