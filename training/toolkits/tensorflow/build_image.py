"""Builds the CPU image of TensorFlow 1.8 for Python 2.7.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python2.7; TensorFlow and what it needs from wheels. ``python`` and ``pip`` are on PATH.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import ImageRecipe, main
from training.support.events import Events
from training.support.wheels import fetch, read_wheels, unpack
from training.toolkits.tensorflow.install import finish

_TABLE = read_wheels(Path(__file__).with_name("wheels.json"))
_WHEELS = [*_TABLE["cp27mu"], *_TABLE["pip"]]


def fill(folder: Path, events: Events) -> None:
    """Put the wheels into a folder, as they lie in the image."""
    prefix = folder / "usr" / "local"
    site = prefix / "lib" / "python2.7" / "dist-packages"
    (prefix / "bin").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scenario-wheels-") as wheels:
        for wheel in fetch(_WHEELS, Path(wheels), events):
            unpack(wheel, site, prefix)
    for name in ("python", "python2"):
        (prefix / "bin" / name).symlink_to("/usr/bin/python2.7")
    finish(site, prefix / "bin", 2)


RECIPE = ImageRecipe(
    name="tensorflow",
    summary="TensorFlow 1.8 for CPUs with Python 2.7",
    base="debian:bullseye-slim",
    suite="bullseye",
    packages=("python2.7", "libstdc++6", "zlib1g", "ca-certificates", "openssh-client", "procps", "wget"),
    contents=("1", *(wheel["sha256"] for wheel in _WHEELS)),  # the first goes up when fill changes
    tree=fill,
    finish="python2.7 -m compileall -q /usr/local/lib/python2.7/dist-packages > /dev/null || true; "
    'python2.7 -c "import tensorflow"',
)

if __name__ == "__main__":
    main(RECIPE)
