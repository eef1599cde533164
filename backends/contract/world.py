"""What the checks of the contract stand on: a place to check, programs to run there, and verdicts."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backends.base import ClusterSpec, JobSpec, Place
from backends.memory import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from backends.base import Backend, JobStatus
    from backends.errors import ScenarioError
    from backends.memory import Call

SHARE = "contract"
SECRET = "a-secret-that-nobody-sees"  # noqa: S105 - that is what the checks look for
LINES = "".join(f"line {number}\n" for number in range(1, 2001))

COMMANDS = {
    "succeed": "echo all is well; echo a word of warning >&2",
    "fail": "echo before the end; exit 3",
    "count": "i=1; while [ $i -le 2000 ]; do echo line $i; i=$((i+1)); done; printf 'no newline'",
    "write": 'cd "$AZ_BATCHAI_OUTPUT_MODEL" && mkdir deep && printf model > deep/one.bin && : > empty',
    "endless": "echo started; while :; do sleep 1; done",
    "secret": 'test ${#TOKEN} -eq 25 && test "$PLAIN" = seen',
    "missing": "there-is-no-such-command-here",
}
"""The programs of the checks as commands for a node's shell."""

PROGRAMS: Mapping[str, Callable[[Call], Result]] = {
    COMMANDS["succeed"]: lambda _: Result(stdout="all is well\n", stderr="a word of warning\n"),
    COMMANDS["fail"]: lambda _: Result(3, stdout="before the end\n"),
    COMMANDS["count"]: lambda _: Result(stdout=LINES + "no newline"),
    COMMANDS["write"]: lambda _: Result(outputs={"MODEL/deep/one.bin": b"model", "MODEL/empty": b""}),
    COMMANDS["endless"]: lambda _: Result(stdout="started\n", endless=True),
    COMMANDS["secret"]: lambda call: Result(
        0 if (call.environment["TOKEN"], call.environment["PLAIN"]) == (SECRET, "seen") else 1
    ),
    COMMANDS["missing"]: lambda _: Result(127),
}
"""The same programs for the backend ``memory``."""


class BrokenRuleError(AssertionError):
    """A backend does not keep a rule."""


def same(found: object, wanted: object) -> None:
    """Demand that two values are equal."""
    if found != wanted:
        raise BrokenRuleError(f"found {found!r}, wanted {wanted!r}")


def holds(found: object, what: str) -> None:
    """Demand that something is true."""
    if not found:
        raise BrokenRuleError(what)


@dataclass
class Refusal:
    """An error that was demanded; ``error`` is set when it came."""

    error: ScenarioError | None = None

    @property
    def field(self) -> str:
        """The field that the error names."""
        return str(getattr(self.error, "field", ""))


@contextmanager
def refuses(kind: type[ScenarioError]) -> Iterator[Refusal]:
    """Demand that what happens inside raises an error of this kind."""
    refusal = Refusal()
    try:
        yield refusal
    except kind as error:
        refusal.error = error
    else:
        raise BrokenRuleError(f"{kind.__name__} was not raised")


@dataclass
class World:
    """A place to check.

    ``open`` gives a backend of its own each time, like another process; ``folder`` is for local files;
    ``pause`` waits some seconds; ``container`` is added to jobs as ``containerSettings``; ``looks`` is
    how often a state is looked at before the wait is given up.
    """

    open: Callable[[], Backend]
    folder: Path
    pause: Callable[[float], None]
    container: Mapping[str, Any] | None = None
    looks: int = 1200
    place: Place = field(default_factory=lambda: Place("contract-group", "eastus", "workspace", "experiment"))

    def cluster(self, backend: Backend, name: str = "nodes") -> None:
        """Make a cluster of one node with the share mounted, and wait until its node is idle."""
        backend.ensure_place(self.place)
        backend.ensure_share(SHARE)
        backend.create_cluster(ClusterSpec(self.place, name, cluster_body()))
        for _ in range(self.looks):
            status = backend.get_cluster(self.place, name)
            same(status.errors, ())
            if status.allocation == "steady" and status.nodes["idle"] == status.target == 1:
                return
            self.pause(backend.wait_hint())
        raise BrokenRuleError(f"no idle node: {status}")

    def submit(self, backend: Backend, program: str, name: str = "", **more: object) -> JobStatus:
        """Submit a job that runs one of the programs; ``more`` replaces properties."""
        body = {**job_body(program), **more}
        if self.container is not None:
            body["containerSettings"] = self.container
        return backend.submit(JobSpec(self.place, name or program, "nodes", body))

    def wait(self, backend: Backend, job: JobStatus, done: Callable[[JobStatus], bool]) -> list[JobStatus]:
        """Look at a job until ``done``; gives everything that was seen."""
        seen = [job]
        for _ in range(self.looks):
            if done(seen[-1]):
                return seen
            self.pause(backend.wait_hint())
            seen.append(backend.get_job(job.id))
        raise BrokenRuleError(f"waited in vain: {seen[-1]}")

    def run(self, backend: Backend, program: str, name: str = "", **more: object) -> JobStatus:
        """Run a job to its end."""
        job = self.submit(backend, program, name, **more)
        return self.wait(backend, job, lambda seen: seen.state.final)[-1]


def cluster_body() -> dict[str, Any]:
    """Give a cluster of one node with the share mounted."""
    share = {
        "accountName": "$STORAGE_ACCOUNT",
        "azureFileUrl": f"$STORAGE_URL/{SHARE}",
        "credentials": {"accountKey": "$STORAGE_KEY"},
        "relativeMountPath": "files",
    }
    return {
        "vmSize": "STANDARD_NC6",
        "scaleSettings": {"manual": {"targetNodeCount": 1}},
        "userAccountSettings": {"adminUserName": "admin", "adminUserPassword": SECRET},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [share]}},
    }


def job_body(program: str) -> dict[str, Any]:
    """Give a job of one node that runs one of the programs."""
    return {
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
        "outputDirectories": [
            {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files", "pathSuffix": "Models"}
        ],
        "customToolkitSettings": {"commandLine": COMMANDS[program]},
    }


def text(backend: Backend, job: JobStatus, path: str, directory: str = "stdouterr", offset: int = 0) -> str:
    """Read an output file as text."""
    return b"".join(backend.read_output(job.id, directory, path, offset)).decode()


def codes(job: JobStatus) -> list[str]:
    """Give the codes of a job's errors."""
    return [problem.code for problem in job.errors]
