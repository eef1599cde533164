"""The pytest plugin: options, the backends as parameters, strict expected failures, the report.

It is loaded into every pytest session of whoever has the package, so it imports what it needs only when
``--backend`` asks for it, and does nothing else.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchai_scenario.backends.testing.bench import Bench, BenchTarget
    from batchai_scenario.backends.testing.checks import Check

KEY = "scenario-contract"
"""The user property under which a test's outcome travels to the process that writes the report."""

EXPECTED_RULES = pytest.StashKey[dict[str, str]]()
"""Where the reasons of expected failures are kept, by rule."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "backend": {
        "action": "append",
        "default": [],
        "metavar": "NAME[:option=value,...]",
        "dest": "contract_backends",
        "help": "check this backend, with --pyargs batchai_scenario.backends.testing; may be repeated",
    },
    "expected-failures": {
        "metavar": "FILE",
        "dest": "contract_expected",
        "help": "rules that the backend is known to break, 'RULE: reason' on each line; strict",
    },
    "conformance-report": {
        "metavar": "DIR",
        "dest": "contract_report",
        "help": "write each rule's result to DIR, as JSON and as a page",
    },
    "job-image": {
        "default": "",
        "metavar": "IMAGE",
        "dest": "contract_image",
        "help": "run the checks' jobs in this image",
    },
}
"""The suite's options: each is ``--scenario-NAME``, and ``--NAME`` where nobody else has that."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options under names that are ours."""
    group = parser.getgroup("scenario-contract", "the contract of scenario backends")
    for name, about in _OPTIONS.items():
        group.addoption(f"--scenario-{name}", **about)


# In pluggy's older way of wrapping: one older than 1.2, which pytest 7 may have, knows no other.
@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Iterator[None]:
    """Offer short names, too, unless a plugin or a ``conftest.py`` of the user's has such an option."""
    yield
    group = parser.getgroup("scenario-contract")
    for name, about in _OPTIONS.items():
        with suppress(pytest.UsageError):  # one that is there wants its value
            if f"--{name}" in parser.parse_known_and_unknown_args([f"--{name}"])[1]:
                group.addoption(f"--{name}", **about)


def pytest_configure(config: pytest.Config) -> None:
    """Read the expected failures.

    Raises:
        pytest.UsageError: the file is wrong; says where and how.
    """
    config.stash[EXPECTED_RULES] = {}
    if config.getoption("contract_expected"):
        from batchai_scenario.backends.errors import UserError
        from batchai_scenario.backends.testing.expected import read_expected

        try:
            config.stash[EXPECTED_RULES] = read_expected(Path(config.getoption("contract_expected")))
        except UserError as error:
            raise pytest.UsageError(f"--expected-failures: {error}") from None
    folder = config.getoption("contract_report")
    if folder and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ConformanceReporter(Path(folder)), "scenario-contract-report")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every check to every backend: those of the command line, else the module's ``BACKENDS``."""
    if "contract_check" not in metafunc.fixturenames:
        return
    from batchai_scenario.backends.testing.checks import CHECKS

    given = metafunc.config.getoption("contract_backends") or getattr(metafunc.module, "BACKENDS", [])
    if not given:
        raise pytest.UsageError(
            "name what to check: --backend NAME[:option=value,...], e.g. --backend memory"
        )
    metafunc.parametrize("contract_bench", given, indirect=True)  # as long as the fixture lives
    checks = [pytest.param(check, id=f"{check.rule.number}-{name}") for name, check in CHECKS.items()]
    metafunc.parametrize("contract_check", checks)


@pytest.fixture(scope="session")
def contract_image(request: pytest.FixtureRequest) -> str:
    """The image that jobs of the checks run in; empty: they name none."""
    image: str = request.config.getoption("contract_image")
    return image


@pytest.fixture(scope="session")
def contract_home() -> Callable[[BenchTarget, Path], None]:
    """Make the folder of a backend's home ready before it is opened; override it where one needs a file."""
    return lambda _target, _home: None


@pytest.fixture(scope="session")
def contract_bench(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    contract_home: Callable[[BenchTarget, Path], None],
) -> Iterator[Bench | str]:
    """One backend on its bench for all checks; a text that says why, if it does not open."""
    from batchai_scenario.backends.errors import ScenarioError
    from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget, make_bench

    folder = tmp_path_factory.mktemp("contract")
    image = request.getfixturevalue("contract_image")
    bench = None
    try:
        target = BenchTarget.parse(request.param)
        contract_home(target, folder / "home")
        bench = make_bench(target, BenchSetting(folder, dict(os.environ), image))
        bench.main.capabilities()
    except ScenarioError as error:
        yield f"{request.param}: {error}"
        return
    yield bench
    bench.close()


def judge(bench: Bench | str, check: Check, node: pytest.Item) -> None:
    """Run a check on a bench, note its outcome for the report, and end the test accordingly."""
    from batchai_scenario.backends.testing.report import about
    from batchai_scenario.backends.testing.runner import (
        EXPECTED,
        FAILED,
        NOT_RUN,
        PASSED,
        SKIPPED,
        CheckOutcome,
        run_check,
    )

    if isinstance(bench, str):
        facts: dict[str, Any] = {"name": bench.partition(": ")[0]}
        first = check.rule.number == "B0.1"
        outcome = CheckOutcome(check.name, check.rule.number, FAILED if first else NOT_RUN, bench)
    else:
        facts = about(bench)
        outcome = run_check(check, bench)
    reason = node.config.stash[EXPECTED_RULES].get(check.rule.number, "")
    if reason and outcome.result == FAILED:
        outcome = replace(outcome, result=EXPECTED, detail=f"{reason} ({outcome.detail})")
    elif reason and outcome.result == PASSED:
        kept = f"the rule is kept, but stands among the expected failures: {reason}"
        outcome = replace(outcome, result=FAILED, detail=kept)
    node.user_properties.append((KEY, {"backend": facts, "outcome": outcome.as_data()}))
    if outcome.result == FAILED:
        pytest.fail(f"{check.rule.number} {check.rule.sentence}\n{outcome.detail}", pytrace=False)
    if outcome.result == EXPECTED:
        pytest.xfail(outcome.detail)
    if outcome.result in (SKIPPED, NOT_RUN):
        pytest.skip(outcome.detail)


class ConformanceReporter:
    """Gathers what tests noted, in the controlling process also under pytest-xdist, and writes the report."""

    def __init__(self, folder: Path) -> None:
        from batchai_scenario.backends.testing.merge import INCLUDED

        self._folder = folder
        self._included = INCLUDED
        self._backends: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test noted."""
        if report.when != "call":
            return
        for name, noted in report.user_properties:
            if name == KEY and isinstance(noted, dict):
                facts = noted["backend"]
                entry = self._backends.setdefault(facts["name"], {**facts, "outcomes": []})
                entry["outcomes"].append(noted["outcome"])
            elif name == self._included and isinstance(noted, dict):
                self._backends[noted["name"]] = noted

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the report and say where it is."""
        if not self._backends:
            return
        from batchai_scenario.backends.testing.report import write

        page = write(self._folder, list(self._backends.values()))
        terminalreporter.write_line(f"conformance report: {page}")
