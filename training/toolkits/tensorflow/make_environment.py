"""Makes an environment in which TensorFlow 1.8 runs without a container.

    python make_environment.py --cache DIR [--python PATH] [--check] [--json]

TensorFlow 1.8 was current when the service was. Its wheels are for Python 3.6 and 2.7; with them go Keras and
those packages without which it cannot be imported. How it is made: ``training/support/environment.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.environment import Recipe, main
from training.support.wheels import read_wheels, with_keras

_TABLE = with_keras(read_wheels(Path(__file__).with_name("wheels.json")))
RECIPE = Recipe(
    toolkit="tensorflow",
    title="TensorFlow 1.8",
    number=1,
    table=_TABLE,
    more=tuple(_TABLE["pip"]),
    unpacked=440_000_000,
    trial=(
        "import tensorflow as tf; x = tf.constant([[1.0, 2.0]]); y = tf.reduce_sum(tf.nn.relu(2 * x - 1)); "
        "assert tf.Session().run(y) == 4.0; print(tf.__version__)"
    ),
    variable="SCENARIO_TENSORFLOW_PYTHON",
)


if __name__ == "__main__":
    main(RECIPE)
