"""Turns what the SDKs raise into the errors of ``backends.errors``. No secret and no link gets through."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.common import AzureException, AzureHttpError
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from msrest.exceptions import ClientException

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
from batchai_scenario.backends.settings import RETIRED

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGN_IN_HINT = (
    "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, and that this service principal may "
    "use the subscription"
)
STORAGE_HINT = "check AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY"

NO_PROVIDER = frozenset(
    {
        "InvalidResourceNamespace",
        "InvalidResourceType",
        "MissingSubscriptionRegistration",
        "NoRegisteredProviderFound",
    }
)
"""Codes by which a resource manager says that it has no Batch AI (any more)."""

KNOWN = NO_PROVIDER | {"PropertyNotSupported", "EngineUnavailable"}
"""Codes that say more than their status; the last is the emulator's own: the machine lacks an engine."""

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, MISSING = 400, 401, 403, 404
TIMEOUT, CONFLICT, BUSY, BROKEN = 408, 409, 429, 500


@contextmanager
def service_errors(doing: str) -> Iterator[None]:
    """Raise errors of ours for whatever the SDKs raise inside; ``doing`` completes "could not ..."."""
    try:
        yield
    except ScenarioError:
        raise
    except (AzureError, AzureException, ClientException) as error:
        raise translated(error, doing) from error


def translated(error: Exception, doing: str) -> ScenarioError:
    """Translate one exception of azure-core, azure-storage-file or msrest."""
    said = f"could not {doing}: {_plain(error)}"
    match error:
        case HttpResponseError() if error.status_code:
            return _from_management(error, doing)
        case AzureHttpError():
            return _from_storage(error, doing)
        case ClientAuthenticationError():
            return BackendError(f"{said} ({SIGN_IN_HINT})", "Unauthorized", UNAUTHORIZED)
        case ServiceRequestError() | ServiceResponseError():
            found = Unreachable(f"could not {doing}: nobody answers at the service's address")
        case ClientException():
            return InvalidSpec(said)
        case AzureError():
            return BackendError(said)
        case _:
            found = Unreachable(f"could not {doing}: the file service does not answer")
    return found


def by_status(
    status: int, code: str, message: str, target: str = "", *, hint: str = SIGN_IN_HINT
) -> ScenarioError:
    """Choose the error for an answer's status; ``code``, ``message`` and ``target`` are the service's own."""
    elsewhere = code == "NoRegisteredProviderFound" and "supported locations" in message
    if elsewhere or (status in (BAD_REQUEST, CONFLICT) and code not in KNOWN):
        return InvalidSpec(
            f"{code}: {message}" if code else message, field="location" if elsewhere else target
        )
    if code == "PropertyNotSupported":
        return NotSupported(message, field=target)
    if code == "EngineUnavailable":
        return MachineError(message)
    if status == MISSING and code not in NO_PROVIDER:
        return NotFound(message, code, status)
    if code in NO_PROVIDER:
        message = f"{message} ({RETIRED}; use --backend local)"
    elif status in (UNAUTHORIZED, FORBIDDEN):
        message = f"{message} ({hint})"
    return BackendError(message, code, status, transient=status in (TIMEOUT, BUSY) or status >= BROKEN)


def _from_management(error: HttpResponseError, doing: str) -> ScenarioError:
    body = error.error
    code = str(getattr(body, "code", None) or "")
    message = str(getattr(body, "message", None) or "") or f"could not {doing}: {error.reason}"
    return by_status(int(error.status_code or 0), code, message, str(getattr(body, "target", None) or ""))


def _from_storage(error: AzureHttpError, doing: str) -> ScenarioError:
    code = str(getattr(error, "error_code", None) or "")
    text = re.search(r"<Message>(.*?)(?:\n|</Message>)", str(error), re.DOTALL)
    said = text.group(1).strip() if text else str(error).partition("\n")[0].partition("<")[0].strip()
    status = int(error.status_code or 0)
    if status in (BAD_REQUEST, CONFLICT):
        return UserError(f"could not {doing}: {said or code}", hint=code)
    return by_status(status, code, f"could not {doing}: {said or code}", hint=STORAGE_HINT)


def _plain(error: Exception) -> str:
    """Give an exception's first line without anything that looks like a signed link."""
    return re.sub(r"https?://\S+\?\S+", "<link>", str(error).partition("\n")[0])


def status_of(error: Any) -> int:  # noqa: ANN401 - any exception
    """Give the HTTP status that an exception of an SDK stands for; 0 if for none."""
    return int(getattr(error, "status_code", 0) or 0)
