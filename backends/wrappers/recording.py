"""A backend that writes down what it is asked and what it gives: a run bundle."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.backends.errors import BackendError, MachineError, UserError
from batchai_scenario.backends.wrappers.base import Wrapper
from batchai_scenario.backends.wrappers.bundles import FORMAT, pack, pack_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend

T = TypeVar("T")


class RecordingBackend(Wrapper):
    """Writes a bundle into ``folder``, which must not hold one already.

    Raises:
        UserError: there is a bundle already.
    """

    name = "recording"

    def __init__(self, inner: Backend, folder: Path) -> None:
        super().__init__(inner)
        self.folder = folder
        self._lock = threading.Lock()
        if (folder / "bundle.json").exists():
            inner.close()
            raise UserError("holds a recording already", field=str(folder), hint="name another folder")
        (folder / "contents").mkdir(mode=0o700, parents=True, exist_ok=True)
        about = {
            "format": FORMAT,
            "backend": inner.name,
            "details": dict(inner.details()),
            "capabilities": pack(inner.capabilities()),
            "waitHint": inner.wait_hint(),
            "begun": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        }
        (folder / "bundle.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        self._calls = (folder / "calls.jsonl").open("a", encoding="utf-8")

    def details(self) -> Mapping[str, str]:
        """Say where the bundle is."""
        return {**super().details(), "bundle": str(self.folder)}

    def close(self) -> None:
        """Close the bundle and the backend inside."""
        super().close()
        with self._lock:
            self._calls.close()

    def _write(self, call: str, asked: Any, **came: Any) -> None:  # noqa: ANN401 - JSON
        with self._lock:
            if not self._calls.closed:
                self._calls.write(json.dumps({"call": call, "arguments": asked, **came}) + "\n")
                self._calls.flush()

    def around(self, call: str, arguments: tuple[Any, ...], work: Callable[[], T]) -> T:
        """Do a call and write down what came of it."""
        asked = pack(arguments)
        try:
            result = work()
        except (UserError, MachineError, BackendError) as error:
            self._write(call, asked, error=pack_error(error))
            raise
        self._write(call, asked, result=pack(result))
        return result

    def reading(
        self, call: str, arguments: tuple[Any, ...], work: Callable[[], Iterator[bytes]]
    ) -> Iterator[bytes]:
        """Read, and keep the content; what was read in part is kept in part."""
        digest, size = hashlib.sha256(), 0
        draft = self.folder / "contents" / f".{threading.get_ident()}-{id(arguments)}"
        failure: dict[str, Any] = {}
        try:
            with draft.open("wb") as file:
                for block in work():
                    digest.update(block)
                    size += file.write(block)
                    yield block
        except (UserError, MachineError, BackendError) as error:
            failure = {"error": pack_error(error)}
            raise
        finally:
            draft.replace(self.folder / "contents" / digest.hexdigest())
            self._write(call, pack(arguments), content=digest.hexdigest(), size=size, **failure)
