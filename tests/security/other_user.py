"""What another user of this machine tries: each way to be answered, with credentials and without.

Run as ``python other_user.py URL BLOB_URL HTTPS_URL PROXY_PORT... < JSON``; the JSON is what a careless owner
may have given away: a token, a client's secret, an account's key, the stop key, and ``doors``, ports for ssh.
Prints a line of JSON: way -> HTTP status; of ssh 401 if the door is shut at once.
Run as ``python other_user.py crowd PORT NUMBER`` it opens connections, says so, and waits for a word.
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


def signed(account: str, key: str, service: str, *, host: bool = False) -> dict[str, str]:
    """Sign a listing of an account; ``host``: at a host of the account's own."""
    date = formatdate(usegmt=True)
    lines = ["GET", *[""] * 11, f"x-ms-date:{date}", "x-ms-version:2018-11-09"]
    path = "" if host else f"/{account}" if service == "file" else f"/blob/{account}"
    text = "\n".join([*lines, f"/{account}{path}/", "comp:list"])
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
    json_kind = {"Content-Type": "application/json"}
    cookie = {"Cookie": told["page"]}
    azure = "core.windows.net"
    group = "/subscriptions/s/resourceGroups/g?api-version=2018-05-01"
    return {
        "page": ("GET", "/ui/api/overview", cookie, ""),
        "page itself": ("GET", "/ui/", cookie, ""),
        "page by token": ("GET", f"/ui?token={told['page'].partition('=')[2]}", {}, ""),
        "page script": ("GET", "/ui/static/base.js", cookie, ""),
        "page events": ("GET", "/ui/api/events", cookie, ""),
        "page files": ("GET", f"/ui/api/files?account={account}&share=data", cookie, ""),
        "page upload": ("PUT", f"/ui/api/file?account={account}&share=data&path=x", cookie, "x"),
        "page change": ("POST", "/ui/api/job/delete", {**cookie, **json_kind}, "{}"),
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
        "files anonymous": ("GET", f"/{account}/data?restype=container&comp=list", {}, ""),
        "files preflight": (
            "OPTIONS",
            f"/{account}/data",
            {"Origin": "https://x", "Access-Control-Request-Method": "GET"},
            "",
        ),
        **{
            f"host {host}": ("GET", path, {"Host": host, **headers}, "")
            for host, path, headers in (
                ("management.azure.com", "/subscriptions?api-version=2018-05-01", bearer),
                ("login.microsoftonline.com", "/common/v2.0/.well-known/openid-configuration", {}),
                ("graph.windows.net", "/x/applications?api-version=1.6", bearer),
                (f"{account}.file.{azure}", "/?comp=list", signed(account, key, "file", host=True)),
                (f"{account}.blob.{azure}", "/?comp=list", signed(account, key, "blob", host=True)),
                ("evil.example", "/", {}),
                ("[::1", "/", {}),
            )
        },
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
        return connection.getresponse().status
    finally:
        connection.close()


def through(port: int, head: str, host: str = "127.0.0.1") -> int:
    """Ask a proxy; gives the status of its answer."""
    with socket.create_connection((host, port), timeout=10) as line:
        line.sendall(head.encode())
        return int(line.makefile("rb").readline().split()[1])


def knocked(port: int) -> int:
    """Knock at a door for ssh; gives 401 if it is shut after its name, 200 if it goes on with keys."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        try:
            line.sendall(b"SSH-2.0-x\r\n")
            said = line.makefile("rb")
            return 200 if said.readline() and said.read(1) else 401
        except ConnectionError:
            return 401


def crowd(port: int, number: int) -> None:
    """Take as many places as one can get."""
    taken = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(number)]
    print(len(taken), flush=True)  # noqa: T201 - its answer
    sys.stdin.readline()


def main() -> None:
    """Try everything."""
    if sys.argv[1] == "crowd":
        become_nobody()
        crowd(*map(int, sys.argv[2:]))
        return
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
    found.update({f"ssh {door}": knocked(door) for door in told.get("doors", ())})
    for name, where in (("own", url), ("blob", blob_url)):
        host, own = urlsplit(where).hostname or "", urlsplit(where).port or 0
        found[f"rubbish {name}"] = through(own, "\0\r\n\r\n", host)
    print(json.dumps(found))  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
