"""Both APIs of the directory on the wire: Azure AD Graph 1.6 and Microsoft Graph 1.0."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.identity.directory import YEAR, DirectoryError, Password, chosen
from batchai_scenario.emulator.identity.service import TokenAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.identity.directory import Directory

_NAMES = {
    "appid": "appId",
    "displayname": "name",
    "identifieruris": "uris",
    "serviceprincipalnames": "uris",
    "id": "id",
    "objectid": "id",
}
_CHANGED = ("displayName", "identifierUris", "passwordCredentials")
_APPLICATION_TYPE = "Microsoft.DirectoryServices.Application"
_PRINCIPAL_TYPE = "Microsoft.DirectoryServices.ServicePrincipal"


class Graph:
    """Answers what is asked of the directory's hosts; ``new`` chooses Microsoft Graph."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def handle(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any],
        *,
        new: bool,
        tenant: str,
    ) -> TokenAnswer:
        """Answer a request.

        Args:
            method: HTTP's.
            path: Decoded, without the first part (the tenant, or Microsoft Graph's version).
            query: Names in lower case.
            body: The JSON object, empty if there is none.
            new: Microsoft Graph's form, else Azure AD Graph's.
            tenant: Whose directory it is said to be.
        """
        parts = [part for part in path.split("/") if part]
        form: _Form = _New(tenant) if new else _Old(tenant)
        try:
            return self._answer(method, parts, query, body, form)
        except DirectoryError as error:
            return TokenAnswer(error.status, form.error(error))

    def _answer(
        self,
        method: str,
        parts: list[str],
        query: Mapping[str, str],
        body: Mapping[str, Any],
        form: _Form,
    ) -> TokenAnswer:
        kind, id_, action, *_ = (*parts, "", "", "")
        action = action.lower()
        kinds: dict[str, Callable[..., TokenAnswer]] = {
            "applications": self._applications,
            "serviceprincipals": self._principals,
        }
        if kind.lower() == "getobjectsbyobjectids" and method == "POST":
            return self._by_ids(_texts(body, "objectIds"), form)
        if kind.lower() == "directoryobjects" and id_.lower() == "getbyids" and method == "POST":
            return self._by_ids(_texts(body, "ids"), form)
        if kind.lower() not in kinds:
            raise DirectoryError(
                404, "Request_ResourceNotFound", f"'{kind}' is not emulated in the directory."
            )
        return kinds[kind.lower()](method, id_, action, query, body, form)

    def _by_ids(self, ids: list[str], form: _Form) -> TokenAnswer:
        wanted = {one.lower() for one in ids}
        found = [form.principal(one) for one in self._directory.principals() if one["id"] in wanted]
        found += [form.application(one) for one in self._directory.applications() if one["id"] in wanted]
        return TokenAnswer(200, form.many(found, "directoryObjects"))

    def _applications(  # noqa: PLR0917 - a request's parts
        self,
        method: str,
        id_: str,
        action: str,
        query: Mapping[str, str],
        body: Mapping[str, Any],
        form: _Form,
    ) -> TokenAnswer:
        directory = self._directory
        if not id_ and method == "GET":
            found = chosen(directory.applications(), query.get("$filter", ""), _NAMES)
            return TokenAnswer(200, form.many([form.application(one) for one in found], "applications"))
        if not id_ and method == "POST":
            _refuse_keys(body, "keyCredentials")
            uris = _texts(body, "identifierUris")
            made = directory.add_application(_name(body), uris, _passwords(body, directory.now()))
            return TokenAnswer(201, form.application(made))
        if action == "addpassword" and method == "POST":
            asked = body.get("passwordCredential") or {}
            if not isinstance(asked, dict):
                raise _wrong("passwordCredential must be an object.")
            end = _time(asked.get("endDateTime"), None)
            password = directory.add_password(id_, str(asked.get("displayName") or ""), end)
            return TokenAnswer(200, form.password(password) | {"secretText": password.value})
        if not action and method == "GET":
            return TokenAnswer(200, form.application(directory.application(id_)))
        if not action and method == "PATCH":
            self._change(id_, body)
            return TokenAnswer(204, {})
        if not action and method == "DELETE":
            directory.remove_application(id_)
            return TokenAnswer(204, {})
        raise _refused(method, f"applications/{action}")

    def _change(self, id_: str, body: Mapping[str, Any]) -> None:
        """Change an application as a PATCH asks; refuses what would change nothing."""
        for name, value in body.items():
            if name not in _CHANGED and value not in (None, []):
                raise _wrong(f"A change of {name} is not emulated; {', '.join(_CHANGED)} can be changed.")
        self._directory.change_application(
            id_,
            name=_name(body) if body.get("displayName") is not None else None,
            uris=_texts(body, "identifierUris") if body.get("identifierUris") is not None else None,
            passwords=(_passwords(body, self._directory.now()) if "passwordCredentials" in body else None),
        )

    def _principals(  # noqa: PLR0917 - a request's parts
        self,
        method: str,
        id_: str,
        action: str,
        query: Mapping[str, str],
        body: Mapping[str, Any],
        form: _Form,
    ) -> TokenAnswer:
        directory = self._directory
        if not id_ and method == "GET":
            found = chosen(directory.principals(), query.get("$filter", ""), _NAMES)
            return TokenAnswer(200, form.many([form.principal(one) for one in found], "servicePrincipals"))
        if not id_ and method == "POST":
            _refuse_keys(body, "keyCredentials", "passwordCredentials")
            return TokenAnswer(201, form.principal(directory.add_principal(str(body.get("appId") or ""))))
        if not action and method == "GET":
            return TokenAnswer(200, form.principal(directory.principal(id_)))
        if not action and method == "DELETE":
            directory.remove_principal(id_)
            return TokenAnswer(204, {})
        raise _refused(method, f"servicePrincipals/{action}")


class _Form:
    """How one of the APIs writes what the directory holds."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant

    def application(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """Write an application."""
        raise NotImplementedError

    def principal(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """Write a service principal."""
        raise NotImplementedError

    def password(self, one: Password) -> dict[str, Any]:
        """Write a password without its value."""
        raise NotImplementedError

    def many(self, found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        """Write a list."""
        raise NotImplementedError

    def error(self, error: DirectoryError) -> dict[str, Any]:
        """Write an error."""
        raise NotImplementedError


class _Old(_Form):
    def application(self, one: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "odata.type": _APPLICATION_TYPE,
            "objectType": "Application",
            "objectId": one["id"],
            "appId": one["appId"],
            "displayName": one["name"],
            "identifierUris": one["uris"],
            "availableToOtherTenants": False,
            "homepage": None,
            "replyUrls": [],
            "keyCredentials": [],
            "passwordCredentials": [
                {"keyId": entry["id"], "startDate": entry["start"], "endDate": entry["end"], "value": None}
                for entry in one["passwords"]
            ],
        }

    def principal(self, one: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "odata.type": _PRINCIPAL_TYPE,
            "objectType": "ServicePrincipal",
            "objectId": one["id"],
            "appId": one["appId"],
            "appDisplayName": one["name"],
            "displayName": one["name"],
            "accountEnabled": True,
            "appOwnerTenantId": self.tenant,
            "servicePrincipalNames": [one["appId"], *one["uris"]],
            "servicePrincipalType": "Application",
            "keyCredentials": [],
            "passwordCredentials": [],
        }

    def password(self, one: Password) -> dict[str, Any]:
        return {"keyId": one.id, "startDate": one.start.isoformat(), "endDate": one.end.isoformat()}

    def many(self, found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        return {"odata.metadata": f"https://graph.windows.net/{self.tenant}/$metadata#{kind}", "value": found}

    def error(self, error: DirectoryError) -> dict[str, Any]:
        return {"odata.error": {"code": error.code, "message": {"lang": "en", "value": error.text}}}


class _New(_Form):
    def application(self, one: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": one["id"],
            "appId": one["appId"],
            "displayName": one["name"],
            "identifierUris": one["uris"],
            "createdDateTime": one["created"],
            "signInAudience": "AzureADMyOrg",
            "keyCredentials": [],
            "passwordCredentials": [
                {
                    "keyId": entry["id"],
                    "displayName": entry["name"],
                    "startDateTime": entry["start"],
                    "endDateTime": entry["end"],
                    "secretText": None,
                }
                for entry in one["passwords"]
            ],
        }

    def principal(self, one: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "@odata.type": "#microsoft.graph.servicePrincipal",
            "id": one["id"],
            "appId": one["appId"],
            "appDisplayName": one["name"],
            "displayName": one["name"],
            "accountEnabled": True,
            "appOwnerOrganizationId": self.tenant,
            "servicePrincipalNames": [one["appId"], *one["uris"]],
            "servicePrincipalType": "Application",
            "keyCredentials": [],
            "passwordCredentials": [],
        }

    def password(self, one: Password) -> dict[str, Any]:
        return {
            "keyId": one.id,
            "displayName": one.name,
            "startDateTime": one.start.isoformat(),
            "endDateTime": one.end.isoformat(),
        }

    def many(self, found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        return {"@odata.context": f"https://graph.microsoft.com/v1.0/$metadata#{kind}", "value": found}

    def error(self, error: DirectoryError) -> dict[str, Any]:
        return {"error": {"code": error.code, "message": error.text}}


def _wrong(text: str) -> DirectoryError:
    return DirectoryError(400, "Request_BadRequest", text)


def _name(body: Mapping[str, Any]) -> str:
    name = body.get("displayName")
    if not isinstance(name, str) or not name:
        raise _wrong("displayName is required, and is a string.")
    return name


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _wrong(f"{name} must be a list of strings.")
    return found


def _refuse_keys(body: Mapping[str, Any], *names: str) -> None:
    """Refuse credentials with which nobody could sign in here."""
    for name in names:
        if body.get(name):
            raise _wrong(f"{name} are not emulated here: give the application passwordCredentials.")


def _passwords(body: Mapping[str, Any], now: datetime) -> list[Password]:
    """Read the passwords of a body, in either form."""
    found: list[Password] = []
    given = body.get("passwordCredentials") or []
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise _wrong("passwordCredentials must be a list of objects.")
    for entry in given:
        start = _time(entry.get("startDate") or entry.get("startDateTime"), now) or now
        end = _time(entry.get("endDate") or entry.get("endDateTime"), None) or now + YEAR
        name = str(entry.get("displayName") or "")
        value = str(entry.get("value") or entry.get("secretText") or "")
        found.append(Password(str(entry.get("keyId") or uuid.uuid4()), name, start, end, value))
    return found


def _time(text: Any, default: datetime | None) -> datetime | None:  # noqa: ANN401 - whatever the body holds
    if not text:
        return default
    try:
        # Microsoft writes seven digits of a second; Python before 3.11 reads three or six.
        whole, dot, rest = str(text).replace("Z", "+00:00").partition(".")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        moment = datetime.fromisoformat(
            f"{whole}{dot}{digits[:6].ljust(6, '0') if dot else ''}{rest[len(digits) :]}"
        )
    except ValueError:
        raise _wrong(f"'{str(text)[:40]}' is no time in ISO 8601 form.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _refused(method: str, what: str) -> DirectoryError:
    return DirectoryError(404, "Request_ResourceNotFound", f"{method} of '{what}' is not emulated.")
