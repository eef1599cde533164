"""A scenario whose job trains for a moment: its loss falls, it writes files of metrics, with NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.schema.eventbytes import FLOATS_TEXT

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """
summary: A loss that falls.
parameters:
  epochs: {type: integer, default: 5, help: how often}
  word: {type: string, default: plain, help: any}
cluster:
  vmSize: STANDARD_NC6
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: shared, relativeMountPath: afs}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/afs
    outputDirectories: [{id: MODEL, pathPrefix: $AZ_BATCHAI_MOUNT_ROOT/afs, pathSuffix: models}]
    environmentVariables: [{name: WORD, value: "{{ word }}"}]
    secrets: [{name: KEY, value: hidden of the run}]
    customToolkitSettings:
      commandLine: >-
        mkdir -p $AZ_BATCHAI_OUTPUT_MODEL/logs;
        echo FLOATS | base64 -d > $AZ_BATCHAI_OUTPUT_MODEL/logs/events.out.tfevents.1.vm;
        for n in $(seq 1 {{ epochs }}); do
        echo "Epoch $n of {{ epochs }}: loss 0.$((9 - n % 9)) error $((20 - n)) %";
        echo "{\\"step\\": $n, \\"accuracy\\": 0.$n}" >> $AZ_BATCHAI_OUTPUT_MODEL/metrics.jsonl;
        while [ -e $AZ_BATCHAI_MOUNT_ROOT/afs/wait ] && [ $n -ge 3 ]; do sleep 0.1; done;
        done; echo "Epoch 0: loss nan"; echo "Epoch last: loss 0.125";
        echo "the key is $KEY" >&2;
        echo weights > $AZ_BATCHAI_OUTPUT_MODEL/model.bin
expect:
  train:
    executionState: succeeded
    outputs: {MODEL: [model.bin]}
    metrics:
      loss: {from: stdout.txt, pattern: 'loss {number}', below: 0.5, help: the loss}
      error: {from: stdout.txt, pattern: 'error {number} %', unit: '%'}
"""


def write_scenario(folder: Path) -> Path:
    """Write the scenario into a folder, and give that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.yaml").write_text(SCENARIO.replace("FLOATS", FLOATS_TEXT))
    return folder


DIGITS = """
summary: A curve for a picture.
parameters:
  speed: {type: integer, default: 8, help: how slowly it falls}
cluster:
  vmSize: STANDARD_NC6
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: shared, relativeMountPath: afs}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/afs
    customToolkitSettings:
      commandLine: >-
        awk 'BEGIN { for (n = 1; n <= 60; n++)
        printf "epoch %d: loss %.4f, error %.2f %%\\n", n, 0.05 + 1.9 * exp(-n / {{ speed }}),
        1.2 + 40 * exp(-n / ({{ speed }} + 2)) }'
expect:
  train:
    metrics:
      loss: {pattern: 'loss {number}'}
      error: {pattern: 'error {number} %', unit: '%'}
"""


def write_digits(folder: Path) -> Path:
    """Write the scenario of README's picture into a folder, and give that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.yaml").write_text(DIGITS)
    return folder
