"""Builds an image of a PyTorch of today, for CPUs: that of Debian 13 (PyTorch 2.6, Python 3.13).

python build.py --tag TAG [--json] [--no-registry] [--force]

Debian's packages alone: PyPI's wheels of PyTorch 2 for Linux on x86-64 are those for CUDA, and want its libraries.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import ImageRecipe, main

_PACKAGES = (
    "ca-certificates",
    "openssh-client",
    "procps",
    "python-is-python3",
    "python3",
    "python3-pip",
    "python3-torch",
    "wget",
)

RECIPE = ImageRecipe(
    name="pytorch2",
    summary="A PyTorch of today for CPUs, with Debian's Python 3",
    base="debian:trixie-slim",
    suite="trixie",
    packages=_PACKAGES,
    finish='rm -f /usr/lib/python3*/EXTERNALLY-MANAGED; python -c "import numpy, torch.distributed"',
)

if __name__ == "__main__":
    main(RECIPE)
