"""Makes an environment in which Chainer 4.5 with ChainerMN 1.3 runs without a container.

    python make_environment.py --cache DIR [--check] [--json]

Chainer was never published as wheels, but it is nothing but Python. The first mpi4py that needs no compiler is for
Python 3.8 and later, and the last Python that runs Chainer 4 is 3.9: so a Python 3.9 is fetched, always. ``mpirun`` is
on the environment's path. How it is made: ``training/support/environment.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.bases import Base
from training.support.environment import Recipe, main
from training.support.openmpi import OPEN_MPI, lead_to
from training.support.wheels import read_wheels


def _finish(site: Path, draft: Path, base: Base) -> None:
    lead_to(site, draft, "sys.prefix")


_TABLE = read_wheels(Path(__file__).with_name("wheels.json"))
RECIPE = Recipe(
    toolkit="chainer",
    title="Chainer 4.5",
    number=2,
    table=_TABLE,
    more=(OPEN_MPI, *_TABLE["pip"]),
    unpacked=160_000_000,
    trial=(
        "import chainer, chainermn, numpy; x = chainer.Variable(numpy.array([[1, 2]], numpy.float32)); "
        "y = chainer.functions.sum(chainer.functions.relu(2 * x - 1)); assert y.data == 4; "
        "assert chainermn.create_communicator('naive').size == 1; print(chainer.__version__)"
    ),
    variable="SCENARIO_CHAINER_PYTHON",
    finish=_finish,
)


if __name__ == "__main__":
    main(RECIPE)
