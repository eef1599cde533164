"""Permissions of a share: security descriptors (SDDL), kept once and named by a key."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.call import PERMISSION_KEY
from batchai_scenario.emulator.storage.errors import failure, not_built

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call, Context

DEFAULT = "O:S-1-5-21-0-0-0-500G:S-1-5-21-0-0-0-513D:(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;AU)"
"""The permission behind ``PERMISSION_KEY``: what a file has if none was set. (The service's own names an
account of the storage account's domain; there is none here.)"""

_SDDL = re.compile(r"O:[^:()]+G:[^:()]+D:[^:]*(:.*)?")


async def create_permission(context: Context, call: Call) -> Response:
    """Keep a permission: 201 and its key. The same text always has the same key."""
    context.root(call)
    try:
        sent = json.loads(await call.body())
        text, form = sent["permission"], str(sent.get("format", "sddl"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise failure("InvalidInput", 'A JSON object is expected: {"permission": "<SDDL>"}.') from None
    _check_format(form)
    return call.answer(201, {"x-ms-file-permission-key": keep(context, call, text)})


async def get_permission(context: Context, call: Call) -> Response:
    """Read a permission by its key, as JSON."""
    context.root(call)
    _check_format(call.headers.get("x-ms-file-permission-format", "sddl"))
    key = call.require("x-ms-file-permission-key")
    text = text_of(context, call.share_key, key)
    body = {"permission": text}
    if "x-ms-file-permission-format" in call.headers:
        body["format"] = "sddl"
    return call.answer(200, {}, json.dumps(body).encode(), content_type="application/json")


def keep(context: Context, call: Call, text: object) -> str:
    """Keep the text of a permission in the request's share and give its key.

    Raises:
        StorageError: FileInvalidPermission if it is no SDDL with an owner, a group and a DACL.
    """
    if text == DEFAULT:
        return PERMISSION_KEY
    if not isinstance(text, str) or not _is_sddl(text):
        raise failure("FileInvalidPermission")
    digest = hashlib.sha256(text.encode()).digest()
    key = f"{int.from_bytes(digest[:8], 'big')}*{int.from_bytes(digest[8:16], 'big')}"
    if context.shares.records.permission(call.share_key, key) is None:
        context.shares.records.save_permission(call.share_key, key, text)
    return key


def text_of(context: Context, share_key: str, key: str) -> str:
    """Give the text of a permission of a share, or of one of its snapshots.

    Raises:
        StorageError: FilePermissionNotFound.
    """
    if key in ("", PERMISSION_KEY):
        return DEFAULT
    text = context.shares.records.permission(share_key.partition("@")[0], key)
    if text is None:
        raise failure("FilePermissionNotFound")
    return text


def _is_sddl(text: str) -> bool:
    plain = text.isascii() and text.isprintable() and text.count("(") == text.count(")")
    return plain and _SDDL.fullmatch(text) is not None


def _check_format(form: str) -> None:
    if form.lower() != "sddl":
        raise not_built("permissions in binary form (x-ms-file-permission-format)")
