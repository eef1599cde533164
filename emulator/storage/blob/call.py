"""One request to Blob, taken apart once, and what its operations work on."""

from __future__ import annotations

from batchai_scenario.emulator.storage.blob.keys import container_key
from batchai_scenario.emulator.storage.call import Call
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.names import MAX_NAME, decode_path

MAX_BLOB_NAME = 1024
"""Characters in a blob's name (service)."""


class BlobCall(Call):
    """A request to Blob: ``share`` is the container, ``parts`` the blob's name, cut at its slashes."""

    __slots__ = ()

    def locate(self, raw_path: str) -> None:
        """Take apart the path below the account, as it was sent.

        Raises:
            StorageError: InvalidResourceName for a name that no file can have (our decision): with ``.`` or
                ``..``, an empty component, or one that is too long; InvalidUri if the whole is too long.
        """
        path = decode_path(raw_path)
        self.path = path if path.startswith("/") else "/" + path
        self.share, slash, name = self.path[1:].partition("/")
        if not slash or not name:
            self.parts = ()
            return
        if len(name) > MAX_BLOB_NAME:
            raise failure("InvalidUri")
        parts = tuple(name.split("/"))
        for part in parts:
            if part in ("", ".", "..") or len(part.encode(errors="replace")) > MAX_NAME:
                raise failure(
                    "InvalidResourceName", "The emulator cannot keep a blob of this name in a folder."
                )
        self.parts = parts

    @property
    def name(self) -> str:
        """Give the blob's name."""
        return "/".join(self.parts)

    @property
    def key(self) -> str:
        """Name the container among the records; no share has such a name."""
        return container_key(self.account.name, self.share)
