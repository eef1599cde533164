"""The conformance report: what was checked, when and with what, and each rule's result."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.testing.page import render
from batchai_scenario.backends.testing.rules import CHAPTERS, NEEDS, RULES, absences
from batchai_scenario.backends.testing.runner import EXPECTED, FAILED, NOT_RUN, PASSED, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.backends.testing.bench import Bench

_WORST = (FAILED, EXPECTED, NOT_RUN, SKIPPED, PASSED)


def about(bench: Bench) -> dict[str, Any]:
    """Give the facts of a backend that belong into the report; never a secret."""
    details, capabilities = dict(bench.main.details()), bench.main.capabilities()
    return {
        "name": bench.name,
        "note": bench.note,
        "engine": details.get("engine", ""),
        "details": details,
        "capabilities": asdict(capabilities),
        "absent": {NEEDS[need]: reason for need, reason in absences(capabilities, bench.unseen).items()},
        "probes": bench.probes.describe() if bench.probes else "none: checked through its interface only",
    }


def document(backends: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """Give the report as JSON data.

    Each of ``backends`` is what ``about`` gave, with its ``outcomes``, or comes from another report, with
    its ``results``. They stand in the order of their names: tests run in any.
    """
    return {
        "date": now.isoformat(timespec="seconds"),
        "versions": {
            "batchai-scenario": _version("batchai-scenario"),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "pytest": _version("pytest"),
        },
        "rules": [
            {"number": rule.number, "chapter": CHAPTERS[rule.chapter], "sentence": rule.sentence}
            for rule in RULES.values()
        ],
        "backends": [_judged(backend) for backend in sorted(backends, key=lambda one: str(one["name"]))],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _judged(backend: Mapping[str, Any]) -> dict[str, Any]:
    """Give a backend with each rule's result: the worst of its checks'."""
    outcomes: Sequence[Mapping[str, Any]] = backend.get("outcomes", ())
    known: Mapping[str, dict[str, Any]] = backend.get("results", {})
    results = {
        number: known.get(number) or _result([it for it in outcomes if it["rule"] == number])
        for number in RULES
    }
    counts: dict[str, int] = {}
    for result in results.values():
        counts[result["result"]] = counts.get(result["result"], 0) + 1
    seconds = round(sum(result["seconds"] for result in results.values()), 1)
    facts = {name: value for name, value in backend.items() if name != "outcomes"}
    return {**facts, "counts": counts, "seconds": seconds, "results": results}


def _result(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a rule's result from the outcomes of its checks."""
    worst = sorted(outcomes, key=lambda outcome: _WORST.index(outcome["result"]))
    return {
        "result": worst[0]["result"] if worst else NOT_RUN,
        "detail": worst[0]["detail"] if worst else "",
        "checks": [outcome["check"] for outcome in outcomes],
        "seconds": round(sum(outcome["seconds"] for outcome in outcomes), 3),
    }


def write(folder: Path, backends: Iterable[Mapping[str, Any]], now: datetime | None = None) -> Path:
    """Write ``conformance.json`` and ``conformance.html`` into a folder; gives the page's path."""
    data = document(backends, now or datetime.now(timezone.utc))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conformance.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page = folder / "conformance.html"
    page.write_text(render(data), "utf-8")
    return page
