"""What Slurm says stands in a cluster's errors in its own words, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchai_scenario.emulator.engines.slurm.reasons import pending, refused
from batchai_scenario.emulator.engines.slurm.settings import SizeRow, SlurmSettings

FILE = Path("/shared/home/slurm.yaml")
SETTINGS = SlurmSettings(shared_folder="/shared", sizes={"NC*": SizeRow(partition="gpu")}, file=FILE)


BODY = "properties.scaleSettings"


@pytest.mark.parametrize(
    ("reason", "meaning", "where"),
    [
        ("Resources", "the nodes are other jobs' or are being made ready", ""),
        ("Priority", "jobs of higher priority wait for the same nodes", ""),
        ("None", "Slurm has not looked at it yet", ""),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "nodes that it needs are down, drained or reserved", ""),
        ("PartitionNodeLimit", "it asks for more nodes than the partition allows", BODY),
        ("PartitionConfig", "it asks for more than the partition has", BODY),
        ("PartitionTimeLimit", "its time limit is above the partition's", f"time_limit in {FILE}"),
        ("InvalidQOS", "Slurm does not know the quality of service", f"sizes.NC*.qos in {FILE}"),
        ("QOSMaxNodePerUserLimit", "a limit of the quality of service is reached", ""),
        ("AssocGrpCpuLimit", "a limit of the account is reached", ""),
    ],
)
def test_a_reason_to_wait_is_told(reason: str, meaning: str, where: str) -> None:
    found = pending(f"({reason})", SETTINGS, "NC*")
    assert found.code == "SlurmPending"
    source = f"; it comes from {where}" if where else ""
    assert found.message == f"Slurm lets the nodes wait: {reason}; {meaning}{source}."


def test_a_reason_that_nobody_knows_is_told_as_it_is() -> None:
    assert pending("SomethingNew", SETTINGS, "NC*").message == "Slurm lets the nodes wait: SomethingNew."
    assert "no reason yet" in pending("", SETTINGS, "NC*").message


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("Batch job submission failed: Invalid partition name specified", f"sizes.NC*.partition in {FILE}"),
        ("Batch job submission failed: Invalid feature specification", f"sizes.NC*.constraint in {FILE}"),
        ("Invalid generic resource (gres) specification", f"sizes.NC*.gres in {FILE}"),
        ("Batch job submission failed: Invalid qos specification", f"sizes.NC*.qos in {FILE}"),
        ("Batch job submission failed: Requested node configuration is not available", BODY),
        ("Batch job submission failed: Something else", f"the row sizes.NC* in {FILE}"),
    ],
)
def test_a_refusal_is_told_with_the_property_that_it_comes_from(said: str, where: str) -> None:
    found = refused(f"sbatch: error: {said}.\n", SETTINGS, "NC*")
    assert found.code == "SlurmRefused"
    assert found.message == f"Slurm refused the nodes: {said}. It comes from {where}."


def test_a_refusal_of_several_lines_is_told_whole() -> None:
    text = "sbatch: error: invalid partition specified: x\nsbatch: error: failed: Invalid partition\n"
    assert refused(text, SETTINGS, "NC*").message.startswith(
        "Slurm refused the nodes: invalid partition specified: x; failed: Invalid partition. It comes from"
    )
    assert "it did not say why" in refused("", SETTINGS, "NC*").message
