"""Secrets at rest: sealed with a key that only its owner can read."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from batchai_scenario.emulator.errors import HomeDamaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.fernet import Fernet

_KEY_BYTES = 32

REMEDY = (
    "'scenario emulator repair' puts its copy back; without one, what was sealed with it (keys of storage "
    "accounts and volumes, users' passwords) is lost."
)


class Seal:
    """Seals and opens small dictionaries of secrets (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, key: bytes) -> None:
        if len(base64.urlsafe_b64decode(key)) != _KEY_BYTES:
            raise ValueError("the seal key must be 32 bytes, in url-safe base64")
        self.key = key

    @cached_property
    def _box(self) -> Fernet:
        """Import what seals when there is something to seal: most starts of an emulator never need it."""
        from cryptography.fernet import Fernet

        return Fernet(self.key)

    @classmethod
    def at(cls, path: Path) -> Seal:
        """Open the key file, made on first use with mode 0600; two first users get the same key.

        Raises:
            HomeDamaged: it holds something else.
        """
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)))
                with contextlib.suppress(FileExistsError):  # another first user was quicker
                    path.hardlink_to(draft)
            finally:
                Path(draft).unlink()
        try:
            return cls(path.read_bytes())
        except (OSError, ValueError) as error:
            reason = f"it cannot be read ({error.strerror})" if isinstance(error, OSError) else "it is no key"
            raise HomeDamaged(str(path), reason, REMEDY) from None

    def seal(self, secrets: Mapping[str, str]) -> bytes:
        """Seal a dictionary."""
        return self._box.encrypt(json.dumps(dict(secrets)).encode())

    def open(self, sealed: bytes) -> dict[str, str]:
        """Open what ``seal`` gave; cryptography.fernet.InvalidToken if the key is another one."""
        return cast("dict[str, str]", json.loads(self._box.decrypt(sealed)))
