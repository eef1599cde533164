"""``python -m scenarios`` is the command ``scenario``."""

from __future__ import annotations

import sys

from batchai_scenario.scenarios.cli import main

sys.exit(main())
