"""The page's own files: templates that are rendered here, scripts and a style sheet that a browser reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.lazy import LazyProperty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

VIEWS = {
    "": ("overview", "Overview"),
    "cluster": ("cluster", "Cluster"),
    "job": ("job", "Job"),
    "metrics": ("metrics", "Metrics"),
    "runs": ("runs", "Runs"),
    "files": ("files", "Files"),
}
"""Path below ``/ui/`` -> the view's script, and its title."""

LISTED = ("", "metrics", "runs", "files")
"""Views that stand in the menu; the others are reached from these."""

_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


class Assets:
    """Gives pages and their files; what is read once is kept."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    @LazyProperty
    def _templates(self) -> Environment:
        from jinja2 import DictLoader, Environment

        texts = {
            item.name: item.read_text(encoding="utf-8")
            for item in (_here() / "templates").iterdir()
            if item.name.endswith(".html")
        }
        return Environment(loader=DictLoader(texts), autoescape=True, trim_blocks=True, lstrip_blocks=True)

    def answer(self, path: str, facts: Mapping[str, Any]) -> Response:
        """Answer with the page or file at a path below ``/ui/``; ServiceError 404."""
        if path in VIEWS:
            script, title = VIEWS[path]
            menu = [(f"/ui/{name}", VIEWS[name][1], name == path) for name in LISTED]
            page = self._templates.get_template("view.html")
            return HTMLResponse(page.render(script=script, title=title, menu=menu, facts=facts))
        folder, _, name = path.partition("/")
        kind = _TYPES.get(name.rpartition(".")[2])
        if folder != "static" or kind is None or "/" in name or "\\" in name:
            raise _nothing(path)
        return Response(self._read(path, name), media_type=kind)

    def refusal(self, text: str) -> str:
        """Write the page for somebody who may not see the others."""
        return self._templates.get_template("refusal.html").render(text=text)

    def _read(self, path: str, name: str) -> bytes:
        if name not in self._kept:
            try:
                self._kept[name] = (_here() / "static" / name).read_bytes()
            except (OSError, ValueError):
                raise _nothing(path) from None
        return self._kept[name]


def _here() -> Path:
    return Path(__file__).parent


def _nothing(path: str) -> ServiceError:
    return ServiceError(404, "NotFound", f"The page has nothing at '/ui/{path[:100]}'.")
