"""Builds the CPU image of CNTK 2.7 for Python 2.7, the last Python that Debian packages and CNTK supports.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python2.7; CNTK, NumPy, SciPy, pip and Open MPI from wheels. ``python``, ``pip`` and
``mpirun`` are on PATH. The wheels hold no ``cntk`` program: the image runs Python scripts, not BrainScript.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import ImageRecipe, main
from training.support.events import Events
from training.support.openmpi import OPEN_MPI
from training.support.wheels import add_pip, fetch, read_wheels, unpack
from training.toolkits.cntk.install import add_mpi, add_python

_TABLE = read_wheels(Path(__file__).with_name("wheels.json"))
_WHEELS = [*_TABLE["cp27mu"], OPEN_MPI, *_TABLE["pip"]]


def fill(folder: Path, events: Events) -> None:
    """Put the wheels and what they need into a folder, as they lie in the image."""
    prefix = folder / "usr" / "local"
    site = prefix / "lib" / "python2.7" / "dist-packages"
    (prefix / "bin").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scenario-wheels-") as wheels:
        for wheel in fetch(_WHEELS, Path(wheels), events):
            unpack(wheel, site, prefix)
    add_mpi(site, prefix, "'/usr/local'")
    add_python(site, "cp27mu")
    for name in ("python", "python2"):
        (prefix / "bin" / name).symlink_to("/usr/bin/python2.7")
    add_pip(prefix / "bin", 2)


RECIPE = ImageRecipe(
    name="cntk",
    summary="CNTK 2.7 for CPUs with Python 2.7",
    base="debian:bullseye-slim",
    suite="bullseye",
    packages=("python2.7", "libstdc++6", "zlib1g", "ca-certificates", "openssh-client", "procps", "wget"),
    contents=("3", *(wheel["sha256"] for wheel in _WHEELS)),  # the first goes up when fill changes
    tree=fill,
    finish="python2.7 -m compileall -q /usr/local/lib/python2.7/dist-packages > /dev/null || true; "
    'python2.7 -c "import cntk"',
)

if __name__ == "__main__":
    main(RECIPE)
