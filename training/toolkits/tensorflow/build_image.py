"""Builds the CPU image of TensorFlow 1.8 for Python 2.7.

    python build_image.py --tag TAG [--json] [--no-registry] [--force]

Debian bullseye with its python2.7; TensorFlow, Keras and what they need from wheels. ``python`` and ``pip`` are on PATH.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import main
from training.images.pythons import recipe
from training.support.wheels import read_wheels, with_keras

_TABLE = with_keras(read_wheels(Path(__file__).with_name("wheels.json")))
RECIPE = recipe(
    "tensorflow",
    "TensorFlow 1.8 for CPUs with Python 2.7",
    [*_TABLE["cp27mu"], *_TABLE["pip"]],
    "import tensorflow",
    number="1",
)

if __name__ == "__main__":
    main(RECIPE)
