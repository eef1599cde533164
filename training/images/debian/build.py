"""Builds a small Debian image: a shell, the usual commands, apt. It stands for ubuntu and debian.

python build.py --tag TAG [--json] [--no-registry] [--force]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import ImageRecipe, main

RECIPE = ImageRecipe(
    name="debian",
    summary="A small Debian for jobs that need no toolkit",
    base="debian:bookworm-slim",
    suite="bookworm",
    packages=("ca-certificates", "procps"),
)

if __name__ == "__main__":
    main(RECIPE)
