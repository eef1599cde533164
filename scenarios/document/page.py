"""The report as one HTML file: no script, nothing that is asked of another machine, light and dark."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario import __version__
from batchai_scenario.scenarios.document.drawing import COLOURS, chart
from batchai_scenario.scenarios.record.comparison import states
from batchai_scenario.scenarios.record.record import metrics, timings
from batchai_scenario.scenarios.report.text import clean, duration, size
from batchai_scenario.scenarios.report.words import ranked_rows, ranked_title
from batchai_scenario.scenarios.sweep.ranking import ranking

if TYPE_CHECKING:
    from batchai_scenario.scenarios.document.facts import RunFacts
    from batchai_scenario.scenarios.record.model import JobPart

HERE = Path(__file__).parent


def render(facts: RunFacts, moment: datetime) -> str:
    """Write the report of a run, as it was at a moment."""
    from jinja2 import DictLoader, Environment

    style = (HERE / "document.css").read_text(encoding="utf-8")
    template = (HERE / "document.html").read_text(encoding="utf-8")
    made = Environment(
        loader=DictLoader({"document.html": template}), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    hide = facts.hide
    made.filters.update(
        clean=lambda text: hide(clean(hide(text))),  # once more: colours may have parted a secret
        code=lambda value: hide(_code(value)),
        size=size,
        duration=duration,
        day=_day,
    )
    record = facts.record
    order = ranking(record) if record.sweep else None
    page = made.get_template("document.html").render(
        facts=facts,
        record=record,
        style=style,
        # The policy lets a browser use this one style and ask nobody for anything.
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        charts=[(name, unit, curves, chart(name, curves)) for (name, unit), curves in facts.charts.items()],
        colours=COLOURS,
        metrics=metrics(record),
        timings=timings(record),
        states=_states,
        ranked=(ranked_title(order), list(ranked_rows(order))) if order else None,
        asked=record.sweep.model_dump(exclude_defaults=True, by_alias=True) if record.sweep else {},
        moment=moment,
        version=__version__,
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def save(text: str, target: Path) -> None:
    """Write a file whole or not at all; OSError."""
    draft = target.with_name(f".part.{os.getpid()}")  # short: the name itself may be as long as can be
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(timezone.utc)


def _states(job: JobPart) -> list[tuple[str, str]]:
    """Give a job's states in order, each with its time where that is known."""
    known = {entry.state: entry.at for entry in job.states}
    known |= {"queued": job.created_at} if job.created_at else {}
    known |= {"running": job.started_at} if job.started_at else {}
    known |= {job.state: job.ended_at} if job.ended_at else {}
    return [(state, _day(known.get(state))) for state in states(job)]


def _day(moment: datetime | None) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


def _code(value: Any) -> str:  # noqa: ANN401 - JSON
    import json

    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
