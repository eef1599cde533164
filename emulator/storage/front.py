"""The front of a storage service: who asks, whether they may, and the answer to what goes wrong."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request

from batchai_scenario.emulator.state.store import os_error
from batchai_scenario.emulator.storage import cors
from batchai_scenario.emulator.storage.accounts import Account
from batchai_scenario.emulator.storage.bearer import challenge, check_bearer, check_user, secret_of_key
from batchai_scenario.emulator.storage.call import Call, error_answer, is_version
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure
from batchai_scenario.emulator.storage.sas import EVERYTHING, check_sas
from batchai_scenario.emulator.storage.sharedkey import check_shared_key
from batchai_scenario.emulator.storage.signing import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.responses import Response
    from starlette.types import Receive, Scope

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.storage.accounts import Accounts
    from batchai_scenario.emulator.storage.bearer import TokenReader
    from batchai_scenario.emulator.storage.cors import CorsRule
    from batchai_scenario.emulator.storage.properties import ServiceProperties
    from batchai_scenario.emulator.storage.signing import Dialect

_LONGEST = 1 << 31

CallT = TypeVar("CallT", bound=Call)


class StorageService(Protocol[CallT]):
    """What a service does with requests that may be made of its accounts."""

    dialect: Dialect

    def call(self, request: Request, account: Account) -> CallT:
        """Begin to take a request apart."""
        ...

    def policies(self, account: str, container: str) -> Sequence[Mapping[str, str]]:
        """Give the stored access policies of a share or container."""
        ...

    async def run(self, call: CallT) -> Response:
        """Do what is asked, if the call's grant lets it."""
        ...

    def refusal(self, error: OSError) -> StorageError | None:
        """Put an error of the disk into the service's words; None if nobody expected it."""
        ...


class Front(Generic[CallT]):
    """Answers every request of a service, also one that goes wrong."""

    def __init__(
        self,
        service: StorageService[CallT],
        accounts: Accounts,
        clock: Clock,
        tokens: TokenReader,
        properties: ServiceProperties,
    ) -> None:
        self._service = service
        self._properties = properties
        self._tokens = tokens
        self._accounts = accounts
        self._clock = clock

    async def handle(self, scope: Scope, receive: Receive, account: str, raw_path: str) -> Response:
        """Answer a request.

        Args:
            scope: The request, as ASGI has it.
            receive: Gives its body, of which nothing has been read.
            account: The account that its host or path names.
            raw_path: The path below the account, not decoded, without the query.
        """
        request = Request(scope, receive)
        known = self._accounts.get(account)
        if known is None:
            call = self._service.call(request, Account(account, (), (), "", {}))
            detail = f"This emulator has no storage account '{account}'."
            error = failure("AuthenticationFailed", AuthenticationErrorDetail=detail)
            return error_answer(call, error, self._clock.now())
        rules = self._properties.rules(account, self._service.dialect.service)
        response = await self._answer(request, known, raw_path, rules)
        if rules and request.method != "OPTIONS":
            response.raw_headers.extend(cors.told(rules, request.method, request.headers.get("origin", "")))
        return response

    async def _answer(
        self, request: Request, account: Account, raw_path: str, rules: Sequence[CorsRule]
    ) -> Response:
        call = self._service.call(request, account)
        try:
            call.locate(raw_path)
            if call.method == "OPTIONS":
                return call.answer(200, cors.preflight(rules, call.headers))
            self._authorise(call, self._clock.now())
            if "timeout" in call.query:  # nothing here takes as long as a client may wait
                call.number("timeout", 0, 0, _LONGEST)
            return await self._service.run(call)
        except StorageError as error:
            return error_answer(call, error, self._clock.now())
        except (OSError, sqlite3.OperationalError) as error:
            refused = self._service.refusal(os_error(error))
            if refused is None:
                raise
            return error_answer(call, refused, self._clock.now())
        except ClientDisconnect:
            # Nobody hears this answer.
            return call.answer(400, {})

    def _authorise(self, call: Call, now: datetime) -> None:
        authorization = call.headers.get("authorization")
        is_bearer = authorization is not None and authorization[:7].lower() == "bearer "
        if is_bearer and "sig" not in call.query:
            # The key for signing is asked for without saying what for.
            files = self._service.dialect is FILES and call.query.get("comp") != "userdelegationkey"
            call.grant = check_bearer(call, self._tokens, now, files=files)
        elif authorization is not None and not is_bearer:
            check_shared_key(
                call.account, authorization, call.method, call.raw_path, call.query, call.headers, now
            )
            call.grant = EVERYTHING
        elif "sig" in call.query:
            client = call.request.client
            account = call.account.name
            call.grant = check_sas(
                call.account,
                call.path,
                call.query,
                now,
                scheme=call.request.scope["scheme"],
                address=client.host if client else "",
                policies=lambda container: self._service.policies(account, container),
                dialect=self._service.dialect,
                delegated=lambda fields: secret_of_key(self._tokens, account, fields),
            )
            if "sduoid" in call.query:
                check_user(call, self._tokens, now, call.query["sduoid"])
        else:
            raise failure("NoAuthenticationInformation", headers=challenge(call))
        if not is_version(call.asked_version):
            raise bad_header("x-ms-version", call.asked_version)
