"""Builds the image of PyTorch 1.0 for Python 2.7, and of the Caffe2 inside it.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python2.7; PyTorch and what it needs from wheels. ``python`` and ``pip`` are on PATH.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import main
from training.images.pythons import recipe
from training.support.wheels import read_wheels

_TABLE = read_wheels(Path(__file__).with_name("wheels.json"))
RECIPE = recipe(
    "pytorch",
    "PyTorch 1.0 and Caffe2 with Python 2.7",
    [*_TABLE["cp27mu"], *_TABLE["pip"]],
    "import torch; from caffe2.python import workspace",
    number="1",
)

if __name__ == "__main__":
    main(RECIPE)
