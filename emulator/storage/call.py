"""One request to Files, taken apart once, and the making of its answer."""

from __future__ import annotations

import os
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from batchai_scenario.emulator.storage.answers import ShortAnswer, header_name
from batchai_scenario.emulator.storage.errors import bad_header, bad_query, failure
from batchai_scenario.emulator.storage.names import decode_path, split_path, trim_dots
from batchai_scenario.emulator.storage.numbers import is_number, read_number
from batchai_scenario.emulator.storage.sas import NOTHING
from batchai_scenario.emulator.storage.times import http_date, parse_sas_time, smb_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.accounts import Account
    from batchai_scenario.emulator.storage.errors import StorageError
    from batchai_scenario.emulator.storage.records import EntryRecord
    from batchai_scenario.emulator.storage.tree import Found

_TELLS_CODE = "2017-07-29"
"""From this version on errors have ``x-ms-error-code`` (documentation; recorded traffic of 2017 has none)."""

ECHO_VERSION = "2019-02-02"
"""From this version on answers echo ``x-ms-client-request-id`` and have SMB properties (recorded)."""

NEWEST_VERSION = "2026-10-06"
"""The newest version known: a newer one is served like it, and the answer says so in ``Warning``."""

PERMISSION_KEY = "13400857325829863413*7225182421306353545"
"""Key of the permission that a file or directory has if none was set."""

XML = "application/xml"

SERVER_ENCRYPTED = {"x-ms-request-server-encrypted": "true"}
"""What the service says of every write."""
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_MAX_METADATA = 8192
_NO_QUERY: Mapping[str, str] = MappingProxyType({})
_MAX_BODY = 64 * 1024


class Call:
    """A request.

    ``path`` is decoded and begins below the account; ``parts`` are its components below ``share``. Names in
    ``query`` and ``headers`` are in lower case, several values joined by commas. ``version`` is what the
    client asked for (a SAS alone asks for its own), but at most ``NEWEST_VERSION``; ``snapshot`` is the
    share snapshot that it names, if any.
    """

    __slots__ = (
        "account",
        "default_version",
        "grant",
        "headers",
        "method",
        "parts",
        "path",
        "query",
        "request",
        "request_id",
        "share",
        "snapshot",
        "version",
    )

    def __init__(self, request: Request, account: Account) -> None:
        """Take query and headers apart; ``locate`` does the path, ``grant`` is set once it is known."""
        scope = request.scope
        self.request = request
        self.request_id = _new_id()
        self.account = account
        self.method: str = scope["method"]
        self.path = ""
        self.share = ""
        self.parts: tuple[str, ...] = ()
        self.grant = NOTHING
        self.query = _parse_query(scope["query_string"]) if scope["query_string"] else _NO_QUERY
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        self.headers = headers
        self.snapshot = self.query.get("sharesnapshot", "")
        self.assume_version("")

    def assume_version(self, default: str) -> None:
        """Take a version for the one that is asked for, if the request names none."""
        self.default_version = default
        asked = self.asked_version
        self.version = min(asked, NEWEST_VERSION) if is_version(asked) else NEWEST_VERSION

    def locate(self, raw_path: str) -> None:
        """Take apart the path below the account, as it was sent.

        Raises:
            StorageError: InvalidResourceName, InvalidFileOrDirectoryPathName, InvalidHeaderValue.
        """
        path = decode_path(raw_path)
        self.path = path if path.startswith("/") else "/" + path
        self.share, parts = split_path(path)
        self.parts = parts if self.flag("x-ms-allow-trailing-dot") else trim_dots(parts)

    @property
    def raw_path(self) -> str:
        """Give the URL's whole path as it was sent, for the signature."""
        raw: bytes = self.request.scope["raw_path"]
        return raw.decode("latin-1")

    @property
    def asked_version(self) -> str:
        """Give the version that the client asked for, as it wrote it, or the one of its account."""
        query = self.query
        named = self.headers.get("x-ms-version") or query.get("api-version") or query.get("sv")
        return named or self.default_version

    @property
    def share_key(self) -> str:
        """Name the share, or its snapshot, in the store."""
        if self.snapshot:
            return f"{self.account.name}/{self.share}@{self.snapshot}"
        return f"{self.account.name}/{self.share}"

    def flag(self, name: str) -> bool:
        """Read a header that is ``true`` or ``false``; not there is false.

        Raises:
            StorageError: InvalidHeaderValue.
        """
        text = self.headers.get(name, "false")
        if text.lower() not in ("true", "false"):
            raise bad_header(name, text)
        return text.lower() == "true"

    def require(self, name: str) -> str:
        """Read a header that must be there and not empty.

        Raises:
            StorageError: MissingRequiredHeader.
        """
        value = self.headers.get(name, "")
        if not value:
            raise failure("MissingRequiredHeader", HeaderName=name)
        return value

    async def body(self, limit: int = _MAX_BODY) -> bytes:
        """Read a small body whole.

        Raises:
            StorageError: RequestBodyTooLarge (64 KiB, or what ``limit`` says).
        """
        data = bytearray()
        async for chunk in self.request.stream():
            data += chunk
            if len(data) > limit:
                raise failure("RequestBodyTooLarge", MaxLimit=str(limit))
        return bytes(data)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Read a whole number from the query.

        Raises:
            StorageError: InvalidQueryParameterValue, OutOfRangeQueryParameterValue.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        if not is_number(text.removeprefix("-")):
            raise bad_query(name, text)
        value = -1 if text.startswith("-") else read_number(text)
        if value < low:
            raise failure(
                "OutOfRangeQueryParameterValue",
                QueryParameterName=name,
                QueryParameterValue=text,
                MinimumAllowed=str(low),
                MaximumAllowed=str(high),
            )
        return min(value, high)

    def length(self, name: str) -> int | None:
        """Read a whole number of bytes from a header; None if it is not there.

        Raises:
            StorageError: InvalidHeaderValue.
        """
        text = self.headers.get(name)
        if text is None:
            return None
        if not is_number(text):
            raise bad_header(name, text)
        return read_number(text)

    def metadata(self) -> dict[str, str]:
        """Read the ``x-ms-meta-*`` headers: names, in the case that was sent, and values.

        Raises:
            StorageError: EmptyMetadataKey, InvalidMetadata, MetadataTooLarge (8 KiB).
        """
        found = {}
        size = 0
        # ``HttpProtocol`` notes names as they were sent; without it they are in lower case.
        spelled: Mapping[str, str] = self.request.scope.get("metadata_names", {})
        for name, value in self.headers.items():
            if not name.startswith("x-ms-meta-"):
                continue
            key = spelled.get(name, name)[10:]
            if not key:
                raise failure("EmptyMetadataKey")
            if not key.isidentifier() or not value.isascii():
                raise failure("InvalidMetadata")
            size += len(key) + len(value)
            found[key] = value
        if size > _MAX_METADATA:
            raise failure("MetadataTooLarge")
        return found

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes = b"", *, content_type: str = ""
    ) -> Response:
        """Make an answer with the headers that every answer has."""
        raw = [(header_name(name), value.encode("latin-1")) for name, value in headers.items()]
        raw += self.common_headers()
        if content_type:
            raw.append((b"content-type", content_type.encode()))
        if status not in (204, 304) and "content-length" not in headers:
            raw.append((b"content-length", str(len(body)).encode()))
        return ShortAnswer(status, raw, body)

    def common_headers(self) -> list[tuple[bytes, bytes]]:
        """Give the headers that every answer has."""
        raw = [
            (b"x-ms-request-id", self.request_id.encode()),
            (b"x-ms-version", self.version.encode("latin-1")),
        ]
        asked = self.asked_version
        if asked > NEWEST_VERSION and is_version(asked):
            raw.append(
                (b"warning", b'299 - "version %s is not known, served like this one"' % asked.encode())
            )
        client = self.headers.get("x-ms-client-request-id")
        if client and self.version >= ECHO_VERSION:
            raw.append((b"x-ms-client-request-id", client.encode("latin-1")))
        return raw


def _new_id() -> str:
    """Make a random UUID, in a third of the time of ``uuid.uuid4``."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=128)
def _parse_query(text: bytes) -> Mapping[str, str]:
    pairs: dict[str, list[str]] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True):
        pairs.setdefault(name.lower(), []).append(value)
    return MappingProxyType({name: ",".join(sorted(values)) for name, values in pairs.items()})


@lru_cache(maxsize=64)
def is_version(text: str) -> bool:
    """Tell whether a text has the form of a version: a day, ``2019-02-02``."""
    return len(text) == len(ECHO_VERSION) and text.isascii() and parse_sas_time(text) is not None


def element(name: str, value: str) -> str:
    """Write an XML element; characters that XML cannot hold are dropped."""
    if not value.isprintable():
        value = "".join(character for character in value if character >= " " or character in "\n\t")
    return f"<{name}>{escape(value)}</{name}>" if value else f"<{name} />"


def name_element(tag: str, name: str) -> str:
    """Write an element that holds a name; percent-encoded, and saying so, if XML cannot hold it (service)."""
    if is_xml(name):
        return element(tag, name)
    return f'<{tag} Encoded="true">{quote(name)}</{tag}>'


def is_xml(name: str) -> bool:
    """Tell whether XML can hold a name that can be in a path."""
    return name.isprintable() or ("\ufffe" not in name and "\uffff" not in name)


def document(body: str) -> bytes:
    """Write an XML document, with the byte order mark that the service sends."""
    return f"\ufeff{_DECLARATION}{body}".encode()


def error_answer(call: Call, error: StorageError, now: datetime) -> Response:
    """Render an error as the service does: XML, and from a version on its code in ``x-ms-error-code``."""
    headers = dict(error.headers)
    if call.version >= _TELLS_CODE:
        headers["x-ms-error-code"] = error.code
    if error.status == 304:  # noqa: PLR2004 - not modified: no body
        return call.answer(304, headers)
    message = f"{error.message}\nRequestId:{call.request_id}\nTime:{now:%Y-%m-%dT%H:%M:%S.%f}0Z"
    details = "".join(element(name, value) for name, value in error.details.items() if value)
    body = document(f"<Error>{element('Code', error.code)}{element('Message', message)}{details}</Error>")
    return call.answer(error.status, headers, body, content_type=XML)


def stamps(tag: str, changed: int) -> dict[str, str]:
    """Give the headers that say which state of a resource was seen."""
    return {"etag": tag, "last-modified": http_date(changed // 1_000_000_000)}


def smb_headers(call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    """Give the SMB properties of a file or directory; none for versions that do not know them."""
    if call.version < ECHO_VERSION:
        return {}
    written = found.stat.st_mtime_ns
    return {
        "x-ms-file-attributes": record.attributes,
        "x-ms-file-creation-time": smb_time(record.created),
        "x-ms-file-last-write-time": smb_time(written),
        "x-ms-file-change-time": smb_time(record.change_time or max(record.changed, written)),
        "x-ms-file-permission-key": record.permission or PERMISSION_KEY,
        "x-ms-file-id": str(found.stat.st_ino),
        "x-ms-file-parent-id": str(found.parent_inode),
    }


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Give the ``x-ms-meta-*`` headers."""
    return {f"x-ms-meta-{name}": value for name, value in metadata.items()}
