"""Makes an environment in which CNTK runs without a container.

    python make_environment.py --cache DIR [--python PATH] [--check] [--json]

CNTK's last wheels (2.7.post2) are for Python 3.6, 3.5 and 2.7. With them go Keras, NumPy, SciPy and Open MPI in versions
that are known to work together; ``mpirun`` is on the environment's path. How it is made:
``training/support/environment.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.bases import Base
from training.support.environment import Recipe, main
from training.support.openmpi import OPEN_MPI
from training.support.wheels import read_wheels, with_keras
from training.toolkits.cntk.install import add_mpi, add_python


def _finish(site: Path, draft: Path, base: Base) -> None:
    add_mpi(site, draft, "sys.prefix")
    add_python(site, base.abi)


_TABLE = with_keras(read_wheels(Path(__file__).with_name("wheels.json")))
RECIPE = Recipe(
    toolkit="cntk",
    title="CNTK 2.7",
    number=5,
    table=_TABLE,
    more=(OPEN_MPI, *_TABLE["pip"]),  # CNTK 2.7 imports pip
    unpacked=500_000_000,
    trial=(
        "import cntk, numpy; x = cntk.input_variable(2); y = cntk.reduce_sum(cntk.relu(2 * x - 1)); "
        "assert y.eval({x: numpy.array([[1, 2]], numpy.float32)}).item() == 4.0; print(cntk.__version__)"
    ),
    finish=_finish,
    variable="SCENARIO_CNTK_PYTHON",
)


if __name__ == "__main__":
    main(RECIPE)
