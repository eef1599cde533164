"""Words that the reporters for people share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.scenarios.report.text import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from batchai_scenario.scenarios.report import events as e


MOST_JOBS = 8
"""Jobs of which each is told what it left; of more, all together."""


def log_prefix(file: str) -> str:
    """Name a log file shortly: ``stdout.txt`` is ``stdout``."""
    return file.removesuffix(".txt").removesuffix(".log")


def far_text(event: e.Progress) -> str:
    """Say how far something is: in bytes, or in percent where the unit is not known."""
    if event.unit == "B":
        return f"{size(event.done)} of {size(event.total)}" if event.total else size(event.done)
    return f"{100 * event.done // event.total} %" if event.total else str(event.done)


def nodes_text(nodes: Mapping[str, int]) -> str:
    """Count nodes in words: ``1 preparing, 1 idle``."""
    return ", ".join(f"{count} {state}" for state, count in nodes.items() if count) or "no node yet"


def values_text(parameters: Mapping[str, Any]) -> str:
    """Write a point of a sweep: ``learning_rate=0.01 epochs=2``."""
    return " ".join(f"{name}={value}" for name, value in parameters.items())


def ranked_title(event: e.Ranked) -> str:
    """Say what the order of a sweep's jobs is."""
    if not event.metric:
        return f"{len(event.points)} jobs; no metric of theirs says which is best"
    first = "smallest" if event.goal == "min" else "largest"
    return f"{len(event.points)} jobs by {event.metric}, the {first} first"


def ranked_rows(event: e.Ranked) -> Iterator[tuple[str, ...]]:
    """Give a row for each job: place, job, value, point, and its state unless all is as expected."""
    for place, point in enumerate(event.points, 1):
        value = "-" if point.value is None else f"{point.value:g}"
        state = (
            ""
            if point.met and point.state == "succeeded"
            else point.state + ("" if point.met else ", not as expected")
        )
        yield (f"{place}.", point.job, value, values_text(point.parameters), state)


def output_groups(event: e.Finished) -> Iterator[tuple[str, int, int]]:
    """Give each output directory with the number of its files and their bytes."""
    groups: dict[str, list[int]] = {}
    jobs = len({output.job for output in event.outputs})
    if jobs > MOST_JOBS:
        yield f"of {jobs} jobs", len(event.outputs), sum(output.size for output in event.outputs)
        return
    several = jobs > 1
    for output in event.outputs:
        name = f"{output.job}/{output.directory}" if several else output.directory
        groups.setdefault(name, []).append(output.size)
    for name, sizes in groups.items():
        yield name, len(sizes), sum(sizes)


def verdict(event: e.Finished) -> str:
    """Say in a few words how the run ended."""
    total = event.timings.get("total")
    time = f" after {duration(total)}" if total is not None else ""
    return f"{event.state}{time}"


def further_hint(event: e.Finished) -> str:
    """Give the hint, unless a reason ends with it already."""
    return "" if any(event.hint in reason for reason in event.reasons) else event.hint


def result_lines(event: e.Finished) -> Iterator[str]:
    """Give the lines that end a run."""
    for name, count, total in output_groups(event):
        yield f"output {name}: {count} file{'' if count == 1 else 's'}, {size(total)}"
    for reason in event.reasons:
        yield f"error: {reason}"
    if hint := further_hint(event):
        yield f"hint: {hint}"
    if event.run:
        yield f"run {event.run}: {verdict(event)}"
