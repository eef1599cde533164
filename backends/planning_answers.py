"""The answers of a place where nothing exists yet and everything goes well: for plans."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEN = "2018-06-06T12:00:00Z"
FILE_HEADERS = {"ETag": '"0x1"', "Last-Modified": "Wed, 06 Jun 2018 12:00:00 GMT", "x-ms-request-id": "plan"}
EMPTY_LIST = b"<EnumerationResults><Entries/><NextMarker/></EnumerationResults>"


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """An answer: status, headers and content."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


class Answers:
    """Answers management and file requests, remembering what was created.

    Creations are done at once, a job has succeeded when it is looked at, and no output is listed.
    """

    def __init__(self, storage_url: str) -> None:
        self._storage = storage_url
        self._resources: dict[str, dict[str, Any]] = {}
        self._files: set[str] = set()

    def to(self, method: str, url: str, body: Mapping[str, Any] | None) -> PlannedAnswer:
        """Answer a request."""
        path = unquote(urlsplit(url).path)
        if url.startswith(self._storage + "/"):
            return self._file(method, path, parse_qs(urlsplit(url).query))
        return self._resource(method, path, body)

    def _file(self, method: str, path: str, query: Mapping[str, list[str]]) -> PlannedAnswer:
        if method == "PUT":
            self._files.add(path)
            created = "comp" not in query or query["comp"] == ["range"]
            return PlannedAnswer(201 if created else 200, FILE_HEADERS)
        if path not in self._files:
            return PlannedAnswer(404, {"x-ms-error-code": "ResourceNotFound"})
        if query.get("comp") == ["list"]:
            return PlannedAnswer(200, FILE_HEADERS, EMPTY_LIST)
        return PlannedAnswer(200, {**FILE_HEADERS, "Content-Length": "0"})

    def _resource(self, method: str, path: str, body: Mapping[str, Any] | None) -> PlannedAnswer:
        key = path.lower()
        if method == "PUT":
            self._resources[key] = _made(path, body or {})
            return _json(200, self._resources[key])
        if method == "DELETE":
            gone = [name for name in self._resources if name == key or name.startswith(key + "/")]
            for name in gone:
                del self._resources[name]
            return PlannedAnswer(200)
        if method == "POST":
            return _json(200, {"value": []}) if key.endswith("/listoutputfiles") else PlannedAnswer(200)
        if key in self._resources:
            return PlannedAnswer(204) if method == "HEAD" else _json(200, _looked_at(self._resources[key]))
        if method == "GET" and _is_list(key):
            below = [item for name, item in self._resources.items() if name.rpartition("/")[0] == key]
            return _json(200, {"value": [_looked_at(item) for item in below]})
        return _json(404, {"error": {"code": "ResourceNotFound", "message": "Nothing is there yet."}})


def _is_list(path: str) -> bool:
    """Tell a list by its path: below a provider or a group, names stand in every second place."""
    _, _, below = path.partition("/providers/")
    return path.endswith("/resources") or (bool(below) and len(below.split("/")) % 2 == 0)


def _made(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a resource as it is just created."""
    kind, _, name = path.rpartition("/")
    properties = dict(body.get("properties", {}))
    properties |= {"provisioningState": "succeeded", "creationTime": WHEN}
    if kind.endswith("/jobs"):
        properties |= {"executionState": "queued"}
    if kind.endswith("/clusters"):
        nodes = properties.get("scaleSettings", {}).get("manual", {}).get("targetNodeCount", 0)
        counts = {"idleNodeCount": nodes}
        properties |= {"allocationState": "steady", "currentNodeCount": nodes, "nodeStateCounts": counts}
    return {**body, "id": path, "name": name, "properties": properties}


def _looked_at(resource: dict[str, Any]) -> dict[str, Any]:
    """Give a resource as it stands when it is looked at: a job has succeeded."""
    if resource["properties"].get("executionState") != "queued":
        return resource
    info = {"startTime": WHEN, "endTime": WHEN, "exitCode": 0}
    done = {**resource["properties"], "executionState": "succeeded", "executionInfo": info}
    return {**resource, "properties": done}


def _json(status: int, body: Mapping[str, Any]) -> PlannedAnswer:
    return PlannedAnswer(
        status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode()
    )
