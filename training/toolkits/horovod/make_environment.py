"""Makes an environment in which Horovod 0.13 runs on TensorFlow 1.8 without a container.

    python make_environment.py --cache DIR [--python PATH] [--check] [--json]

Horovod is compiled against the TensorFlow that it is to run with, and no wheels of it were published: g++ must be here.
``mpirun`` is on the environment's path. How it is made: ``training/support/environment.py``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.bases import Base, bare_environment, run_here
from training.support.environment import Recipe, main
from training.support.openmpi import OPEN_MPI, lead_to
from training.toolkits.horovod.wheels import COMPILE, TABLE

_SUFFIX = "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX') or s.get_config_var('SO') or '.so')"


def _finish(site: Path, draft: Path, base: Base) -> None:
    lead_to(site, draft, "sys.prefix")
    suffix = run_here(
        [str(draft / "bin" / "python"), "-c", _SUFFIX], bare_environment(), "Python does not run"
    )
    runpath = f"$ORIGIN/{os.path.relpath(draft / 'lib', site / 'horovod' / 'common')}"
    command = ["/bin/sh", str(COMPILE), str(site), str(draft), suffix.strip(), runpath]
    run_here(command, bare_environment(), "Horovod could not be compiled")


RECIPE = Recipe(
    toolkit="horovod",
    title="Horovod 0.13 on TensorFlow 1.8",
    number=2,
    table=TABLE,
    more=(OPEN_MPI, *TABLE["pip"]),
    unpacked=480_000_000,
    trial=(
        "import horovod, horovod.tensorflow as hvd; hvd.init(); assert (hvd.rank(), hvd.size()) == (0, 1); "
        "print(horovod.__version__)"
    ),
    variable="SCENARIO_HOROVOD_PYTHON",
    finish=_finish,
    programs=("g++",),
)


if __name__ == "__main__":
    main(RECIPE)
