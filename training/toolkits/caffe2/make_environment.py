"""Makes an environment in which Caffe2 runs without a container: PyTorch's, as Caffe2 went into PyTorch 1.0.

python make_environment.py --cache DIR [--python PATH] [--check] [--json]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.support.environment import main
from training.toolkits.pytorch.make_environment import RECIPE

if __name__ == "__main__":
    main(RECIPE)
