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

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENGINE, NAMESPACES, ROOT, PYTHONS, NODE = "Docker engine", "namespaces", "root", "old Pythons", "Node"

_REASON = re.compile(r"lacks (?P<cause>[^:]+): ")
_OTHER = "other reasons"


def skip_for(cause: str, reason: str) -> NoReturn:
    """Skip the test: the machine lacks something."""
    pytest.skip(f"lacks {cause}: {reason}")


def needs_program(name: str, cause: str = "") -> pytest.MarkDecorator:
    """Mark a test that needs a program on PATH, such as ``curl``."""
    return pytest.mark.skipif(
        shutil.which(name) is None, reason=f"lacks {cause or name}: there is no program {name}"
    )


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=f"lacks {ROOT}: only root may do this")


def causes(reasons: Iterable[str]) -> Mapping[str, int]:
    """Count reasons of skipped tests by cause, the most frequent first."""
    found = (_REASON.search(reason) for reason in reasons)
    counted = Counter(match["cause"] if match else _OTHER for match in found)
    return dict(sorted(counted.items(), key=lambda item: (item[0] == _OTHER, -item[1])))


def summary(reasons: Iterable[str]) -> str:
    """Say how many tests were skipped for want of what; empty if none was."""
    return ", ".join(f"{cause} {count}" for cause, count in causes(reasons).items())
