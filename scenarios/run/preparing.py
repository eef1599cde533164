"""What happens before anything is made: the scenario is checked against the backend, data sets are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.bodies import check
from batchai_scenario.backends.errors import InvalidSpec, NotSupported
from batchai_scenario.scenarios.definition.bodies import with_user_account
from batchai_scenario.scenarios.definition.datasets import make_dataset
from batchai_scenario.scenarios.report.events import Progress
from batchai_scenario.scenarios.report.text import size

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.definition.datasets import DataOptions
    from batchai_scenario.scenarios.definition.scenario import Resolved
    from batchai_scenario.scenarios.run.journal import Journal
    from batchai_scenario.scenarios.run.waiting import Waiting


def check_scenario(scenario: Resolved, backend: Backend) -> None:
    """Refuse what the backend does not have and bodies that none takes; all bodies are looked at.

    Raises:
        NotSupported: the largest cluster is too small.
        InvalidSpec: says what is wrong with every body.
    """
    most = backend.capabilities().max_nodes
    if scenario.nodes > most:
        raise NotSupported(
            f"the backend {backend.name!r} has clusters of at most {most} nodes", field="nodeCount"
        )
    bodies = [("cluster", "Cluster", with_user_account(scenario.cluster))]
    bodies += [(f"jobs.{name}", "Job", dict(body)) for name, body in scenario.jobs.items()]
    wrong = []
    for where, kind, body in bodies:
        try:
            check(kind, body)
        except InvalidSpec as error:  # noqa: PERF203 - each body has its own
            wrong.append((where, error))
    if len(wrong) == 1:
        raise wrong[0][1]
    if wrong:
        text = "\n".join(f"{where}: {error}" for where, error in wrong)
        raise InvalidSpec(text, field=wrong[0][1].field)


def make_data(
    scenario: Resolved, options: DataOptions, journal: Journal, waiting: Waiting
) -> dict[str, list[Path]]:
    """Make the data sets that the scenario uploads, or find them in the cache; gives the files of each."""
    wanted = {item.dataset: item.program for item in scenario.uploads if item.program is not None}
    made = {}
    for name, program in wanted.items():
        with journal.step("data", f"Prepare data set {name}") as step:
            made[name] = make_dataset(
                name,
                program,
                options,
                waiting=waiting,
                progress=lambda file, done, total: journal.tell(Progress("data", file, done, total, "")),
                note=lambda text: journal.note("info", text),
            )
            total = sum(file.stat().st_size for file in made[name])
            step.text = f"{len(made[name])} files, {size(total)}"
    return made
