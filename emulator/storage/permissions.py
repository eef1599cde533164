"""Permissions of a share: security descriptors (SDDL), kept once and named by a key."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.call import PERMISSION_KEY
from batchai_scenario.emulator.storage.descriptors import to_binary, to_sddl
from batchai_scenario.emulator.storage.errors import bad_header, failure, not_built

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context

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
    return call.answer(201, {"x-ms-file-permission-key": keep(context, call, text, form)})


async def get_permission(context: Context, call: Call) -> Response:
    """Read a permission by its key, as JSON."""
    context.root(call)
    form = form_of(call)
    key = call.require("x-ms-file-permission-key")
    text = text_of(context, call.share_key, key)
    if form == "binary":
        text = _in_binary(context, call, key, text)
    body = {"permission": text}
    if "x-ms-file-permission-format" in call.headers:
        body["format"] = form
    return call.answer(200, {}, json.dumps(body).encode(), content_type="application/json")


def form_of(call: Call) -> str:
    """Read ``x-ms-file-permission-format``: ``sddl``, also without the header, or ``binary``.

    Raises:
        StorageError: InvalidHeaderValue.
    """
    form = call.headers.get("x-ms-file-permission-format", "sddl")
    if form.lower() not in ("sddl", "binary"):
        raise bad_header("x-ms-file-permission-format", form)
    return form.lower()


def keep(context: Context, call: Call, text: object, form: str = "sddl") -> str:
    """Keep a permission in the request's share and give its key; what came in binary is told so, unchanged.

    Raises:
        StorageError: FileInvalidPermission if it is no descriptor with an owner, a group and a DACL.
    """
    binary = ""
    if form.lower() == "binary":
        try:
            binary, text = str(text), to_sddl(str(text))
        except ValueError:
            raise failure("FileInvalidPermission") from None
    elif form.lower() != "sddl":
        raise failure("InvalidInput", f"The format '{form}' is neither sddl nor binary.")
    if text == DEFAULT:
        return PERMISSION_KEY
    if not isinstance(text, str) or not _is_sddl(text):
        raise failure("FileInvalidPermission")
    digest = hashlib.sha256(text.encode()).digest()
    key = f"{int.from_bytes(digest[:8], 'big')}*{int.from_bytes(digest[8:16], 'big')}"
    if context.shares.records.permission(call.share_key, key) is None:
        context.shares.records.save_permission(call.share_key, key, text, binary)
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


def _in_binary(context: Context, call: Call, key: str, text: str) -> str:
    """Give a permission in binary form, as it came if it came so."""
    came = context.shares.records.binary_permission(call.share_key.partition("@")[0], key)
    try:
        return came or to_binary(text)
    except ValueError:
        raise not_built("the binary form of this permission (x-ms-file-permission-format)") from None
