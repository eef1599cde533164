"""What shared access signatures sign, and the making of them (service documentation; SDK 2.1.0)."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchai_scenario.emulator.clouds import storage_url
from batchai_scenario.emulator.storage.errors import StorageError, failure
from batchai_scenario.emulator.storage.numbers import is_number, read_number
from batchai_scenario.emulator.storage.times import sas_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from batchai_scenario.emulator.storage.accounts import Account


LINK_VERSION = "2016-05-31"
"""``sv`` of the links to output files (recorded traffic)."""


OVERRIDES = {
    "rscc": "cache-control",
    "rscd": "content-disposition",
    "rsce": "content-encoding",
    "rscl": "content-language",
    "rsct": "content-type",
}
"""Fields of a SAS that replace headers of the answer."""


KEY_FIELDS = ("skoid", "sktid", "skt", "ske", "sks", "skv", "skdutid")
"""What a SAS tells of the user delegation key that signed it."""


_WITH_USER = "2025-07-05"
"""From this ``sv`` on such a SAS signs the user's tenant and the user, too."""


_WITH_HEADERS = "2026-04-06"
"""From this ``sv`` on such a SAS for Blob signs headers and query parameters, too."""


_WITH_RESOURCE = "2018-11-09"
"""From this ``sv`` on a SAS for Blob signs ``sr`` and the snapshot, too."""


_WITH_AGENTS = "2020-02-10"
"""From this ``sv`` on a SAS of a user delegation key for Blob signs three more fields."""


_WITH_ENCRYPTION_SCOPE = "2020-12-06"
"""From this ``sv`` on an account SAS, and one for Blob, signs one more field, ``ses``."""


def file_link(
    account: Account, share: str, path: str, *, expires: datetime, base_url: str, permissions: str = "rl"
) -> str:
    """Make a link to one file that needs no other authorization, in the form of recorded traffic.

    Args:
        account: Its first key signs.
        share: The share's name.
        path: The file's path in the share.
        expires: When the link ends; cut to whole seconds.
        base_url: Where the client reaches this emulator, or believes that it reaches Azure.
        permissions: Letters of ``rcwdl``.
    """
    query = {"sv": LINK_VERSION, "sr": "f", "se": sas_time(expires), "sp": permissions}
    text = _service_text(f"/file/{account.name}/{share}/{path}", query)
    query["sig"] = _signature(account.secrets[0], text)
    fields = "&".join(f"{name}={quote(query[name], safe='')}" for name in ("sv", "sr", "sig", "se", "sp"))
    return f"{storage_url(base_url, account.name)}/{share}/{quote(path)}?{fields}"


def blob_link(account: Account, container: str, name: str, *, expires: datetime, base_url: str) -> str:
    """Make a link to one blob like ``file_link``."""
    query = {"sv": LINK_VERSION, "sr": "b", "se": sas_time(expires), "sp": "rl"}
    text = _blob_text(f"/blob/{account.name}/{container}/{name}", query)
    query["sig"] = _signature(account.secrets[0], text)
    fields = "&".join(f"{key}={quote(query[key], safe='')}" for key in ("sv", "sr", "sig", "se", "sp"))
    return f"{storage_url(base_url, account.name, 'blob')}/{container}/{quote(name)}?{fields}"


def sign_account(account: str, secret: bytes, fields: Mapping[str, str]) -> str:
    """Give ``sig`` of an account SAS whose other fields are ``fields``."""
    return _signature(secret, account_text(account, fields))


def sign_service(resource: str, secret: bytes, fields: Mapping[str, str], dialect: Dialect) -> str:
    """Give ``sig`` of a service SAS; ``resource`` is what it is for, such as ``/file/account/share``."""
    return _signature(secret, dialect.text(resource, fields))


def _signature(secret: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(secret, text.encode(), "sha256")).decode()


def account_text(account: str, query: Mapping[str, str]) -> str:
    """Write what an account SAS signs."""
    names = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"]
    if query["sv"] >= _WITH_ENCRYPTION_SCOPE:
        names.append("ses")
    return "\n".join([account, *(query.get(name, "") for name in names), ""])


def _service_text(resource: str, query: Mapping[str, str]) -> str:
    fields = [query.get(name, "") for name in ("sp", "st", "se")]
    fields.append(resource)
    fields += [query.get(name, "") for name in (*_signers(query), "sip", "spr", "sv", *OVERRIDES)]
    return "\n".join(fields)


def _signers(query: Mapping[str, str], *more: str) -> tuple[str, ...]:
    """Name the fields that tell whose key signed; ``more`` stand where Blob has more of them."""
    if "skoid" not in query:
        return ("si",)
    user = ("skdutid", "sduoid") if query["sv"] >= _WITH_USER else ()
    return (*KEY_FIELDS[:-1], *more, *user)


def _resource(account: str, path: str, query: Mapping[str, str]) -> str:
    """Give what a service SAS for this URL must have signed: the file itself, or its share."""
    kind = query.get("sr")
    if kind == "s":
        return f"/file/{account}/{path.strip('/').partition('/')[0]}"
    if kind == "f":
        return f"/file/{account}{path}"
    raise not_authentic(
        "sr is mandatory. Cannot be empty" if not kind else f"sr={kind} is not one of s and f."
    )


def _blob_text(resource: str, query: Mapping[str, str]) -> str:
    """Write what a service SAS for Blob signs: newer versions name the kind of resource, too."""
    more = ("saoid", "suoid", "scid") if query["sv"] >= _WITH_AGENTS else ()
    names = [*_signers(query, *more), "sip", "spr", "sv"]
    if query["sv"] >= _WITH_RESOURCE:
        names += ["sr", "snapshot"]
    if query["sv"] >= _WITH_ENCRYPTION_SCOPE:
        names.append("ses")
    if "skoid" in query and query["sv"] >= _WITH_HEADERS:
        if query.get("srh") or query.get("srq"):
            raise not_authentic(
                "The emulator does not know signatures of headers and query parameters (srh, srq)."
            )
        names += ["srh", "srq"]
    fields = [query.get(name, "") for name in ("sp", "st", "se")]
    signed = {**query, "snapshot": query.get("snapshot") or query.get("versionid", "")}
    return "\n".join([*fields, resource, *(signed.get(name, "") for name in (*names, *OVERRIDES))])


def _blob_resource(account: str, path: str, query: Mapping[str, str]) -> str:
    """Give what a service SAS for this URL must have signed: the blob, a folder of it, or its container."""
    kind = query.get("sr")
    if kind == "c":
        return f"/blob/{account}/{path.strip('/').partition('/')[0]}"
    if kind in ("b", "bs", "bv"):
        return f"/blob/{account}{path}"
    if kind == "d":
        container, *parts = path.strip("/").split("/")
        depth = query.get("sdd", "")
        if not is_number(depth) or read_number(depth) >= len(parts):
            raise not_authentic("sdd is the number of folders above the blob that the signature is for.")
        return "/".join(("/blob", account, container, *parts[: int(depth)]))
    raise not_authentic(
        f"sr={kind} is not one of b, bs, bv, c and d." if kind else "sr is mandatory. Cannot be empty"
    )


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service writes its SAS.

    ``service`` is its name in hosts, ``letter`` in ``ss`` of an account SAS. ``whole`` in ``sr`` is a share
    or container; ``kinds`` are all that it may be. ``resource`` gives what a service SAS for a path must have
    signed (account, path, query), ``text`` the whole string.
    """

    service: str
    letter: str
    whole: str
    kinds: tuple[str, ...]
    resource: Callable[[str, str, Mapping[str, str]], str]
    text: Callable[[str, Mapping[str, str]], str]


FILES = Dialect("file", "f", "s", ("s", "f"), _resource, _service_text)


BLOBS = Dialect("blob", "b", "c", ("c", "b"), _blob_resource, _blob_text)


def not_authentic(detail: str) -> StorageError:
    """Refuse a signature, and say why."""
    return failure("AuthenticationFailed", AuthenticationErrorDetail=detail)
