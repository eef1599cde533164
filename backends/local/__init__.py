"""The backend ``local``: the client of ``backends.azure``, pointed at an emulator on this machine.

This package alone imports ``emulator``, to start and to control it. Its entry points import what they
need when they are called.
"""

from __future__ import annotations

from backends.local.backend import open_backend
from backends.local.control import (
    EmulatorStatus,
    environment,
    gc,
    reset,
    serve,
    status,
    stop,
)
from backends.local.execution import CannotExecuteError, execute
from backends.local.interception import REMOVED, found_address, interception
from backends.local.tools import EngineProbe, Image, build_image, list_images, probe_engines

__all__ = [
    "REMOVED",
    "CannotExecuteError",
    "EmulatorStatus",
    "EngineProbe",
    "Image",
    "build_image",
    "environment",
    "execute",
    "found_address",
    "gc",
    "interception",
    "list_images",
    "open_backend",
    "probe_engines",
    "reset",
    "serve",
    "status",
    "stop",
]
