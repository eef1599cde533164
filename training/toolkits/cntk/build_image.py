"""Builds the CPU image of CNTK 2.7 for Python 2.7, the last Python that Debian packages and CNTK supports.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python2.7; CNTK, Keras, NumPy, SciPy, pip and Open MPI from wheels. ``python``, ``pip`` and
``mpirun`` are on PATH. The wheels hold no ``cntk`` program: the image runs Python scripts, not BrainScript.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import main
from training.images.pythons import recipe
from training.support.openmpi import OPEN_MPI
from training.support.wheels import read_wheels, with_keras
from training.toolkits.cntk.install import add_mpi, add_python

_TABLE = with_keras(read_wheels(Path(__file__).with_name("wheels.json")))


def _more(site: Path, prefix: Path) -> None:
    add_mpi(site, prefix, "'/usr/local'")
    add_python(site, "cp27mu")


RECIPE = recipe(
    "cntk",
    "CNTK 2.7 for CPUs with Python 2.7",
    [*_TABLE["cp27mu"], OPEN_MPI, *_TABLE["pip"]],
    "import cntk",
    number="3",
    more=_more,
)

if __name__ == "__main__":
    main(RECIPE)
