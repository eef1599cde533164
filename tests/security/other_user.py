"""What another user of this machine tries: each way to be answered, with credentials and without.

Run as ``python other_user.py URL PROXY_PORT... < JSON``; the JSON is what a careless owner may have given
away: a token, a client's secret, an account's key, the stop key. Prints a line of JSON: way -> HTTP status.
It imports nothing of ours, and starts as root to become ``nobody`` itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import pwd
import socket
import ssl
import sys
from email.utils import formatdate
from urllib.parse import urlencode, urlsplit

RESOURCE = "https://management.azure.com/"


def become_nobody() -> None:
    """Give up all rights, as far as there are any."""
    "localhost".encode("idna")  # afterwards, not even Python's own modules may be readable
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)


def signed(account: str, key: str, service: str) -> dict[str, str]:
    """Sign a listing of an account."""
    date = formatdate(usegmt=True)
    lines = ["GET", *[""] * 11, f"x-ms-date:{date}", "x-ms-version:2018-11-09"]
    prefix = "" if service == "file" else "/blob"
    text = "\n".join([*lines, f"/{account}{prefix}/{account}/", "comp:list"])
    code = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
    return {
        "x-ms-date": date,
        "x-ms-version": "2018-11-09",
        "Authorization": f"SharedKey {account}:{code}",
    }


def ways(told: dict[str, str]) -> dict[str, tuple[str, str, dict[str, str], str]]:
    """List requests: method, path, headers, body."""
    bearer = {"Authorization": f"Bearer {told['token']}"}
    form = {"grant_type": "client_credentials", "client_id": told["client"], "client_secret": told["secret"]}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    account, key = told["account"], told["key"]
    msi = {"resource": RESOURCE}
    group = "/subscriptions/s/resourceGroups/g?api-version=2018-05-01"
    return {
        "page": ("GET", "/ui/api/overview", {"Cookie": told["page"]}, ""),
        "health": ("GET", "/.emulator/health", {}, ""),
        "stop": ("POST", "/.emulator/stop", {"Authorization": f"Bearer {told['stop']}"}, ""),
        "nothing": ("GET", "/", {}, ""),
        "arm": ("GET", "/subscriptions?api-version=2018-05-01", bearer, ""),
        "arm change": (
            "PUT",
            group,
            {**bearer, "Content-Type": "application/json"},
            '{"location": "eastus"}',
        ),
        "token v1": ("POST", "/common/oauth2/token", kind, urlencode({**form, "resource": RESOURCE})),
        "token v2": (
            "POST",
            "/common/oauth2/v2.0/token",
            kind,
            urlencode({**form, "scope": f"{RESOURCE}.default"}),
        ),
        "discovery": ("GET", "/common/v2.0/.well-known/openid-configuration", {}, ""),
        "endpoints": ("GET", "/metadata/endpoints?api-version=1.0", {}, ""),
        "msi": ("GET", f"/MSI/token?{urlencode(msi)}", {"Metadata": "true"}, ""),
        "msi post": ("POST", "/MSI/token", {"Metadata": "true", **kind}, urlencode(msi)),
        "msi secret": ("GET", f"/MSI/token?{urlencode(msi)}", {"X-IDENTITY-HEADER": told["secret"]}, ""),
        "imds": ("GET", f"/metadata/identity/oauth2/token?{urlencode(msi)}", {"Metadata": "true"}, ""),
        "files": ("GET", f"/{account}/?comp=list", signed(account, key, "file"), ""),
        "blob": ("GET", f"/blob/{account}/?comp=list", signed(account, key, "blob"), ""),
    }


def ask(url: str, request: tuple[str, str, dict[str, str], str]) -> int:
    """Send a request; gives the status."""
    where = urlsplit(url)
    if where.scheme == "https":
        context = ssl._create_unverified_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=10, context=context
        )
    else:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    method, path, headers, body = request
    try:
        connection.request(method, path, body.encode() or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def through(port: int, head: str) -> int:
    """Ask a proxy; gives the status of its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(head.encode())
        return int(line.makefile("rb").readline().split()[1])


def main() -> None:
    """Try everything."""
    told = json.load(sys.stdin)
    become_nobody()
    url, blob_url, https_url, *ports = sys.argv[1:]
    found = {name: ask(url, request) for name, request in ways(told).items()}
    account = told["account"]
    blobs = ("GET", f"/{account}/?comp=list", signed(account, told["key"], "blob"), "")
    found["blob port"] = ask(blob_url, blobs)
    if https_url:
        found.update({f"TLS {name}": ask(https_url, request) for name, request in ways(told).items()})
    for port in ports:
        for host in ("management.azure.com:443", "example.org:443"):
            head = f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"
            found[f"connect {host} {port}"] = through(int(port), head)
        imds = "http://169.254.169.254/metadata/identity/oauth2/token?resource=x"
        head = f"GET {imds} HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\n\r\n"
        found[f"imds {port}"] = through(int(port), head)
        found[f"rubbish {port}"] = through(int(port), "\0\r\n\r\n")
    print(json.dumps(found))  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
