"""Storage accounts and their keys: one for development that is always there, and those made through ARM."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.clouds import OWN_PATHS
from batchai_scenario.emulator.storage.names import is_account_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store

KIND = "storage-account"
KEY_NAMES = ("key1", "key2")
_KEY_BYTES = 64


Signer = Callable[[bytes], bytes]
"""Signs a message: HMAC-SHA256 with a key of its own."""


class AccountExists(Exception):
    """The name belongs to an account already."""


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account.

    ``keys`` are base64 of 64 bytes, in the order of ``KEY_NAMES``; ``secrets`` the bytes. ``scope`` is
    ``<subscription>/<resource group>`` in lower case, empty for the development account. ``definition`` is
    what the resource provider keeps about it. ``signers`` sign with the keys, in their order.
    """

    name: str
    keys: tuple[str, ...]
    secrets: tuple[bytes, ...]
    scope: str
    definition: Mapping[str, Any]
    signers: tuple[Signer, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signers", tuple(map(signer, self.secrets)))

    def has_key(self, key: str) -> bool:
        """Tell whether ``key`` (base64) is one of the account's, in constant time."""
        try:
            given = base64.b64decode(key.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        matches = [hmac.compare_digest(given, secret) for secret in self.secrets]
        return any(matches)


class Accounts:
    """Finds, makes and deletes accounts; safe from any thread.

    A1. ``get`` reads memory only: it is on the path of every request. What changes here is seen at once.
    A2. Keys made here are random and kept as the store's sealed secrets, nowhere else.
    A3. An account's folder, ``<home>/storage/<account>``, is there once ``create`` returned.
    """

    def __init__(
        self,
        store: Store,
        home: Home,
        *,
        development: tuple[str, ...] = (),
        given: Mapping[str, str] | None = None,
    ) -> None:
        """Read what the store has.

        Args:
            store: Keeps the accounts that ``create`` made.
            home: Its folder of storage holds their files.
            development: Name and keys (base64) of the account that is always there; empty for none.
            given: Accounts that somebody wants there, name to key. Of an account that is in the store, too,
                the key takes the first one's place as long as it is given.
        """
        self._store = store
        self._home = home
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}
        fixed = {name: (key,) for name, key in (given or {}).items()}
        if development:
            name, *own = development
            fixed[name] = (*own, *fixed.get(name, ()))
        for name, known in fixed.items():
            self._accounts[name] = _account(name, known, "", {})
            self._folder(name)
        for document in store.list(KIND):
            kept = store.secrets(KIND, document.id)
            # Keys that were lost with the key that sealed them are made anew.
            first, *others = (kept.get(key) or _new_key() for key in KEY_NAMES)
            keys = (*fixed.get(document.id, (first,)), *others)
            account = _account(document.id, keys, document.parent, document.body)
            self._accounts[document.id] = account
            if not kept:
                self._put(account)

    def get(self, name: str) -> Account | None:
        """Find an account (A1)."""
        return self._accounts.get(name)

    def is_taken(self, name: str) -> bool:
        """Tell whether no new account may have this name: one has it, or the emulator's own paths do."""
        return name in OWN_PATHS or name in self._accounts

    @property
    def names(self) -> tuple[str, ...]:
        """Name all accounts, sorted."""
        return tuple(sorted(self._accounts))

    def list(self, scope: str) -> list[Account]:
        """List the accounts below a scope (``subscription`` or ``subscription/group``), by name."""
        below = scope + "/"
        return [
            account
            for _, account in sorted(self._accounts.items())
            if account.scope == scope or account.scope.startswith(below)
        ]

    def create(self, name: str, scope: str, definition: Mapping[str, Any]) -> Account:
        """Make an account with two random keys (A2, A3).

        Raises:
            ValueError: the name breaks the rules.
            AccountExists: the name is taken, if only by the emulator's own paths.
        """
        if not is_account_name(name):
            raise ValueError(name)
        keys = tuple(_new_key() for _ in KEY_NAMES)
        with self._lock:
            if self.is_taken(name):
                raise AccountExists(name)
            self._folder(name)
            return self._put(_account(name, keys, scope, definition))

    def update(self, name: str, definition: Mapping[str, Any]) -> Account:
        """Replace what the resource provider keeps about an account; KeyError if there is none."""
        with self._lock:
            account = self._accounts[name]
            return self._put(_account(name, account.keys, account.scope, definition))

    def regenerate_key(self, name: str, key_name: str) -> Account:
        """Replace one key; KeyError if there is no such account, ValueError if no such key."""
        index = KEY_NAMES.index(key_name)
        with self._lock:
            account = self._accounts[name]
            keys = tuple(_new_key() if place == index else key for place, key in enumerate(account.keys))
            return self._put(_account(name, keys, account.scope, account.definition))

    def delete(self, name: str) -> bool:
        """Forget an account and its keys; False if there is none. ``Shares`` deletes its folder."""
        with self._lock:
            if not self._store.delete(KIND, name):
                return False
            del self._accounts[name]
            return True

    def _put(self, account: Account) -> Account:
        self._store.put(
            KIND,
            account.name,
            account.definition,
            parent=account.scope,
            secrets=dict(zip(KEY_NAMES, account.keys, strict=True)),
        )
        self._accounts[account.name] = account
        return account

    def _folder(self, name: str) -> None:
        (self._home.storage / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def signer(secret: bytes) -> Signer:
    """Make what signs with a secret; it is taken in once, which is most of the work of a short message."""
    begun = hmac.new(secret, digestmod="sha256")

    def sign(message: bytes) -> bytes:
        mac = begun.copy()
        mac.update(message)
        return mac.digest()

    return sign


def _account(name: str, keys: tuple[str, ...], scope: str, definition: Mapping[str, Any]) -> Account:
    return Account(name, keys, tuple(base64.b64decode(key) for key in keys), scope, definition)


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
