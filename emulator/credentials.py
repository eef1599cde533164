"""Credentials that an emulator is told to know, besides those that every emulator knows."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchai_scenario.emulator.clouds import OWN_PATHS
from batchai_scenario.emulator.errors import CredentialsInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CLIENT = re.compile(r"[\w.-]{1,100}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """``accounts``: storage account -> key (base64); ``clients``: client id (lower case) -> password."""

    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    clients: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, accounts: Sequence[str], clients: Sequence[str]) -> Credentials:
        """Read ``NAME:KEY`` and ``ID:SECRET``; of a name given twice the last counts.

        Raises:
            CredentialsInvalid: one that is not of this form, a name that no account can have here, a key that
                is not base64.
        """
        found = dict(_account(text) for text in accounts)
        return cls(found, dict(_client(text) for text in clients))


NO_CREDENTIALS = Credentials()


def _account(text: str) -> tuple[str, str]:
    name, colon, key = text.strip().partition(":")
    if not colon or _ACCOUNT.fullmatch(name) is None:
        raise CredentialsInvalid(
            "account", "write NAME:KEY; names have 3 to 24 lower-case letters and digits"
        )
    if name in OWN_PATHS:
        raise CredentialsInvalid("account", f"'{name}' is a path of the emulator's own; take another name")
    try:
        known = base64.b64decode(key, validate=True)
    except binascii.Error:
        known = b""
    if not known:
        raise CredentialsInvalid("account", f"the key of '{name}' is not base64")
    return name, key


def _client(text: str) -> tuple[str, str]:
    name, colon, secret = text.strip().partition(":")
    if not colon or not secret or _CLIENT.fullmatch(name) is None:
        raise CredentialsInvalid("client", "write ID:SECRET")
    return name.lower(), secret
