"""What a machine may lack for a test: the test is skipped, and the summary counts such tests by cause.

What the product could fetch by itself is none of these: a test that needs it fetches it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

import pytest

from batchai_scenario.emulator.engines.slurm.sandbox import missing

if TYPE_CHECKING:
    from collections.abc import Iterable

ENGINE, NAMESPACES, ROOT, PYTHONS, NODE = "Docker engine", "namespaces", "root", "old Pythons", "Node"
MOUNTS, SLURM = "mounts", "Slurm"

_REASON = re.compile(r"lacks (?P<cause>[^:]+): ")


def skip_for(cause: str, reason: str) -> NoReturn:
    """Skip the test: the machine lacks something."""
    pytest.skip(f"lacks {cause}: {reason}")


def required_engines() -> set[str]:
    """Give the engines that may not be missing here: those of ``SCENARIO_REQUIRE_ENGINES``."""
    return set(os.environ.get("SCENARIO_REQUIRE_ENGINES", "").replace(",", " ").split())


def need_slurm() -> None:
    """Skip the test where the programs of Slurm are missing, or fail it where they are required."""
    if reason := missing():
        if "slurm" in required_engines():
            pytest.fail(f"Slurm is required here: {reason}")
        skip_for(SLURM, reason)


def needs_program(name: str, cause: str = "") -> pytest.MarkDecorator:
    """Mark a test that needs a program on PATH, such as ``curl``."""
    return pytest.mark.skipif(
        shutil.which(name) is None, reason=f"lacks {cause or name}: there is no program {name}"
    )


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=f"lacks {ROOT}: only root may do this")


def summary(reasons: Iterable[str]) -> list[str]:
    """Say how many tests were skipped for want of what, and for which other reasons; a line for each."""
    lacking, others = Counter[str](), Counter[str]()
    for reason in reasons:
        match = _REASON.search(reason)
        if match:
            lacking[match["cause"]] += 1
        else:
            others[reason.rpartition("Skipped: ")[2].rstrip("'\")")] += 1
    lines = [f"skipped, this machine lacks {cause}: {count}" for cause, count in lacking.most_common()]
    return [*lines, *(f"skipped, {text}: {count}" for text, count in others.most_common())]
