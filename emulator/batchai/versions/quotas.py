"""What API versions tell of usages and quotas: names in their order, and limits, as recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CLUSTERS = 20
"""Limit of clusters."""


@dataclass(frozen=True, slots=True)
class Priority:
    """vCPUs of one ``vmPriority``: ``word`` stands in the names; limits of all together and by family."""

    value: str
    word: str
    limit: int
    families: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quotas:
    """What is told beside the clusters; ``jobs`` is the limit of active jobs, None: they are not told."""

    priorities: tuple[Priority, ...]
    jobs: int | None = None
