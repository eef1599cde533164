"""What jobs shut with ``chmod 0`` keeps neither ``gc`` nor ``reset`` from their work, whoever runs them.

Its shorter twin is in ``tests/engines/test_links.py``.
"""

from __future__ import annotations

import signal
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Command

SHUT = """
summary: A job that shuts all that it can write, and stays.
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: shut, relativeMountPath: files}]}}
jobs:
  shut:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    outputDirectories: [{id: RESULT, pathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files}]
    containerSettings: {imageSourceRegistry: {image: "IMAGE"}}
    customToolkitSettings:
      commandLine: >-
        R=${AZ_BATCHAI_MOUNT_ROOT%/mounts}; M=$AZ_BATCHAI_MOUNT_ROOT/files;
        for F in $R $R/jobs $M $AZ_BATCHAI_JOB_TEMP $AZ_BATCHAI_OUTPUT_RESULT; do
        mkdir -p $F/shut/a/b && echo x >$F/shut/a/b/f && ln -s / $F/shut/a/l && mkfifo $F/shut/a/p;
        chmod 0 $F/shut/a/b/f $F/shut/a/b $F/shut/a $F/shut; done;
        echo job shut; chmod 0 $AZ_BATCHAI_JOB_TEMP $AZ_BATCHAI_OUTPUT_RESULT $R/jobs $M $R; END
"""


@pytest.mark.endurance
@pytest.mark.parametrize("end", ["sleep 600", "true"], ids=["is-left", "ends"])
def test_gc_and_reset_remove_what_a_job_shut(
    scenario: Command, engine: str, request: pytest.FixtureRequest, end: str
) -> None:
    image = request.getfixturevalue("docker_image") if engine == "docker" else "ubuntu:16.04"
    folder = scenario.home.parent / "shut"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SHUT.replace("IMAGE", image).replace("END", end))
    emulator = scenario.start("emulator", "serve", "--engine", engine, "--json")
    assert emulator.stdout is not None
    assert emulator.stdout.readline()
    run = scenario.start("run", str(folder), "--backend", "local", "--keep", "--json")
    assert run.stdout is not None
    last = "finished" if end == "true" else '"job shut"'
    lines = list(takewhile(lambda line: last not in line, run.stdout))
    assert lines, run.communicate()
    for process in (run, emulator):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    scenario("emulator", "gc")
    scenario("emulator", "reset", "--force")
    assert {item.name for item in scenario.home.iterdir()} <= {"cache", "emulator.lock", "runs"}
    assert "nothing to remove" in scenario("emulator", "gc").stdout
