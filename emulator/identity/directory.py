"""The directory: applications and service principals that scripts make, in both of its APIs.

Azure AD Graph 1.6 (``graph.windows.net``, command lines of 2018) and Microsoft Graph 1.0
(``graph.microsoft.com``, those of today), as far as ``az ad sp create-for-rbac`` and its kin ask. What they
make can sign in.
"""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.state.clock import parse_time, wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document, Store

_APPLICATION, _PRINCIPAL = "application", "service-principal"
YEAR = timedelta(days=365)
_TERM = re.compile(
    r"(?:(?P<many>\w+)/any\(\w+:\s*\w+ eq '(?P<item>(?:[^']|'')*)'\)"
    r"|(?P<name>\w+) eq '(?P<value>(?:[^']|'')*)'"
    r"|startswith\((?P<begun>\w+),\s*'(?P<start>(?:[^']|'')*)'\))\Z",
    re.IGNORECASE,
)


class DirectoryError(Exception):
    """A request that cannot be answered: HTTP status, the directory's code and text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


@dataclass(frozen=True, slots=True)
class Password:
    """A password of an application; ``id`` is its key id, ``name`` its label, ``value`` the secret."""

    id: str
    name: str
    start: datetime
    end: datetime
    value: str


class Directory:
    """Keeps applications and service principals; safe from any thread as far as the store is.

    The home's own client is there from the start, as a service principal that nobody can change. Secrets are
    kept sealed, apart from what they belong to.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def passwords(self, client: str) -> tuple[str, ...]:
        """Give the passwords that a client (an application's id) may sign in with now; empty if none."""
        application = self._by_app(_APPLICATION, client)
        if application is None or self._by_app(_PRINCIPAL, client) is None:
            return ()
        now, sealed = self._clock.now(), self._store.secrets(_APPLICATION, application.id)
        return tuple(
            sealed[entry["id"]]
            for entry in application.body["passwords"]
            if entry["id"] in sealed and parse_time(entry["start"]) <= now < parse_time(entry["end"])
        )

    def applications(self) -> list[dict[str, Any]]:
        """List applications by age, without secrets."""
        return [document.body for document in self._store.list(_APPLICATION)]

    def principals(self) -> list[dict[str, Any]]:
        """List service principals, the home's own first."""
        return [_OWN, *(document.body for document in self._store.list(_PRINCIPAL))]

    def application(self, id_: str) -> dict[str, Any]:
        """Find an application by its object's id; DirectoryError if there is none."""
        found = self._store.get(_APPLICATION, id_.lower())
        if found is None:
            raise _missing(id_)
        return found.body

    def principal(self, id_: str) -> dict[str, Any]:
        """Find a service principal by its object's id; DirectoryError if there is none."""
        for found in self.principals():
            if found["id"] == id_.lower():
                return found
        raise _missing(id_)

    def add_application(self, name: str, uris: list[str], given: list[Password]) -> dict[str, Any]:
        """Make an application."""
        self._check_free(uris, "")
        body: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "appId": str(uuid.uuid4()),
            "name": name,
            "uris": uris,
            "created": wire_time(self._clock.now()),
            "passwords": [],
        }
        return self._save(body, given, {})

    def change_application(
        self, id_: str, *, name: str | None, uris: list[str] | None, passwords: list[Password] | None
    ) -> None:
        """Replace what is given of an application; a password without a value keeps the secret that it had.

        Its service principal follows.
        """
        body = self.application(id_)
        changed = {**body, "name": body["name"] if name is None else name}
        if uris is not None:
            self._check_free(uris, body["id"])
            changed["uris"] = uris
        known = self._store.secrets(_APPLICATION, body["id"])
        kept = [_password(entry) for entry in body["passwords"]]
        principal = self._by_app(_PRINCIPAL, body["appId"])
        with self._store.transaction():
            self._save(changed, kept if passwords is None else passwords, known)
            if principal is not None:
                follows = {**principal.body, "name": changed["name"], "uris": changed["uris"]}
                self._store.put(_PRINCIPAL, principal.id, follows)

    def _check_free(self, uris: list[str], id_: str) -> None:
        """Refuse identifier URIs that another application has."""
        others = [one for one in self.applications() if one["id"] != id_]
        if {uri for one in others for uri in one["uris"]} & set(uris):
            text = "Another object with the same value for property identifierUris already exists."
            raise DirectoryError(400, "Request_BadRequest", text)

    def add_password(self, id_: str, name: str, end: datetime | None) -> Password:
        """Make a password for an application, good for two years unless ``end`` is given."""
        body, now = self.application(id_), self._clock.now()
        made = Password(str(uuid.uuid4()), name, now, end or now + 2 * YEAR, secrets.token_hex(30))
        known = self._store.secrets(_APPLICATION, body["id"])
        kept = [_password(entry) for entry in body["passwords"]]
        self._save(body, [*kept, made], known)
        return made

    def add_principal(self, app_id: str) -> dict[str, Any]:
        """Make the service principal of an application."""
        application = self._by_app(_APPLICATION, app_id)
        if application is None:
            text = f"The appId '{app_id}' does not reference a valid application object."
            raise DirectoryError(400, "Request_BadRequest", text)
        if self._by_app(_PRINCIPAL, app_id) is not None:
            text = "Another object with the same value for property servicePrincipalNames already exists."
            raise DirectoryError(409, "Request_MultipleObjectsWithSameKeyValue", text)
        body = {
            "id": str(uuid.uuid4()),
            "appId": application.body["appId"],
            "name": application.body["name"],
            "uris": application.body["uris"],
        }
        self._store.put(_PRINCIPAL, body["id"], body)
        return body

    def remove_application(self, id_: str) -> None:
        """Delete an application with its service principal; DirectoryError if there is none."""
        body = self.application(id_)
        principal = self._by_app(_PRINCIPAL, body["appId"])
        with self._store.transaction():
            if principal is not None:
                self._store.delete(_PRINCIPAL, principal.id)
            self._store.delete(_APPLICATION, body["id"])

    def remove_principal(self, id_: str) -> None:
        """Delete a service principal: its application can sign in no more."""
        found = self.principal(id_)
        if found is _OWN:
            text = "This is the emulator's own client."
            raise DirectoryError(403, "Authorization_RequestDenied", text)
        self._store.delete(_PRINCIPAL, found["id"])

    def now(self) -> datetime:
        """Tell the directory's time."""
        return self._clock.now()

    def _save(self, body: dict[str, Any], given: list[Password], known: Mapping[str, str]) -> dict[str, Any]:
        values = {one.id: one.value or known.get(one.id, "") for one in given}
        passwords = [
            {"id": one.id, "name": one.name, "start": wire_time(one.start), "end": wire_time(one.end)}
            for one in given
        ]
        saved = {**body, "passwords": passwords}
        sealed = {id_: value for id_, value in values.items() if value}
        self._store.put(_APPLICATION, body["id"], saved, secrets=sealed)
        return saved

    def _by_app(self, kind: str, app_id: str) -> Document | None:
        for document in self._store.list(kind):
            if document.body["appId"] == app_id.lower():
                return document
        return None


_OWN: dict[str, Any] = {
    "id": str(uuid.uuid5(uuid.NAMESPACE_URL, development.CLIENT)),
    "appId": development.CLIENT,
    "name": "The emulator's own client",
    "uris": [],
}


def chosen(found: list[dict[str, Any]], text: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Apply a ``$filter``: ``names`` leads from the API's property names (lower case) to ours.

    Raises:
        DirectoryError: it asks for something that is not emulated.
    """
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else ():
        term = _TERM.match(part.strip())
        name = names.get((term["many"] or term["name"] or term["begun"]).lower()) if term else None
        if term is None or name is None:
            raise DirectoryError(400, "Request_UnsupportedQuery", f"The filter '{part}' is not emulated.")
        wanted = (term["item"] or term["value"] or term["start"] or "").replace("''", "'").lower()
        if term["begun"]:
            found = [one for one in found if str(one[name]).lower().startswith(wanted)]
        elif term["many"]:
            found = [
                one for one in found if wanted in {text.lower() for text in (*one["uris"], one["appId"])}
            ]
        else:
            found = [one for one in found if str(one[name]).lower() == wanted]
    return found


def _password(entry: Mapping[str, str]) -> Password:
    return Password(entry["id"], entry["name"], parse_time(entry["start"]), parse_time(entry["end"]), "")


def _missing(id_: str) -> DirectoryError:
    text = (
        f"Resource '{id_}' does not exist or one of its queried reference-property objects are not present."
    )
    return DirectoryError(404, "Request_ResourceNotFound", text)
