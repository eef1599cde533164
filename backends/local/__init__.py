"""The backend ``local``: the client of ``backends.azure``, pointed at an emulator on this machine.

This package alone imports ``emulator``, to start and to control it. What it offers is imported when it is
first used: serving an emulator needs no client, and the other way round. (Not so ``interception``, which is
light, and shares its name with its module.)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from batchai_scenario.backends.local.interception import REMOVED, interception

if TYPE_CHECKING:
    from batchai_scenario.backends.local.backend import open_backend
    from batchai_scenario.backends.local.boards import BoardState, watch_board
    from batchai_scenario.backends.local.caching import Cached, Pruned, cached, prune, unfinished
    from batchai_scenario.backends.local.cleaning import gc, reset
    from batchai_scenario.backends.local.control import (
        EmulatorStatus,
        environment,
        preempt,
        serve,
        status,
        stop,
    )
    from batchai_scenario.backends.local.doors import Doors, doors_of, home_in_memory
    from batchai_scenario.backends.local.execution import CannotExecuteError, execute
    from batchai_scenario.backends.local.host import ServeOptions, found_address
    from batchai_scenario.backends.local.imagecache import built_images, prune_images
    from batchai_scenario.backends.local.logs import emulator_log
    from batchai_scenario.backends.local.mending import (
        Damage,
        Salvaged,
        damages,
        last_copy,
        repair,
        salvage,
    )
    from batchai_scenario.backends.local.readying import framework_of_jobs, toolkits_lack
    from batchai_scenario.backends.local.sandboxes import has_slurm_settings, slurm_checks, slurm_sandbox
    from batchai_scenario.backends.local.settings import own_secrets
    from batchai_scenario.backends.local.tools import (
        EngineProbe,
        Image,
        build_image,
        list_images,
        machine_gpus,
        probe_engines,
    )

_PLACES = {
    "Cached": "caching",
    "Pruned": "caching",
    "cached": "caching",
    "prune": "caching",
    "unfinished": "caching",
    "built_images": "imagecache",
    "prune_images": "imagecache",
    "BoardState": "boards",
    "watch_board": "boards",
    "Damage": "mending",
    "Salvaged": "mending",
    "damages": "mending",
    "last_copy": "mending",
    "repair": "mending",
    "salvage": "mending",
    "Doors": "doors",
    "doors_of": "doors",
    "home_in_memory": "doors",
    "open_backend": "backend",
    "EmulatorStatus": "control",
    "environment": "control",
    "gc": "cleaning",
    "own_secrets": "settings",
    "preempt": "control",
    "reset": "cleaning",
    "serve": "control",
    "has_slurm_settings": "sandboxes",
    "slurm_checks": "sandboxes",
    "slurm_sandbox": "sandboxes",
    "ServeOptions": "host",
    "status": "control",
    "stop": "control",
    "CannotExecuteError": "execution",
    "execute": "execution",
    "found_address": "host",
    "emulator_log": "logs",
    "EngineProbe": "tools",
    "Image": "tools",
    "build_image": "tools",
    "list_images": "tools",
    "machine_gpus": "tools",
    "probe_engines": "tools",
    "toolkits_lack": "readying",
    "framework_of_jobs": "readying",
}
__all__ = [
    "REMOVED",
    "BoardState",
    "Cached",
    "CannotExecuteError",
    "Damage",
    "Doors",
    "EmulatorStatus",
    "EngineProbe",
    "Image",
    "Pruned",
    "Salvaged",
    "ServeOptions",
    "build_image",
    "built_images",
    "cached",
    "damages",
    "doors_of",
    "emulator_log",
    "environment",
    "execute",
    "found_address",
    "framework_of_jobs",
    "gc",
    "has_slurm_settings",
    "home_in_memory",
    "interception",
    "last_copy",
    "list_images",
    "machine_gpus",
    "open_backend",
    "own_secrets",
    "preempt",
    "probe_engines",
    "prune",
    "prune_images",
    "repair",
    "reset",
    "salvage",
    "serve",
    "slurm_checks",
    "slurm_sandbox",
    "status",
    "stop",
    "toolkits_lack",
    "unfinished",
    "watch_board",
]


def __getattr__(name: str) -> object:
    """Import what is offered here (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
