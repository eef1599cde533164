"""Runs checks without a test framework, and says how each went."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.testing.checks import CHECKS, Check
from batchai_scenario.backends.testing.verdicts import BrokenRuleError
from batchai_scenario.backends.testing.world import UnprobedError, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batchai_scenario.backends.testing.bench import Bench

PASSED, FAILED, SKIPPED, EXPECTED = "passed", "failed", "skipped", "expected failure"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """How a check went: ``detail`` is why it failed or was skipped; ``seconds`` it took."""

    check: str
    rule: str
    result: str
    detail: str = ""
    seconds: float = 0.0

    def as_data(self) -> dict[str, Any]:
        """Give the outcome as JSON data."""
        return asdict(self)


def run_check(check: Check, bench: Bench) -> CheckOutcome:
    """Run one check in a world of its own; it is skipped only if what it needs is declared absent."""
    reason = bench.absent(check.rule)
    if reason:
        return CheckOutcome(check.name, check.rule.number, SKIPPED, reason)
    begun = time.monotonic()
    world = World(bench)
    result, detail = PASSED, ""
    try:
        check.run(world)
    except (UnprobedError, BrokenRuleError) as broken:  # nothing is skipped that was not declared absent
        result, detail = FAILED, str(broken)
    except Exception as error:  # noqa: BLE001 - whatever another's backend raises breaks the rule
        result, detail = FAILED, f"{type(error).__name__}: {error}"
    finally:
        world.close()
    return CheckOutcome(check.name, check.rule.number, result, detail, time.monotonic() - begun)


def run_checks(bench: Bench, checks: Iterable[Check] | None = None) -> Iterator[CheckOutcome]:
    """Run checks, by default all, on a bench; closes nothing."""
    for check in CHECKS.values() if checks is None else checks:
        yield run_check(check, bench)
