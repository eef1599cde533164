"""Makes an environment in which PyTorch 1.0, and the Caffe2 inside it, run without a container.

    python make_environment.py --cache DIR [--python PATH] [--check] [--json]

PyTorch 1.0 is the last that was current when the service was. Its wheel for Python 2.7 is for GPUs and CPUs alike,
which makes it large: 590 MB, and 1.2 GB unpacked. How it is made: ``training/support/environment.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.environment import Recipe, main
from training.support.wheels import read_wheels

_TABLE = read_wheels(Path(__file__).with_name("wheels.json"))
RECIPE = Recipe(
    toolkit="pytorch",
    title="PyTorch 1.0",
    number=1,
    table=_TABLE,
    more=tuple(_TABLE["pip"]),
    unpacked=1_250_000_000,
    trial=(
        "import torch; x = torch.tensor([[1.0, 2.0]]); assert torch.relu(2 * x - 1).sum().item() == 4.0; "
        "import torch.distributed; assert torch.distributed.is_available(); print(torch.__version__)"
    ),
    variable="SCENARIO_PYTORCH_PYTHON",
)


if __name__ == "__main__":
    main(RECIPE)
