"""What Horovod is made of: its sources, TensorFlow and Open MPI."""

from __future__ import annotations

from pathlib import Path

from training.support.wheels import read_wheels, with_keras

_TENSORFLOW = with_keras(read_wheels(Path(__file__).parents[1] / "tensorflow" / "wheels.json"))
_HOROVOD = read_wheels(Path(__file__).with_name("wheels.json"))["horovod"]
TABLE = {
    name: [*(_HOROVOD if name.startswith("cp") else []), *wheels] for name, wheels in _TENSORFLOW.items()
}
COMPILE = Path(__file__).with_name("compile.sh")
