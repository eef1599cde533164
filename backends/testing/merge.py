"""Several conformance reports in one: backends that were checked apart stand side by side.

    python -m batchai_scenario.backends.testing.merge FOLDER REPORT.json...

writes the report of all of them into FOLDER. From a test that ran the suite in a process of its own,
``include`` brings what that wrote into the report of the running session.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import UserError
from batchai_scenario.backends.testing.report import write
from batchai_scenario.backends.testing.runner import EXPECTED, FAILED, NOT_RUN, PASSED, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

INCLUDED = "scenario-contract-included"
"""The user property under which a backend of another report travels to the process that writes the report."""

_RESULTS = {EXPECTED, FAILED, NOT_RUN, PASSED, SKIPPED}


def read_report(path: Path) -> list[dict[str, Any]]:
    """Read the backends of a report, each with ``checked``: when and with what that was written.

    Raises:
        UserError: the file cannot be read, or is no report of ours.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read: {error}", field=str(path)) from None
    try:
        versions = ", ".join(f"{name} {text}" for name, text in data["versions"].items())
        checked = f"{data['date']}, {versions}"
        found = [{"checked": checked, **backend} for backend in data["backends"]]
        strange = {result["result"] for one in found for result in one["results"].values()} - _RESULTS
        names = [str(one["name"]) for one in found]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"is no conformance report: {error!r}", field=str(path)) from None
    if strange or not names:
        said = f"has results {sorted(strange)}" if strange else "has no backends"
        raise UserError(f"is no conformance report of this version: it {said}", field=str(path))
    return found


def merge(folder: Path, reports: Iterable[Path]) -> Path:
    """Write one report of several; gives the page's path.

    Raises:
        UserError: one of them cannot be read, or a backend's name stands in two of them.
    """
    backends: dict[str, dict[str, Any]] = {}
    for path in reports:
        for backend in read_report(path):
            if backend["name"] in backends:
                raise UserError(
                    f"the backend {backend['name']!r} stands in another report too", field=str(path)
                )
            backends[backend["name"]] = backend
    return write(folder, list(backends.values()))


def include(node: pytest.Item, path: Path, *, name: str = "", note: str = "") -> None:
    """Bring the backends of a report into the session's own, from a test; also under pytest-xdist.

    ``name`` and ``note`` replace those of a report that has one backend.

    Raises:
        UserError: the report cannot be read, or is to be renamed and has several backends.
    """
    backends = read_report(path)
    if name and len(backends) > 1:
        raise UserError(f"has {len(backends)} backends, which cannot all be {name!r}", field=str(path))
    for backend in backends:
        own = {key: text for key, text in (("name", name), ("note", note)) if text}
        own["checked"] = ""  # in this session, and with its versions
        node.user_properties.append((INCLUDED, {**backend, **own}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge reports from the command line."""
    parser = argparse.ArgumentParser(
        "python -m batchai_scenario.backends.testing.merge", description="Merge conformance reports."
    )
    parser.add_argument("folder", type=Path, help="where conformance.json and conformance.html are written")
    parser.add_argument("reports", type=Path, nargs="+", help="conformance.json of each run")
    given = parser.parse_args(arguments)
    try:
        page = merge(given.folder, given.reports)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"conformance report: {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
