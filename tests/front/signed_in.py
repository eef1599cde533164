"""A client that is signed in and knows paths only: what a script of any language sends."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import requests

from batchai_scenario.emulator.credentials import Credentials
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENT, SECRET = "9e107d9d-0000-4000-8000-000000000001", "secret of the tests"


class SignedIn:
    """Sends requests with a token; ``version`` is the api-version unless a request says another one."""

    def __init__(self, url: str, version: str, client: str = CLIENT, secret: str = SECRET) -> None:
        self.url, self.version = url, version
        self.session = requests.Session()
        self.session.trust_env = False
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": secret,
            "resource": "https://management.azure.com/",
        }
        token = self.session.post(f"{url}/common/oauth2/token", data=form, timeout=20).json()
        self.session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def ask(
        self, method: str, path: str, body: Any = None, version: str = "", **query: str
    ) -> requests.Response:
        asked = {"api-version": version or self.version, **query}
        return self.session.request(method, self.url + path, params=asked, json=body, timeout=20)

    def body(self, method: str, path: str, body: Any = None, version: str = "", **query: str) -> Any:
        answer = self.ask(method, path, body, version, **query)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


@contextmanager
def signed_in(home: Path, version: str) -> Iterator[SignedIn]:
    """Serve a home on the process engine, and sign in there."""
    known = Credentials.read([], [f"{CLIENT}:{SECRET}"])
    server = EmulatorServer(EmulatorSettings(home=home, engine="process", credentials=known))
    with closing(server):
        found = SignedIn(server.start().url, version)
        with closing(found.session):
            yield found
