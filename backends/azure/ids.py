"""Names of resources: the ARM id of a job taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchai_scenario.backends.errors import NotFound

_JOB = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.BatchAI"
    r"/workspaces/(?P<workspace>[^/]+)/experiments/(?P<experiment>[^/]+)/jobs/(?P<name>[^/]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class JobId:
    """A job by its ARM id, and the names in it."""

    id: str
    group: str
    workspace: str
    experiment: str
    name: str

    @classmethod
    def parse(cls, job_id: str) -> JobId:
        """Take an id apart.

        Raises:
            NotFound: it is not a job's id, so no job has it.
        """
        found = _JOB.fullmatch(job_id)
        if found is None:
            raise NotFound(f"{job_id!r} is not the id of a job")
        return cls(job_id, **found.groupdict())

    @property
    def names(self) -> tuple[str, str, str, str]:
        """The names in the order in which the SDK takes them."""
        return self.group, self.workspace, self.experiment, self.name
