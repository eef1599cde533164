"""What Slurm says, put into the words of a cluster's ``errors``: always its own text, and what it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import Problem

if TYPE_CHECKING:
    from batchai_scenario.emulator.engines.slurm.settings import SlurmSettings

PENDING, REFUSED = "SlurmPending", "SlurmRefused"

_NODES = "properties.scaleSettings"
_PASSING = {
    "": "Slurm has not looked at it yet",
    "None": "Slurm has not looked at it yet",
    "Resources": "the nodes are other jobs' or are being made ready",
    "Priority": "jobs of higher priority wait for the same nodes",
    "BeginTime": "its time has not come",
    "Licenses": "it waits for a licence",
    "Reservation": "it waits for its reservation",
    "ReqNodeNotAvail": "nodes that it needs are down, drained or reserved",
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": (
        "'sinfo -R' says why nodes are down or drained"
    ),
    "PartitionDown": "the partition starts no jobs until its administrator sets it up again",
    "PartitionInactive": "the partition starts no jobs until its administrator sets it up again",
    "Cleaning": "what ran there before is being cleaned up",
    "Prolog": "the nodes are being prepared",
}
_STAYING = {
    "PartitionNodeLimit": ("it asks for more nodes than the partition allows", _NODES),
    "PartitionConfig": ("it asks for more than the partition has", _NODES),
    "PartitionTimeLimit": ("its time limit is above the partition's", "time_limit"),
    "JobHeldAdmin": ("an administrator holds it back", ""),
    "JobHeldUser": ("somebody holds it back; 'scontrol release' lets it go", ""),
    "BadConstraints": ("no node has what it asks for", "constraint"),
    "AccountNotAllowed": ("the account may not use the partition", "account"),
    "InvalidAccount": ("Slurm does not know the account", "account"),
    "InvalidQOS": ("Slurm does not know the quality of service", "qos"),
    "QOSNotAllowed": ("the quality of service may not be used there", "qos"),
}
_LIMITS = re.compile(r"(?P<whose>QOS|Assoc)\w*", re.ASCII)

_REFUSALS = (
    (r"partition", "partition"),
    (r"feature|constraint", "constraint"),
    (r"gres|generic resource", "gres"),
    (r"qos", "qos"),
    (r"account", "account"),
    (r"time limit|time-limit|invalid --time", "time_limit"),
    (r"node count|more processors|node configuration|too many nodes|MaxNodes", _NODES),
)
_BEGINNING = re.compile(r"^(sbatch|srun|salloc|scontrol): (error|fatal): ", re.MULTILINE)


def property_of(name: str, settings: SlurmSettings, pattern: str) -> str:
    """Write a property in full: ``sizes.STANDARD_NC*.gres in /home/me/slurm.yaml``; one of a body as it is.

    Args:
        name: a row's, ``time_limit``, or a path of the cluster's body.
        settings: where the row stands.
        pattern: of the row.
    """
    if not name or name.startswith("properties."):
        return name
    path = name if name == "time_limit" else f"sizes.{pattern}.{name}"
    return f"{path} in {settings.file}"


def pending(reason: str, settings: SlurmSettings, pattern: str) -> Problem:
    """Say that Slurm lets a cluster's nodes wait, and why.

    Args:
        reason: Slurm's own, as ``squeue`` gives it (``%r``): ``Resources``, ``QOSMaxNodePerUserLimit``.
        settings: where the row stands.
        pattern: of the row by which the nodes were asked for.
    """
    word = reason.strip().strip("()")
    found = next((each for each in (word, word.split(",")[0].strip()) if each in _PASSING), None)
    if found is not None:
        return Problem(PENDING, f"Slurm lets the nodes wait: {word or 'no reason yet'}; {_PASSING[found]}.")
    meaning, name = _STAYING.get(word, ("", ""))
    if not meaning and (limit := _LIMITS.match(word)):
        whose = "the quality of service" if limit["whose"] == "QOS" else "the account"
        meaning = f"a limit of {whose} is reached"
    where = property_of(name, settings, pattern)
    parts = [part for part in (meaning, f"it comes from {where}" if where else "") if part]
    return Problem(PENDING, "; ".join([f"Slurm lets the nodes wait: {word}", *parts]) + ".")


def refused(said: str, settings: SlurmSettings, pattern: str) -> Problem:
    """Say that Slurm refused to give a cluster's nodes, with its own text and where that comes from.

    Args:
        said: what ``sbatch`` wrote to its standard error.
        settings: where the row stands.
        pattern: of the row by which the nodes were asked for.
    """
    lines = [line.strip() for line in _BEGINNING.sub("", said).splitlines()]
    text = "; ".join(dict.fromkeys(line.rstrip(".") for line in lines if line)) or "it did not say why"
    name = next((name for words, name in _REFUSALS if re.search(words, text, re.IGNORECASE)), "")
    where = property_of(name, settings, pattern) or f"the row sizes.{pattern} in {settings.file}"
    return Problem(REFUSED, f"Slurm refused the nodes: {text}. It comes from {where}.")
