"""Check our answers against a folder with published descriptions of Microsoft.BatchAI and their examples.

The folder holds ``batchai/<api-version>/BatchAI.json`` and ``batchai/<api-version>/examples/*.json``, as
Azure's public repository of REST API descriptions does. We carry no copy of it::

    python -m tests.spec.check FOLDER     # prints what differs; exit status 1 if something is not listed

The examples' own bodies are sent in the order in which resources need each other, to a front over fakes.
Answers are checked against the schemas, and against the examples' answers: which properties there are, and
the values that follow from the request. What differs is known by (version, place, what) and must be listed
in ``differences.py`` with a reason; a listed difference that is gone must be taken off the list.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState
from batchai_scenario.emulator.errors import Problem, ServiceError
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from tests.front.conftest import Front
from tests.front.fakes import FakeClusters, FakeFiles
from tests.spec.differences import DIFFERENCES
from tests.spec.world import Specified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VOLATILE = re.compile(
    r"((\.|^)(id|\w*[tT]ime|nextLink|downloadUrl|nodeId|ipAddress|port|lastModified|contentLength)|"
    r"\w*PathSegment|\w*IP)$|^(value\[\]\.)?name$"
)
"""Values that differ from call to call, or from machine to machine; names of resources are the caller's."""

_FORMATS = {
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z"),
    "duration": re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?"),
}
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


class Difference(NamedTuple):
    """One difference: where (operation and JSON path, ``[]`` for any item), and what."""

    version: str
    operation: str
    path: str
    what: str


class Description:
    """A published description."""

    def __init__(self, folder: Path, version: str) -> None:
        self.version = version
        self._content = json.loads((folder / version / "BatchAI.json").read_text(encoding="utf-8-sig"))
        self._folder = folder / version

    def operations(self) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
        """Give (operationId, method, path, description)."""
        for path, methods in self._content["paths"].items():
            for method, described in methods.items():
                yield described["operationId"], method.upper(), path, described

    def examples(self, described: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Give an operation's examples."""
        for reference in described.get("x-ms-examples", {}).values():
            yield json.loads((self._folder / reference["$ref"]).read_text(encoding="utf-8-sig"))

    def check(self, schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[tuple[str, str]]:
        """Give (path, what) for all that a value has and its schema does not allow."""
        schema = self._resolved(schema)
        kind = schema.get("type", "object" if "properties" in schema else "")
        expected = _TYPES.get(kind)
        if expected is not None and (
            not isinstance(value, expected) or (kind != "boolean" and value is True)
        ):
            yield path, f"is no {kind}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield path, f"is '{value}', which is not in the schema"
        form = _FORMATS.get(schema.get("format", ""))
        if form is not None and form.fullmatch(value) is None:
            yield path, f"is no {schema['format']}"
        if kind == "array":
            for item in value:
                yield from self.check(schema["items"], item, f"{path}[]")
        if kind == "object" and "properties" in schema:
            yield from self._check_object(schema, value, path)

    def _check_object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], path: str
    ) -> Iterator[tuple[str, str]]:
        properties = schema["properties"]
        for name in schema.get("required", ()):
            if name not in value:
                yield _below(path, name), "is required by the schema and not there"
        for name, item in value.items():
            if name not in properties:
                yield _below(path, name), "is not in the schema"
            else:
                yield from self.check(properties[name], item, _below(path, name))

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._content["definitions"][schema["$ref"].rpartition("/")[2]]
        merged: dict[str, Any] = {**schema, "properties": dict(schema.get("properties", {}))}
        for part in schema.get("allOf", ()):
            merged["properties"] |= self._resolved(part)["properties"]
        if not merged["properties"]:
            del merged["properties"]
        return merged


def compare(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Give (path, what) for all in which our answer differs from an example's."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted({*theirs, *ours}):
            where = _below(path, name)
            if theirs.get(name) is None and name in theirs and name not in ours:
                continue  # null is absent
            if name not in ours:
                yield where, "is in the example only"
            elif name not in theirs:
                yield where, "is not in the example"
            else:
                yield from compare(theirs[name], ours[name], where)
    elif isinstance(theirs, list) and isinstance(ours, list):
        yield from _compare_lists(theirs, ours, f"{path}[]")
    elif theirs != ours and not _VOLATILE.search(path):
        yield path, f"is '{theirs}' in the example, ours is '{ours}'"


def _compare_lists(theirs: list[Any], ours: list[Any], path: str) -> Iterator[tuple[str, str]]:
    """Compare item by item; of many, those that have the same name."""
    if len(theirs) == len(ours) == 1 or not all(_name(item) for item in (*theirs, *ours)):
        for one, other in zip(theirs, ours, strict=False):
            yield from compare(one, other, path)
        return
    named = {_name(item): item for item in ours}
    for item in theirs:
        if _name(item) in named:
            yield from compare(item, named[_name(item)], path)
        else:
            yield path, f"'{_name(item)}' is in the example only"


def _name(item: Any) -> str:
    name = item.get("name", "") if isinstance(item, dict) else ""
    return name["value"] if isinstance(name, dict) else name


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class Check:
    """Asks one version for every operation and collects what differs."""

    def __init__(self, folder: Path, front: Front, version: str) -> None:
        self._described = Description(folder, version)
        self._front = front
        self._world = Specified(front, version)
        self.found: dict[Difference, None] = {}

    def run(self) -> None:
        """Ask for everything: create, read, change, end, delete."""
        order = ("Create", "Get", "List", "Update", "Terminate", "Delete")
        operations = sorted(
            self._described.operations(),
            key=lambda item: [item[0].partition("_")[2].startswith(verb) for verb in order].index(True),
        )
        creating = [item for item in operations if item[0].endswith("_Create")]
        parents = ("Workspaces", "Experiments", "FileServers", "Clusters", "Jobs")
        creating.sort(key=lambda item: parents.index(item[0].partition("_")[0]))
        going = [item for item in operations if item[0].endswith("_Delete")]
        going.sort(key=lambda item: -parents.index(item[0].partition("_")[0]))
        between = [item for item in operations if item not in creating and item not in going]
        for number, item in enumerate([*creating, *between, *going]):
            if number == len(creating):
                self._as_in_examples()
            if number == len(creating) + len(between):
                self._look_at_ended_jobs(between)
            self._ask(*item)

    def _as_in_examples(self) -> None:
        """Let the job run, and the cluster have no node yet."""
        fakes = self._front.clusters
        for key, job in fakes.jobs.items():
            fakes.jobs[key] = replace(job, execution_state=ExecutionState.RUNNING, started_at=job.created_at)
        for key, cluster in fakes.clusters.items():
            fakes.clusters[key] = replace(cluster, allocation_state=AllocationState.RESIZING, nodes=())

    def _look_at_ended_jobs(self, operations: list[tuple[str, str, str, Mapping[str, Any]]]) -> None:
        """Let the jobs fail: examples show running ones alone, the schema says what an ended one may tell."""
        for job in self._front.clusters.jobs.values():
            self._front.clusters.finish(job.key.name.lower(), 3, Problem("JobFailed", "It failed."))
        (name, method, path, described) = next(item for item in operations if item[0] == "Jobs_Get")
        answer = self._world.ask(method, path, None)
        schema = described["responses"]["200"]["schema"]
        for where, what in self._described.check(schema, answer.body):
            self._differs(name, where, what)

    def _ask(self, name: str, method: str, path: str, described: Mapping[str, Any]) -> None:
        for example in self._described.examples(described):
            body = self._fitted(example["parameters"].get("parameters"))
            while True:
                try:
                    answer = self._world.ask(method, path, body)
                except ServiceError as error:
                    self._differs(name, error.target, f"is refused: {error.code}")
                    if not (error.code == "PropertyNotSupported" and _take_out(body, error.target)):
                        break
                    continue
                self._look_at(name, described, example, answer.status, answer.body)
                break

    def _look_at(
        self,
        name: str,
        described: Mapping[str, Any],
        example: Mapping[str, Any],
        status: int,
        body: Mapping[str, Any] | None,
    ) -> None:
        if str(status) not in described["responses"]:
            self._differs(name, "", f"status {status} is not in the description")
            return
        schema = described["responses"][str(status)].get("schema")
        if schema is not None and body is not None:
            for path, what in self._described.check(schema, body):
                self._differs(name, path, what)
        answers = example["responses"].get(str(status)) or {}
        theirs = answers.get("body", answers.get("parameters"))
        if theirs is not None and body is not None:
            for path, what in compare(theirs, body):
                self._differs(name, path, what)

    def _differs(self, name: str, path: str, what: str) -> None:
        self.found[Difference(self._described.version, name, path, what)] = None

    def _fitted(self, body: Any) -> Any:
        """Put our names in the place of the example's, where resources refer to each other."""
        if body is None:
            return None
        text = json.dumps(body)
        for kind in ("clusters", "fileServers"):
            there = re.compile(rf'"/subscriptions/[^"]*/{kind}/[^"]*"', re.IGNORECASE)
            text = there.sub(json.dumps(self._world.path(kind)), text)
        return json.loads(text)


def _take_out(body: Any, path: str) -> bool:
    """Take what is refused out of a body, so that the rest is checked."""
    *parents, last = re.findall(r"[^.\[\]]+", path)
    for part in parents:
        body = body[int(part)] if part.isdigit() else body.get(part)
        if body is None:
            return False
    return body.pop(last, None) is not None


def check(folder: Path, home: Path) -> list[Difference]:
    """Check all versions; ``folder`` holds ``batchai``, ``home`` is for state."""
    found: list[Difference] = []
    for version in delivered():
        store = Store(home / f"{version}.sqlite3", Seal.at(home / "seal.key"))
        clock = ManualClock()
        front = Front(store, clock, FakeClusters(clock), FakeFiles(), Home(home / version))
        checked = Check(folder / "batchai", front, version)
        checked.run()
        store.close()
        found += checked.found
    return found


def undescribed(folder: Path) -> list[str]:
    """Name the operations that stand in a description and not in our table, or the other way round."""
    wrong = []
    for version, rows in [(name, version.OPERATIONS) for name, version in delivered().items()]:
        described = Description(folder / "batchai", version)
        theirs = {(name, method, path) for name, method, path, _ in described.operations()}
        ours = {(row.name, row.method, row.path) for row in rows}
        wrong += [f"{version} {name}" for name, *_ in sorted(theirs ^ ours)]
    return wrong


def unlisted(found: list[Difference]) -> tuple[list[Difference], list[str]]:
    """Give the differences that are on no list, and the list's patterns that nothing matches."""
    left = [one for one in found if not any(known.matches(*one) for known in DIFFERENCES)]
    stale = [str(known) for known in DIFFERENCES if not any(known.matches(*one) for one in found)]
    return left, stale


def main(folder: str) -> int:
    """Print what differs and is not listed."""
    with tempfile.TemporaryDirectory() as home:
        found = check(Path(folder), Path(home))
    left, stale = unlisted(found)
    for line in [*undescribed(Path(folder)), *left, *stale]:
        print(line)  # noqa: T201 - a program for people
    print(f"{len(found)} differences, {len(left)} of them not listed; {len(stale)} listed and not there")  # noqa: T201
    return 1 if left or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
