"""Credentials that an emulator is told to know, besides those that every emulator knows."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.clouds import OWN_PATHS
from batchai_scenario.emulator.errors import CredentialsInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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

        ``@FILE`` stands for the lines of a file, but empty ones and those with ``#`` in front.

        Raises:
            CredentialsInvalid: one that is not of this form, a name that no account can have here, a key that
                is not base64, a file that cannot be read.
        """
        found = dict(_account(text) for text in _lines("account", accounts))
        return cls(found, dict(_client(text) for text in _lines("client", clients)))


NO_CREDENTIALS = Credentials()


def _lines(option: str, texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        if not text.strip().startswith("@"):
            yield text
            continue
        file = Path(text.strip()[1:]).expanduser()
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise CredentialsInvalid(option, f"'{file}' cannot be read ({reason})") from None
        yield from (line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _account(text: str) -> tuple[str, str]:
    name, colon, key = text.strip().partition(":")
    if not colon or _ACCOUNT.fullmatch(name) is None:
        raise CredentialsInvalid(
            "account", "write NAME:KEY or @FILE; names have 3 to 24 lower-case letters and digits"
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
        raise CredentialsInvalid("client", "write ID:SECRET or @FILE")
    return name.lower(), secret
