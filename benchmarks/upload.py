"""Upload of the training text through azure-storage-file into the share, and its download.

    python benchmarks/upload.py [--megabytes 130] [--rounds 5]

Beside it, in turn within one run: a plain copy of the file (the disk's floor), and the same client's hashing
and signing alone, its requests answered at once without a socket (the client's floor).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import requests
from azure.storage.file import FileService
from common import alternate, load, spread
from requests.adapters import BaseAdapter

from batchai_scenario.emulator.identity.development import ACCOUNT, ACCOUNT_KEY
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings

SHARE = "benchmark"


class Nowhere(BaseAdapter):
    """Answers every request at once with 201, having read its body: what is left is the client's own work."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """Answer."""
        if hasattr(request.body, "read"):
            request.body.read()  # type: ignore[union-attr]
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 201, request, request.url or ""
        answer.headers.update({"etag": '"0x1"', "last-modified": "Wed, 06 Jun 2018 12:00:00 GMT"})
        answer._content = b""
        return answer

    def close(self) -> None:
        """Close nothing."""


def client(url: str, session: requests.Session | None = None) -> FileService:
    """Open the SDK's client at a path-style endpoint."""
    text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY}"
    return FileService(connection_string=f"{text};FileEndpoint={url}/{ACCOUNT}", request_session=session)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=130)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "Train-28x28_cntk_text.txt"
        line = b"|labels 0 0 0 0 0 1 0 0 0 0 |features " + b" 0 128 255" * 784 + b"\n"
        size = options.megabytes * 1_000_000
        source.write_bytes((line * (size // len(line) + 1))[:size])
        server = EmulatorServer(EmulatorSettings(home=Path(folder) / "home", development_credentials=True))
        with contextlib.closing(server):
            url = server.start().url
            files = client(url)
            files.create_share(SHARE)
            silent = requests.Session()
            silent.mount("http://", Nowhere())
            floor = client(url, silent)

            def upload(to: FileService) -> None:
                to.create_file_from_path(SHARE, None, source.name, str(source), max_connections=2)

            def download() -> None:
                files.get_file_to_path(SHARE, None, source.name, str(source) + ".down", max_connections=2)

            def copy() -> None:
                shutil.copyfile(source, str(source) + ".copy")
                os.sync()

            actions = {
                "plain copy": copy,
                "client alone (hash, sign, no socket)": lambda: upload(floor),
                "upload into the emulator's share": lambda: upload(files),
                "download from it": download,
            }
            for name, values in alternate(actions, options.rounds).items():
                rate = options.megabytes / statistics.median(values)
                print(f"{name:38}{rate:9.0f} MB/s {spread(values, 's')}")
    print(load())


if __name__ == "__main__":
    main()
