"""Where storage is served, for people who want nothing else, and their first commands."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.local.host import found_address, is_served

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there
_PREFIX = "scenario-in-memory-"
_FRESH_SECONDS = 60


VARIABLE = "AZURE_STORAGE_CONNECTION_STRING"
_PYTHON = (
    "import os; from azure.storage.fileshare import ShareClient; "
    f'ShareClient.from_connection_string(os.environ["{VARIABLE}"], "data").create_share()'
)
_JAVASCRIPT = (
    'require("@azure/storage-file-share").ShareServiceClient.'
    f'fromConnectionString(process.env.{VARIABLE}).createShare("data")'
)
FIRST = (
    ("Python", f"python -c '{_PYTHON}'"),
    ("JavaScript", f"node -e '{_JAVASCRIPT}'"),
    (".NET", f'new ShareClient(Environment.GetEnvironmentVariable("{VARIABLE}"), "data").Create();'),
    ("rclone, then", f"rclone mkdir \":azurefiles,share_name=data,connection_string='${VARIABLE}':folder\""),
)
"""First commands, each in its own way."""


@dataclass(frozen=True, slots=True)
class Doors:
    """An account of storage at the emulator's own address.

    ``https_url`` is empty unless the emulator serves TLS; ``certificate`` is then what clients are to trust.
    """

    account: str
    key: str = field(repr=False)
    file_url: str
    blob_url: str
    https_url: str = ""
    certificate: str = ""

    @property
    def connection_string(self) -> str:
        """Give what most clients take."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"FileEndpoint={self.file_url};BlobEndpoint={self.blob_url}"
        )

    def lines(self) -> list[tuple[str, str]]:
        """Give what somebody needs to begin: title and text."""
        told = [
            ("account", self.account),
            ("key", self.key),
            ("files", self.file_url),
            ("blobs", self.blob_url),
        ]
        if self.https_url:
            told += [("files (https)", self.https_url), ("trust", self.certificate)]
        return [*told, ("in your shell", f"export {VARIABLE}='{self.connection_string}'"), *FIRST]


def doors_of(home: Path) -> Doors:
    """Find where an emulator serves the home's own account.

    Raises:
        MachineError: none serves it, or its credentials cannot be read.
    """
    from batchai_scenario.backends.local.settings import own_credentials
    from batchai_scenario.emulator.api import development

    address = found_address(home)
    account, key = development.ACCOUNT, own_credentials(home).account_key
    certificate = ""
    if address.https_url:
        certificate = str(_certificate(home))
    return Doors(
        account,
        key,
        f"{address.url}/{account}",
        f"{address.blob_url}/{account}",
        f"{address.https_url}/{account}" if address.https_url else "",
        certificate,
    )


@contextmanager
def home_in_memory(memory: Path = _MEMORY) -> Iterator[Path]:
    """Lend a home that is gone afterwards: in memory where the machine offers that, else a temporary folder.

    What an emulator that was killed left there is removed first.
    """
    above = memory if memory.is_dir() else Path(tempfile.gettempdir())
    for old in above.glob(f"{_PREFIX}*"):
        try:
            found = old.lstat()
            stale = found.st_uid == os.geteuid() and time.time() - found.st_mtime > _FRESH_SECONDS
            stale = stale and not is_served(old / "home")
        except OSError:
            continue
        if stale:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _certificate(home: Path) -> Path:
    from batchai_scenario.emulator.api import LOOPBACK, Authority, Home, SystemClock

    return Authority(Home(home), SystemClock(), LOOPBACK).certificate()
