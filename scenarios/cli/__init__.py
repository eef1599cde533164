"""The command line ``scenario``. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

from batchai_scenario.scenarios.cli.app import main

__all__ = ["main"]
