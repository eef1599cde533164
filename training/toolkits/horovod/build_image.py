"""Builds the image of Horovod 0.13 on TensorFlow 1.8 for Python 2.7.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python2.7 and g++, with which Horovod is compiled in the image; TensorFlow and Open MPI from
wheels. ``python``, ``pip`` and ``mpirun`` are on PATH.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import main
from training.images.pythons import recipe
from training.support.openmpi import OPEN_MPI, lead_to
from training.toolkits.horovod.wheels import COMPILE, TABLE


def _more(site: Path, prefix: Path) -> None:
    lead_to(site, prefix, "'/usr/local'")
    shutil.copyfile(COMPILE, site / "horovod" / COMPILE.name)


_SUFFIX = 'import sysconfig as s; print(s.get_config_var(\\"EXT_SUFFIX\\") or s.get_config_var(\\"SO\\") or \\".so\\")'
_SITE = "/usr/local/lib/python2.7/dist-packages"
RECIPE = recipe(
    "horovod",
    "Horovod 0.13 on TensorFlow 1.8 with Python 2.7",
    [*TABLE["cp27mu"], OPEN_MPI, *TABLE["pip"]],
    "import horovod.tensorflow",
    number="1",
    packages=("g++",),
    more=_more,
    first=f'sh {_SITE}/horovod/compile.sh {_SITE} /usr/local "$(python2.7 -c "{_SUFFIX}")" /usr/local/lib',
)

if __name__ == "__main__":
    main(RECIPE)
