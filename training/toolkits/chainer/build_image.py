"""Builds the image of Chainer 4.5 with ChainerMN 1.3 for Python 3.9.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python3.9; NumPy, mpi4py and Open MPI from wheels, Chainer from its sources, which are nothing
but Python. ``python``, ``pip`` and ``mpirun`` are on PATH.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import main
from training.images.pythons import recipe
from training.support.openmpi import OPEN_MPI, lead_to
from training.support.wheels import read_wheels

_TABLE = read_wheels(Path(__file__).with_name("wheels.json"))
RECIPE = recipe(
    "chainer",
    "Chainer 4.5 and ChainerMN 1.3 with Python 3.9",
    [*_TABLE["cp39"], OPEN_MPI, *_TABLE["pip"]],
    "import chainermn",
    number="1",
    python="python3.9",
    more=lambda site, prefix: lead_to(site, prefix, "'/usr/local'"),
)

if __name__ == "__main__":
    main(RECIPE)
