"""Requests that nobody should send, by the tens of thousands."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.security.vocabulary import (
    ACCOUNT,
    BODIES,
    DIGITS,
    HEADERS,
    HOSTS,
    METHODS,
    NAMES,
    PATHS,
    RIGHT,
    SERVICES,
    SUBSCRIPTION,
    VALUES,
    WORDS,
    WORKSPACE,
)
from tests.security.wire import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

_ARM = {"api-version": "2018-05-01"}
_FILE, _BLOB = "/shr/d/f", "/ctr/b"
_OVERRIDES = ("rscc", "rscd", "rsce", "rscl", "rsct")


def signature(key: str, path: str, **fields: str) -> dict[str, str]:
    """Sign a file's or blob's address, with fields however strange."""
    expires = f"{datetime.now(timezone.utc) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    found = {"sv": "2018-11-09", "sr": "f", "sp": "r", "se": expires, **fields}
    kind = "blob" if found["sr"] in ("b", "c") else "file"
    lines = [found.get(name, "") for name in ("sp", "st", "se")] + [f"/{kind}/{ACCOUNT}{path}"]
    lines += [found.get(name, "") for name in ("si", "sip", "spr", "sv")]
    if kind == "blob":
        lines += [found["sr"], found.get("sst", "")]
    lines += [found.get(name, "") for name in _OVERRIDES]
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return {**found, "sig": base64.b64encode(hmac.digest(base64.b64decode(key), text, "sha256")).decode()}


def known(key: str) -> Iterator[Request]:
    """Give the very requests that were once answered 500, or by a closed connection."""
    for service in SERVICES:
        yield Request(service, "GET", PATHS[service][1], _ARM, {"host": "[::1"}, signed=False)
    yield Request("files", "GET", _FILE, {}, {"x-ms-range": f"bytes=0-{DIGITS}"})
    yield Request("files", "PUT", _FILE, {}, {"x-ms-type": "file", "x-ms-content-length": DIGITS})
    for service, path in (("files", _FILE), ("blob", _BLOB)):
        yield Request(
            service, "PUT", path, {}, {"x-ms-blob-type": "BlockBlob", "x-ms-copy-source": "http://[::1"}
        )
    lease = {"restype": "share", "comp": "lease"}
    for name in ("x-ms-lease-duration", "x-ms-lease-break-period"):
        for action in ("acquire", "break"):
            yield Request("files", "PUT", "/shr", lease, {"x-ms-lease-action": action, name: DIGITS})
    quota = {"restype": "share", "comp": "properties"}
    yield Request("files", "PUT", "/shr", quota, {"x-ms-share-quota": DIGITS})
    for name in _OVERRIDES:
        for text in ("\u2026", "a\r\nX-Injected: yes", "\x00"):
            yield Request("files", "GET", _FILE, signature(key, _FILE, **{name: text}), signed=False)
            yield Request("blob", "GET", _BLOB, signature(key, _BLOB, sr="b", **{name: text}), signed=False)
    for text in ("PT99999999999999H", "P9999999999Y", "P9999999999M", f"P{DIGITS}D", f"PT{DIGITS}S"):
        yield Request("arm", "PUT", f"{WORKSPACE}/experiments/e/jobs/j3", _ARM, {}, job(text))
    yield Request(
        "arm", "PUT", f"{WORKSPACE}/clusters/c4", _ARM, {}, cluster({"vmSize": f"STANDARD_D{DIGITS}"})
    )
    usages = f"{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/eastus/usages"
    yield Request("arm", "GET", usages, _ARM)


def corpus(key: str) -> Iterator[Request]:
    """Give the whole kinds of what was once answered wrongly: each value at each place of each service."""
    yield from _hosts()
    yield from _headers()
    yield from _signatures(key)
    yield from _queries()
    yield from _properties()
    yield from _bodies()


def _hosts() -> Iterator[Request]:
    for host in HOSTS:
        for service in SERVICES:
            for path in PATHS[service][:3]:
                for signed in (True, False):
                    yield Request(service, "GET", path, _ARM, {"host": host}, signed=signed)


def _headers() -> Iterator[Request]:
    operations: tuple[dict[str, str], ...] = (
        {},
        {"comp": "range"},
        {"comp": "lease"},
        {"restype": "directory"},
    )
    made = {
        "x-ms-type": "file",
        "x-ms-content-length": "5",
        "x-ms-lease-action": "acquire",
        "x-ms-write": "clear",
    }
    for value in VALUES:
        for name in HEADERS["files"]:
            for query in operations:
                yield Request("files", "PUT", _FILE, query, {**made, name: value})
            yield Request("files", "GET", _FILE, {}, {name: value})
            yield Request("files", "PUT", "/shr", {"restype": "share", "comp": "properties"}, {name: value})
        for name in HEADERS["blob"]:
            yield Request("blob", "PUT", _BLOB, {}, {"x-ms-blob-type": "BlockBlob", name: value}, b"x")
            yield Request("blob", "GET", _BLOB, {}, {name: value})
        for name in HEADERS["arm"]:
            yield Request("arm", "GET", "/subscriptions", _ARM, {name: value})
        for name in HEADERS["identity"]:
            yield Request(
                "identity", "GET", "/MSI/token", {"resource": "x"}, {"metadata": "true", name: value}
            )
            yield Request("identity", "POST", "/common/oauth2/token", {}, {name: value}, b"grant_type=x")


def _signatures(key: str) -> Iterator[Request]:
    for value in VALUES:
        for name in _OVERRIDES:
            yield Request("files", "GET", _FILE, signature(key, _FILE, **{name: value}), signed=False)
            yield Request("blob", "GET", _BLOB, signature(key, _BLOB, sr="b", **{name: value}), signed=False)
        for name in ("sip", "spr", "st", "se", "sp", "sv"):
            yield Request("files", "GET", _FILE, signature(key, _FILE, **{name: value}), signed=False)


def _queries() -> Iterator[Request]:
    for value in VALUES:
        for service in ("files", "blob"):
            for name in NAMES[service]:
                for path in PATHS[service][:4]:
                    query = {"comp": "list", "restype": _kind(path, service), name: value}
                    yield Request(service, "GET", path, query)
        for name in NAMES["arm"]:
            for path in PATHS["arm"]:
                yield Request("arm", "GET", path, {**_ARM, name: value})


def _properties() -> Iterator[Request]:
    for value in VALUES:
        yield Request("arm", "PUT", f"{WORKSPACE}/experiments/e/jobs/j2", _ARM, {}, job(value))
        for name in CLUSTER:
            where = f"{WORKSPACE}/clusters/{name}"
            yield Request("arm", "PUT", where, _ARM, {}, cluster({name: value}))
            yield Request("arm", "DELETE", where, _ARM)


def _bodies() -> Iterator[Request]:
    for service in SERVICES:
        for path in PATHS[service]:
            for body in BODIES:
                for method in ("PUT", "POST", "PATCH"):
                    for query in _operations(service):
                        yield Request(service, method, path, query, {}, body)


def _operations(service: str) -> tuple[dict[str, str], ...]:
    if service == "arm":
        versions = ("2018-05-01", "2018-03-01", "2017-09-01-preview", "2018-07-01")
        return tuple({"api-version": version} for version in versions)
    if service == "files":
        return (
            {},
            {"restype": "share", "comp": "acl"},
            {"restype": "service", "comp": "properties"},
            {"restype": "share", "comp": "filepermission"},
            {"comp": "range"},
        )
    return (
        {},
        {"comp": "blocklist"},
        {"comp": "block", "blockid": "AAAA"},
        {"restype": "container", "comp": "acl"},
    )


def _kind(path: str, service: str) -> str:
    if service == "blob":
        return "container" if path.count("/") == 1 and path != "/" else ""
    return "" if path == "/" else "directory"


def job(value: str) -> bytes:
    """Write the body of a job with a value wherever it may be wrong."""
    body = {
        "properties": {
            "cluster": {"id": f"{WORKSPACE}/clusters/c"},
            "nodeCount": 1,
            "stdOutErrPathPrefix": value if value.startswith(("/", "$")) else "/tmp",
            "customToolkitSettings": {"commandLine": value},
            "constraints": {"maxWallClockTime": value if value.startswith("P") else "P1D"},
            "environmentVariables": [{"name": unquote(value) or "x", "value": value}],
        }
    }
    return json.dumps(body).encode()


CLUSTER = {
    "vmSize": "STANDARD_D1",
    "adminUserName": "me",
    "adminUserPassword": "secret",
    "accountName": ACCOUNT,
    "azureFileUrl": f"https://{ACCOUNT}.file.core.windows.net/shr",
    "accountKey": "c2VjcmV0",
    "relativeMountPath": "mount",
}
"""The properties of a cluster, each of which may be wrong."""


def cluster(wrong: Mapping[str, str] | None = None, *, mounted: bool = True) -> bytes:
    """Write the body of a cluster without nodes, with some values in place of right ones."""
    found = {**CLUSTER, **(wrong or {})}
    share = {
        "accountName": found["accountName"],
        "azureFileUrl": found["azureFileUrl"],
        "credentials": {"accountKey": found["accountKey"]},
        "relativeMountPath": found["relativeMountPath"],
    }
    body = {
        "properties": {
            "vmSize": found["vmSize"],
            "scaleSettings": {"manual": {"targetNodeCount": 0}},
            "userAccountSettings": {name: found[name] for name in ("adminUserName", "adminUserPassword")},
            **({"nodeSetup": {"mountVolumes": {"azureFileShares": [share]}}} if mounted else {}),
        },
    }
    return json.dumps(body).encode()


def mixed(choose: Random) -> Request:
    """Make a request at random, near enough to a right one that much of it is looked at."""
    service = choose.choice(SERVICES)
    path = choose.choice(PATHS[service])
    if choose.random() < 0.1:
        at = choose.randrange(len(path) + 1)
        path = path[:at] + choose.choice(VALUES)[:300] + path[at:]
    query = {"api-version": choose.choice(("2018-05-01", "2018-03-01", "2017-09-01-preview", "2018-07-01"))}
    if service != "arm":
        query = {name: choose.choice(WORDS) for name in ("restype", "comp") if choose.random() < 0.6}
    for name in choose.sample(NAMES[service], choose.choice((0, 0, 1, 1, 2))):
        query[name] = choose.choice(VALUES)
    names = choose.sample(HEADERS[service], choose.choice((0, 1, 1, 2, 4)))
    headers = {name: choose.choice(VALUES) for name in names}
    if choose.random() < 0.5:
        headers = {**RIGHT, **headers}
    method = choose.choice(METHODS if choose.random() < 0.2 else METHODS[:4])
    body = choose.choice(BODIES)
    return Request(service, method, path, query, headers, body, signed=choose.random() < 0.95)
