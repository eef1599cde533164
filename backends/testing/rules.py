"""The rules of the backend interface as data: a number, a sentence, and the power that it needs.

Numbers are ``<chapter>.<rule>``. Chapters B0 to B15 hold for every backend
(``batchai_scenario.backends.base.Backend``); the others are optional powers, held to their rules by
whoever declares them in ``capabilities()``. Some rules are proved by a look past the interface: a bench
offers that look, or declares why it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.base import Capabilities

CHAPTERS = {
    "B0": "Opening",
    "B1": "Creation",
    "B2": "Shares and uploads",
    "B3": "Submission",
    "B4": "States and endings",
    "B5": "Outputs",
    "B6": "Termination",
    "B7": "Deletion",
    "B8": "Attaching",
    "B9": "Secrets",
    "B10": "Letting go",
    "B11": "Names",
    "B12": "What a job sees",
    "B13": "The queue",
    "B14": "Time limit",
    "B15": "Bad input",
    "R": "Power: resizing",
    "G": "Power: GPUs",
    "N": "Power: several nodes",
    "T": "Power: several nodes, toolkits' roles and ranks",
    "S": "Power: setup tasks",
    "A": "Power: automatic scaling",
    "V": "Power: file servers",
    "L": "Power: remote login",
    "P": "Power: pre-emption",
    "F": "Power: faults",
    "M": "Power: readying this machine",
}
"""Every chapter and its title, in the order of a report."""

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its number, one sentence, the power and the look past the interface that it needs, if any."""

    number: str
    sentence: str
    power: str = ""
    look: str = ""

    @property
    def chapter(self) -> str:
        """The chapter's key."""
        return self.number.partition(".")[0]

    def absent(self, capabilities: Capabilities, unseen: Mapping[str, str] = NOTHING) -> str:
        """Say why a backend need not keep this rule; empty if it must.

        ``unseen`` is what the bench declares that it cannot look at: reasons by look.
        """
        declared = absences(capabilities, unseen)
        what = next((need for need in (self.power, self.look) if need in declared), "")
        return f"declared absent: {NEEDS[what]}: {declared[what]}" if what else ""


@dataclass(frozen=True, slots=True)
class Power:
    """What not every backend has: its name, how it is declared, and how its absence is."""

    name: str
    declared: Callable[[Capabilities], bool]
    absent: str


POWERS = {
    "real": Power("real programs", lambda can: can.real_time, "capabilities().real_time is False"),
    "urls": Power("URLs of output files", lambda can: can.urls, "capabilities().urls is False"),
    "resize": Power("resizing", lambda can: can.resize, "capabilities().resize is False"),
    "gpus": Power("GPUs", lambda can: can.gpus, "capabilities().gpus is False"),
    "nodes": Power("several nodes", lambda can: can.max_nodes > 1, "capabilities().max_nodes is 1"),
    "readies": Power("readying this machine", lambda can: can.readies, "capabilities().readies is False"),
    "setup": Power("setup tasks", lambda can: can.setup_tasks, "capabilities().setup_tasks is False"),
    "scaling": Power("automatic scaling", lambda can: can.auto_scale, "capabilities().auto_scale is False"),
    "servers": Power("file servers", lambda can: can.file_servers, "capabilities().file_servers is False"),
    "login": Power("remote login", lambda can: can.remote_login, "capabilities().remote_login is False"),
    "preempts": Power("pre-emption on demand", lambda can: can.preempts, "capabilities().preempts is False"),
    "faults": Power("faults on demand", lambda can: can.faults, "capabilities().faults is False"),
}
"""Every power that a rule may need."""

LOOKS = {
    "folder": "a look at the share as a folder",
    "traces": "a search for secrets past the interface",
    "process": "another process that opens the backend",
}
"""Every look past the interface that a rule may need, which a bench offers or declares absent."""

NEEDS = {**{key: power.name for key, power in POWERS.items()}, **LOOKS}
"""What rules may need, in words."""


def absences(capabilities: Capabilities, unseen: Mapping[str, str]) -> dict[str, str]:
    """Give the reasons of all that is declared absent, by power and look."""
    powers = {key: power.absent for key, power in POWERS.items() if not power.declared(capabilities)}
    return {**powers, **unseen}


_RULES = (
    Rule("B0.1", "A backend opens by its name and options, and describes itself."),
    Rule("B0.2", "An option that the backend does not know is refused by its name."),
    Rule("B1.1", "Creating a place, a share or a cluster that exists keeps it and what is in it."),
    Rule("B1.2", "ensure_place says whether the resource group is new."),
    Rule("B1.3", "A cluster becomes steady with as many idle nodes as were asked for."),
    Rule("B2.1", "An upload sends only files whose content differs from what the share holds."),
    Rule("B2.2", "What was uploaded is read back byte for byte, from any offset."),
    Rule("B2.3", "An upload with an unusable source or path is refused before anything is sent."),
    Rule("B2.4", "Listing or reading what a share does not hold is NotFound."),
    Rule("B2.5", "Names of folders and files keep every character of any script."),
    Rule("B2.6", "An empty file is a file of 0 bytes."),
    Rule("B2.7", "An uploaded file stands in the share's own folder.", look="folder"),
    Rule("B3.1", "Submitting under a name that is taken gives the job that has it."),
    Rule("B3.2", "A job that was submitted can be read and listed at once."),
    Rule("B3.3", "Jobs are listed by age."),
    Rule("B4.1", "A job's state only moves forward."),
    Rule("B4.2", "A job is finished exactly once: what is said of its end never changes."),
    Rule("B4.3", "The exit code is the one with which the command, or the preparation, ended."),
    Rule("B4.4", "A job is not final while its command runs."),
    Rule("B4.5", "A job has succeeded if its command ended with 0, and failed with an error code otherwise."),
    Rule("B4.6", "A preparation that fails fails the job, and the command never runs."),
    Rule("B4.7", "A job that ran was created, started and ended, in this order."),
    Rule("B5.1", "Standard output and error are whole and in order, to a last byte without a newline."),
    Rule("B5.2", "A file is read from any offset; from its end there is nothing to read."),
    Rule("B5.3", "Standard output is readable while it grows."),
    Rule("B5.4", "Every client reads the same outputs."),
    Rule("B5.5", "Output directories are listed one level at a time, sorted, with sizes."),
    Rule("B5.6", "A job's outputs are its own, also beside jobs of the same directories."),
    Rule("B5.7", "An unknown directory id, folder or file is NotFound; a directory without files is empty."),
    Rule("B5.8", "An empty output file is listed with 0 bytes and read as nothing."),
    Rule("B5.9", "Names of output files keep every character of any script."),
    Rule("B5.10", "A folder of 10,000 files is listed whole."),
    Rule("B5.11", "A sparse file of 2 GiB has its size, and its end is read without the rest.", "real"),
    Rule("B5.12", "Outputs stand on the share, below the job's segment, as they are listed."),
    Rule("B5.13", "Files that a job wrote belong to the user who runs the backend.", look="folder"),
    Rule("B5.14", "A file's URL is read without credentials, also in ranges.", "urls"),
    Rule("B6.1", "A running job that is terminated is failed, without an exit code, with JobTerminated."),
    Rule("B6.2", "Nothing of a job runs when terminate returns, and its node is free."),
    Rule("B6.3", "A queued job that is terminated is failed and never runs."),
    Rule("B6.4", "Terminating a finished job changes nothing."),
    Rule("B6.5", "Terminating what does not exist is NotFound."),
    Rule("B7.1", "A running job that is deleted has ended and is gone when delete_job returns."),
    Rule("B7.2", "Deleting what does not exist is no error."),
    Rule("B7.3", "Deleting a cluster ends what runs there and leaves nothing of it."),
    Rule("B7.4", "A job's files outlive it."),
    Rule("B7.5", "Deleting a place deletes all that is in it and nothing else."),
    Rule("B8.1", "Another client finds place, cluster, job and outputs by name and id."),
    Rule("B8.2", "Another process attaches to a job by its id alone.", "real", "process"),
    Rule("B8.3", "Reading what does not exist is NotFound."),
    Rule("B9.1", "No method gives a secret back."),
    Rule(
        "B9.2",
        "No secret shows on shares, in the home folder, on the engine or in the process table.",
        look="traces",
    ),
    Rule("B10.1", "A job goes on when the client that submitted it is closed."),
    Rule("B11.1", "Names have up to 64 letters, digits, '-' and '_'."),
    Rule("B11.2", "Any other name is refused, and nothing is created."),
    Rule("B12.1", "An input directory's variable names the folder with the files that were uploaded."),
    Rule("B12.2", "An output directory exists when the command starts, and its variable names it."),
    Rule("B12.3", "Environment variables and secrets reach the command as they were given."),
    Rule("B13.1", "One node runs one job at a time, the oldest first."),
    Rule("B13.2", "Of waiting jobs the one with the highest priority is next."),
    Rule("B14.1", "A job that runs longer than its limit is ended and failed, without an exit code.", "real"),
    Rule("B15.1", "A property that does not exist is refused by its path, and nothing is created."),
    Rule("B15.2", "A value of the wrong type is refused by its path, and nothing is created."),
    Rule("B15.3", "The storage key is refused where it could be read."),
    Rule("B15.4", "A job without a toolkit, or with two, is refused."),
    Rule("B15.5", "A job for a cluster that does not exist is refused, and nothing is created."),
    Rule("B15.6", "A body that names another cluster than the job is submitted to is refused."),
    Rule("R.1", "A cluster is resized to no nodes and back, and keeps its id.", "resize"),
    Rule("G.1", "A job is told how many GPUs it has.", "gpus"),
    Rule("G.2", "Where a job is told which GPUs CUDA may use, they are as many as it has.", "gpus"),
    Rule(
        "G.3", "No two nodes of a cluster have one GPU: each GPU that a job has is of its own node.", "gpus"
    ),
    Rule("N.1", "Two nodes run two jobs at the same time.", "nodes"),
    Rule(
        "N.2", "A job of two nodes has both while it runs: another one waits, and starts after it.", "nodes"
    ),
    Rule("N.3", "A job of two nodes fails as its command does, and frees both.", "nodes"),
    Rule(
        "N.4",
        "Each node of a job prepares itself, all share a folder, and each has an address of its own.",
        "nodes",
    ),
    Rule("T.1", "Each worker and server of TensorFlow has output files, named after its role.", "nodes"),
    Rule(
        "T.2", "Workers and servers of TensorFlow know their index and all hosts, also by TF_CONFIG.", "nodes"
    ),
    Rule("T.3", "Ranks of PyTorch are 0 to n-1, each once with a file of its own.", "nodes"),
    Rule("T.4", "All ranks of PyTorch are told the same place to meet, and the backend.", "nodes"),
    Rule("T.5", "A job that names no number of processes has one on each node.", "nodes"),
    Rule("S.1", "A setup task runs on every node before it is idle.", "setup"),
    Rule("S.2", "A node whose setup task failed is unusable, its cluster says so, and no job runs.", "setup"),
    Rule("A.1", "A cluster grows to what its jobs need, and not beyond its maximum.", "scaling"),
    Rule("A.2", "A cluster that nothing needs shrinks to its minimum.", "scaling"),
    Rule("V.1", "What a job wrote on a file server is there for a cluster that mounts it later.", "servers"),
    Rule("V.2", "A file server that does not exist is not mounted: the body is refused by path.", "servers"),
    Rule(
        "V.3",
        "Deleting a file server deletes it, and deleting one that does not exist is no error.",
        "servers",
    ),
    Rule("L.1", "Each node of a cluster has a login of its own.", "login"),
    Rule("P.1", "A job whose node is pre-empted waits and runs again, and ends well.", "preempts"),
    Rule("P.2", "A node that is not of low priority is not pre-empted.", "preempts"),
    Rule("F.1", "Faults are listed by name, each with a sentence.", "faults"),
    Rule("M.1", "Once the machine is ready for a job it lacks nothing, and nothing was made.", "readies"),
)

RULES = {rule.number: rule for rule in _RULES}
"""Every rule by its number, in order."""
