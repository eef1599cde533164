"""A run bundle as a backend: it gives what was given, and sends nothing anywhere."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import BackendError, NotFound, UserError
from batchai_scenario.backends.wrappers.base import Wrapper
from batchai_scenario.backends.wrappers.bundles import FORMAT, pack, unpack, unpack_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Capabilities

NAMED = ("ensure_place", "ensure_share")
"""The calls by which a run says its own names: these stand for the recorded ones from then on."""


class ReplayBackend(Wrapper):
    """Answers each call with what the bundle has for it.

    A call that was made several times is answered in the recorded order; the last answer stays. Names of
    group, workspace, experiment, cluster and share may be others than those that were recorded: they are
    matched by the order in which a run names them, and come back as the run's own.
    """

    name = "replay"

    def __init__(self, about: Mapping[str, Any], calls: list[dict[str, Any]], folder: Path) -> None:
        self._about = about
        self._folder = folder
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._first: dict[str, deque[Any]] = {}
        self._answers: dict[str, deque[dict[str, Any]]] = {}
        for entry in calls:
            key = _key(entry["call"], entry["arguments"])
            self._answers.setdefault(key, deque()).append(entry)
            first = self._first.setdefault(entry["call"], deque())
            if entry["arguments"] not in first:
                first.append(entry["arguments"])

    @classmethod
    def read(cls, folder: Path) -> ReplayBackend:
        """Read a bundle.

        Raises:
            UserError: there is none, or it is of another format.
        """
        try:
            about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
            lines = (folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
            calls = [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise UserError(f"is no recording: {error}", field=str(folder)) from None
        if about.get("format") != FORMAT:
            raise UserError(f"is a recording of another format than {FORMAT}", field=str(folder))
        return cls(about, calls, folder)

    def capabilities(self) -> Capabilities:
        """Say what the recorded backend could do."""
        found: Capabilities = unpack(self._about["capabilities"])
        return replace(found, readies=False)  # nothing runs here

    def details(self) -> Mapping[str, str]:
        """Say what was recorded, and when."""
        return {
            **self._about["details"],
            "wrapper": self.name,
            "backend inside": str(self._about["backend"]),
            "recorded": str(self._about["begun"]),
            "bundle": str(self._folder),
        }

    def wait_hint(self) -> float:
        """Wait hardly at all: everything has happened."""
        return min(0.01, float(self._about["waitHint"]))

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def around(self, call: str, arguments: tuple[Any, ...], work: Callable[[], Any]) -> Any:  # noqa: ANN401, ARG002
        """Give the recorded result, or raise the recorded error."""
        entry = self._answer(call, pack(arguments))
        if "error" in entry:
            raise unpack_error(self._own(entry["error"]))
        return unpack(self._own(entry["result"]))

    def reading(
        self,
        call: str,
        arguments: tuple[Any, ...],
        work: Callable[[], Iterator[bytes]],  # noqa: ARG002 - there is nothing inside
    ) -> Iterator[bytes]:
        """Give the recorded content, then the recorded error if there was one."""
        entry = self._answer(call, pack(arguments))
        content = (self._folder / "contents" / entry["content"]).read_bytes()
        if content:
            yield content
        if "error" in entry:
            raise unpack_error(self._own(entry["error"]))

    def _answer(self, call: str, asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        with self._lock:
            if call in (*NAMED, "create_cluster", "submit"):
                self._learn(call, asked)
            answers = self._answers.get(_key(call, self._recorded(asked)))
            if not answers:
                said = f"the recording has no answer to {call} {json.dumps(asked)[:200]}"
                raise (NotFound if call.startswith(("get_", "list_", "read_")) else BackendError)(said)
            return answers.popleft() if len(answers) > 1 else answers[0]

    def _learn(self, call: str, asked: Any) -> None:  # noqa: ANN401 - JSON
        """Take the names of a call for those of the first recorded call that was not matched yet."""
        waiting = self._first.get(call, deque())
        if self._recorded(asked) in waiting:
            waiting.remove(self._recorded(asked))
        elif waiting and call in (*NAMED, "create_cluster"):
            for mine, theirs in zip(_names(asked), _names(waiting.popleft()), strict=True):
                if mine != theirs:
                    self._names.setdefault(mine, theirs)

    def _recorded(self, asked: Any) -> Any:  # noqa: ANN401 - JSON
        return _renamed(asked, self._names)

    def _own(self, given: Any) -> Any:  # noqa: ANN401 - JSON
        return _renamed(given, {theirs: mine for mine, theirs in self._names.items()})


def _names(asked: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Give the names in the arguments of a call that names something."""
    [first] = asked
    if isinstance(first, str):
        return [first]
    place = first.get("place", first)
    own = [first["name"]] if "place" in first else []
    return [place["group"], place["workspace"], place["experiment"], *own]


def _renamed(data: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    if not names:
        return data
    text = json.dumps(data)
    for one, other in sorted(names.items(), key=lambda item: -len(item[0])):
        text = text.replace(one, other)
    return json.loads(text)


def _key(call: str, asked: Any) -> str:  # noqa: ANN401 - JSON
    """Give what a call is known by; bodies do not count, for a run's random password stands in them."""
    return json.dumps([call, [_bare(item) for item in asked]], sort_keys=True)


def _bare(item: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(item, dict) and "properties" in item:
        return {name: inner for name, inner in item.items() if name != "properties"}
    return item
