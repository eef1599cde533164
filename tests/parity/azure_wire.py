"""Azure's wire as it answered, for ``responses``: sign-in, operations, pages, and Azure Files.

The shapes are those of recorded traffic: 202 without a body and an operation to poll, errors with code and
message, lists in pages, files by ranges, error XML that begins with a byte order mark.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    import responses

    Answer = tuple[int, dict[str, str], bytes]

MANAGEMENT = "https://management.azure.com"
FILES = "https://myaccount.file.core.windows.net"
LOGIN = "https://login.microsoftonline.com"
WHEN = "2018-06-06T05:02:36.229Z"
FILE_HEADERS = {
    "ETag": '"0x8D5CB6F0C0A1B2C"',
    "Last-Modified": "Wed, 06 Jun 2018 05:02:36 GMT",
    "x-ms-version": "2019-02-02",
    "x-ms-request-id": "5b2d8c0e-501a-0001-7a5d-fd6b2c000000",
}
ENVIRONMENT = {
    "AZURE_TENANT_ID": "11111111-0000-4000-8000-000000000001",
    "AZURE_CLIENT_ID": "client",
    "AZURE_CLIENT_SECRET": "hunter2-client-secret",
    "AZURE_SUBSCRIPTION_ID": "22222222-0000-4000-8000-000000000002",
    "AZURE_STORAGE_ACCOUNT": "myaccount",
    "AZURE_STORAGE_KEY": "aHVudGVyMi1zdG9yYWdlLWtleQ==",
    "AZURE_POLL_SECONDS": "0.001",
}


@dataclass
class Wire:
    """The wire; a class of what is behind it says the rest.

    ``trouble`` may answer a request in its place: (number from 1, request) -> answer.

    Lists have ``page`` entries at a time; those of files ``file_page`` if it is given.
    """

    trouble: Callable[[int, requests.PreparedRequest], Any] = lambda _number, _request: None
    page: int = 2
    file_page: int = 0
    token_seconds: int = 3600
    sent: list[requests.PreparedRequest] = field(default_factory=list)
    tokens: int = 0
    stale: int = 0
    files: MutableMapping[str, bytes | None] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)

    def mount(self, mock: responses.RequestsMock) -> None:
        """Answer every request of a mock."""
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"):
            mock.add_callback(method, re.compile(r"https://.*"), callback=self.answer)

    def answer(self, request: requests.PreparedRequest) -> Any:
        """Answer one request."""
        url = str(request.url)
        if url.startswith(LOGIN):
            return self._login(url)
        self.sent.append(request)
        met = self.trouble(len(self.sent), request)
        if met == "lost":  # it arrives, and its answer does not
            self._serve(request)
            return requests.ConnectionError("Connection aborted.")
        found = met if met is not None else self._serve(request)
        if request.method == "HEAD" and isinstance(found, tuple):
            return found[0], found[1], b""
        return found

    def _serve(self, request: requests.PreparedRequest) -> Answer:
        url, method = str(request.url), str(request.method)
        path, query = unquote(urlsplit(url).path), parse_qs(urlsplit(url).query)
        if url.startswith(FILES):
            if "sig" in query:
                return self._link(path, request)
            return self._file(method, path, query, request)
        assert request.headers["Authorization"].startswith("Bearer token-")
        self.stale += request.headers["Authorization"] != f"Bearer token-{self.tokens}"
        body = json.loads(request.body) if request.body else {}
        return self._resource(method, path, query, body)

    def _login(self, url: str) -> Answer:
        if url.endswith("openid-configuration"):
            tenant = f"{LOGIN}/{ENVIRONMENT['AZURE_TENANT_ID']}"
            endpoints = {"issuer": f"{tenant}/v2.0", "token_endpoint": f"{tenant}/oauth2/v2.0/token"}
            return as_json(200, {**endpoints, "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize"})
        self.tokens += 1
        seconds = self.token_seconds
        token = {"access_token": f"token-{self.tokens}", "token_type": "Bearer"}
        return as_json(200, {**token, "expires_in": seconds, "ext_expires_in": seconds})

    # Resource manager ------------------------------------------------------------------------------

    def _resource(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        """Answer what is asked of a resource."""
        raise NotImplementedError

    def _operation(self, path: str) -> Answer:
        """Answer a look at an operation: done at the second one."""
        self.polls[path] = self.polls.get(path, 0) + 1
        done = "Succeeded" if self.polls[path] > 1 else "InProgress"
        return as_json(200, {"name": path.rpartition("/")[2], "status": done, "startTime": WHEN})

    def _paged(
        self, path: str, query: dict[str, list[str]], items: list[dict[str, Any]], size: int = 0
    ) -> Answer:
        """Give a page; ``nextLink`` where there are more."""
        first = int(query.get("$skiptoken", ["0"])[0])
        end = first + (size or self.page)
        page: dict[str, Any] = {"value": items[first:end]}
        if end < len(items):
            rest = "&".join(f"{name}={value[0]}" for name, value in query.items() if name != "$skiptoken")
            page["nextLink"] = f"{MANAGEMENT}{path}?{rest}&$skiptoken={end}"
        return as_json(200, page)

    def _accepted(self) -> Answer:
        base = f"{MANAGEMENT}/subscriptions/s/providers/Microsoft.BatchAI/locations/eastus"
        number = f"op{len(self.polls)}-{len(self.sent)}"
        headers = {
            "Azure-AsyncOperation": f"{base}/operationresults/{number}?api-version=2018-05-01",
            "Location": f"{base}/operationresults/{number}?api-version=2018-05-01",
            "Retry-After": "0",
            "Content-Length": "0",
        }
        return 202, headers, b""

    # Files -----------------------------------------------------------------------------------------

    def _linked(self, path: str, request: requests.PreparedRequest) -> bytes:
        """Give the content of a link."""
        raise NotImplementedError

    def _link(self, path: str, request: requests.PreparedRequest) -> Answer:
        content = self._linked(path, request)
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked is None:
            return 200, FILE_HEADERS, content
        if int(asked[1]) >= len(content):
            return error_xml(416, "InvalidRange")
        return 206, FILE_HEADERS, content[int(asked[1]) :]

    def _file(  # noqa: PLR0911 - one return for each kind of request
        self, method: str, path: str, query: dict[str, list[str]], request: requests.PreparedRequest
    ) -> Answer:
        comp = query.get("comp", [""])[0]
        if method == "PUT" and comp == "range":
            data = request.body if isinstance(request.body, bytes) else b""
            first = int(str(request.headers["x-ms-range"]).partition("=")[2].partition("-")[0])
            held = self.files[path] or b""
            self.files[path] = held[:first] + data + held[first + len(data) :]
            return 201, FILE_HEADERS, b""
        if method == "PUT" and comp == "properties":
            self.md5[path] = str(request.headers["x-ms-content-md5"])
            return 200, FILE_HEADERS, b""
        if method == "PUT":
            if path in self.files and "restype" in query:
                return error_xml(
                    409, "ShareAlreadyExists" if path.count("/") == 1 else "ResourceAlreadyExists"
                )
            parent = path.rpartition("/")[0]
            if parent and parent not in self.files:
                return error_xml(404, "ParentNotFound")
            size = request.headers.get("x-ms-content-length")
            self.files[path] = None if size is None else bytes(int(size))
            self.md5.pop(path, None)
            return 201, FILE_HEADERS, b""
        if comp == "list":
            return self._list(path, query)
        content = self.files.get(path)
        if content is None:
            return error_xml(404, "ResourceNotFound", head=method == "HEAD")
        headers = {**FILE_HEADERS, "x-ms-type": "File", "Content-Length": str(len(content))}
        if path in self.md5:
            headers["Content-MD5"] = self.md5[path]
        if method == "HEAD":
            return 200, headers, b""
        first, last = map(int, str(request.headers["x-ms-range"]).partition("=")[2].split("-"))
        part = content[first : last + 1]
        headers |= {
            "Content-Length": str(len(part)),
            "Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(content)}",
        }
        return 206, headers, part

    def _list(self, path: str, query: dict[str, list[str]]) -> Answer:
        if path not in self.files:
            return error_xml(404, "ShareNotFound")
        names = sorted(name for name in self.files if name.rpartition("/")[0] == path)
        first = int(query.get("marker", ["0"])[0])
        end = first + (self.file_page or self.page)
        entries = "".join(
            f"<Directory><Name>{escape(name.rpartition('/')[2])}</Name><Properties/></Directory>"
            if (content := self.files[name]) is None
            else f"<File><Name>{escape(name.rpartition('/')[2])}</Name><Properties>"
            f"<Content-Length>{len(content)}</Content-Length></Properties></File>"
            for name in names[first:end]
        )
        more = end if end < len(names) else ""
        text = (
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Entries>{entries}</Entries>'
            f"<NextMarker>{more}</NextMarker></EnumerationResults>"
        )
        return 200, {**FILE_HEADERS, "Content-Type": "application/xml"}, text.encode()


def as_json(status: int, body: Any) -> Answer:
    """Give a JSON answer."""
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode()


def refused(status: int, code: str, message: str = "The service says no", **headers: str) -> Answer:
    """Give an error of the resource manager."""
    _, plain, body = as_json(status, {"error": {"code": code, "message": message}})
    return status, {**plain, **headers}, body


def missing(path: str) -> Answer:
    """Give the gateway's 404."""
    return refused(404, "ResourceNotFound", f"The Resource '{path}' was not found.")


def error_xml(status: int, code: str, *, head: bool = False) -> Answer:
    """Give an error of Azure Files: its XML begins with a byte order mark."""
    text = (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>Said {code}.\n'
        "RequestId:1\nTime:2018-06-06T05:02:36Z</Message></Error>"
    )
    headers = {**FILE_HEADERS, "x-ms-error-code": code, "Content-Type": "application/xml"}
    return status, headers, b"" if head else text.encode()
