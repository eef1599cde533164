"""Serves Files and Blob on a real socket for the tests of this folder, routed as the gateway does."""

from __future__ import annotations

import base64
import hmac
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from azure.storage.blob import (
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)

from batchai_scenario.emulator.storage.blob.service import BlobService
from batchai_scenario.emulator.storage.sharedkey import string_to_sign
from tests.storage.serving import ACCOUNT, KEY, Served, Serving, assemble

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.types import Receive, Scope, Send


class BlobServing(Serving):
    """Serves containers at ``/blob/ACCOUNT``."""

    def __init__(self, root: Path) -> None:
        served = assemble(root)
        self.blobs = BlobService(
            served.accounts, served.shares, served.store, served.clock, served.home, served.tokens
        )
        super().__init__(served)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path = scope["raw_path"].decode("latin-1")
        if not raw_path.startswith("/blob/"):
            await super()._app(scope, receive, send)
            return
        account, slash, below = raw_path.removeprefix("/blob/").partition("/")
        response = await self.blobs.handle(scope, receive, account, slash + below)
        await response(scope, receive, send)


def blob_client(served: Served, **options: Any) -> BlobServiceClient:
    """azure-storage-blob 12 on the served home."""
    return BlobServiceClient.from_connection_string(connection_string(served), retry_total=0, **options)


def connection_string(served: Served) -> str:
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint={served.url}/blob/{ACCOUNT}"
    )


def signed(
    served: Served, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, str]:
    """Give a request's headers with a date and the signature of the account's key."""
    sent = {"x-ms-date": format_datetime(served.clock.now(), usegmt=True), **headers}
    text = string_to_sign(ACCOUNT, method, f"/blob/{ACCOUNT}{path}", query, sent)
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
    return {**sent, "authorization": f"SharedKey {ACCOUNT}:{signature}"}


def account_sas(served: Served) -> str:
    """Sign for nearly all that an account's key opens."""
    later = served.clock.now() + timedelta(hours=1)
    kinds, permissions = (
        ResourceTypes(service=True, object=True, container=True),
        "rwdlc",
    )
    return generate_account_sas(ACCOUNT, KEY, kinds, permissions, later)
