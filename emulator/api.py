"""The emulator as others see it: everything that ``backends.local`` and the command line use stands here.

What is offered is imported when it is first used: serving needs no engines, controlling needs no server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchai_scenario.emulator import errors
    from batchai_scenario.emulator.cluster.keeping import ResourceRecords
    from batchai_scenario.emulator.credentials import Credentials
    from batchai_scenario.emulator.engines.base import Engine, Lack, Need
    from batchai_scenario.emulator.engines.choose import Engines
    from batchai_scenario.emulator.engines.docker.api import connect as connect_docker
    from batchai_scenario.emulator.engines.docker.engine import DockerEngine
    from batchai_scenario.emulator.engines.gpu import machine_gpus as list_gpus
    from batchai_scenario.emulator.engines.needs import job_needs, toolkit_needs
    from batchai_scenario.emulator.engines.process.engine import ProcessEngine
    from batchai_scenario.emulator.engines.slurm.checks import SlurmCheck
    from batchai_scenario.emulator.engines.slurm.checks import checks as slurm_checks
    from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
    from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
    from batchai_scenario.emulator.engines.substitutes import build_programs, built_reference
    from batchai_scenario.emulator.engines.supervisors import running_tasks
    from batchai_scenario.emulator.errors import (
        CredentialsInvalid,
        EmulatorError,
        EngineError,
        EngineUnavailable,
        HomeDamaged,
        HomeInUse,
    )
    from batchai_scenario.emulator.gateway.authority import LOOPBACK, Authority
    from batchai_scenario.emulator.identity import development
    from batchai_scenario.emulator.identity.development import PUBLISHED
    from batchai_scenario.emulator.server import EmulatorServer
    from batchai_scenario.emulator.serving import Address, HomeLock, holder, last_address, read_address
    from batchai_scenario.emulator.settings import EmulatorSettings
    from batchai_scenario.emulator.state import beneath
    from batchai_scenario.emulator.state.clock import SystemClock
    from batchai_scenario.emulator.state.copies import copies as home_copies
    from batchai_scenario.emulator.state.health import REMEDY
    from batchai_scenario.emulator.state.health import check as check_home
    from batchai_scenario.emulator.state.health import problems as home_problems
    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.own import OwnCredentials
    from batchai_scenario.emulator.state.repair import repair as repair_home
    from batchai_scenario.emulator.state.seal import Seal
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.storage.shares import Shares
    from batchai_scenario.emulator.storage.snapshots import copy_tree
    from batchai_scenario.emulator.ui.ports import RunBook

_PLACES = {
    "Address": ("serving", "Address"),
    "Authority": ("gateway.authority", "Authority"),
    "Credentials": ("credentials", "Credentials"),
    "CredentialsInvalid": ("errors", "CredentialsInvalid"),
    "DockerEngine": ("engines.docker.engine", "DockerEngine"),
    "EmulatorError": ("errors", "EmulatorError"),
    "EmulatorServer": ("server", "EmulatorServer"),
    "EmulatorSettings": ("settings", "EmulatorSettings"),
    "Engine": ("engines.base", "Engine"),
    "EngineError": ("errors", "EngineError"),
    "EngineUnavailable": ("errors", "EngineUnavailable"),
    "Engines": ("engines.choose", "Engines"),
    "Home": ("state.home", "Home"),
    "HomeDamaged": ("errors", "HomeDamaged"),
    "HomeInUse": ("errors", "HomeInUse"),
    "HomeLock": ("serving", "HomeLock"),
    "LOOPBACK": ("gateway.authority", "LOOPBACK"),
    "Lack": ("engines.base", "Lack"),
    "Need": ("engines.base", "Need"),
    "OwnCredentials": ("state.own", "OwnCredentials"),
    "PUBLISHED": ("identity.development", "PUBLISHED"),
    "ProcessEngine": ("engines.process.engine", "ProcessEngine"),
    "REMEDY": ("state.health", "REMEDY"),
    "ResourceRecords": ("cluster.keeping", "ResourceRecords"),
    "RunBook": ("ui.ports", "RunBook"),
    "Seal": ("state.seal", "Seal"),
    "Shares": ("storage.shares", "Shares"),
    "SlurmEngine": ("engines.slurm.engine", "SlurmEngine"),
    "SlurmCheck": ("engines.slurm.checks", "SlurmCheck"),
    "Store": ("state.store", "Store"),
    "SystemClock": ("state.clock", "SystemClock"),
    "beneath": ("state.beneath", ""),
    "build_programs": ("engines.substitutes", "build_programs"),
    "built_reference": ("engines.substitutes", "built_reference"),
    "check_home": ("state.health", "check"),
    "connect_docker": ("engines.docker.api", "connect"),
    "copy_tree": ("storage.snapshots", "copy_tree"),
    "development": ("identity.development", ""),
    "errors": ("errors", ""),
    "holder": ("serving", "holder"),
    "home_copies": ("state.copies", "copies"),
    "home_problems": ("state.health", "problems"),
    "job_needs": ("engines.needs", "job_needs"),
    "last_address": ("serving", "last_address"),
    "list_gpus": ("engines.gpu", "machine_gpus"),
    "read_address": ("serving", "read_address"),
    "repair_home": ("state.repair", "repair"),
    "running_tasks": ("engines.supervisors", "running_tasks"),
    "slurm_checks": ("engines.slurm.checks", "checks"),
    "slurm_sandbox": ("engines.slurm.sandbox", "slurm_sandbox"),
    "toolkit_needs": ("engines.needs", "toolkit_needs"),
}
"""Name -> module and name there; without a name, the module itself."""

__all__ = [
    "LOOPBACK",
    "PUBLISHED",
    "REMEDY",
    "Address",
    "Authority",
    "Credentials",
    "CredentialsInvalid",
    "DockerEngine",
    "EmulatorError",
    "EmulatorServer",
    "EmulatorSettings",
    "Engine",
    "EngineError",
    "EngineUnavailable",
    "Engines",
    "Home",
    "HomeDamaged",
    "HomeInUse",
    "HomeLock",
    "Lack",
    "Need",
    "OwnCredentials",
    "ProcessEngine",
    "ResourceRecords",
    "RunBook",
    "Seal",
    "Shares",
    "SlurmCheck",
    "SlurmEngine",
    "Store",
    "SystemClock",
    "beneath",
    "build_programs",
    "built_reference",
    "check_home",
    "connect_docker",
    "copy_tree",
    "development",
    "errors",
    "holder",
    "home_copies",
    "home_problems",
    "job_needs",
    "last_address",
    "list_gpus",
    "read_address",
    "repair_home",
    "running_tasks",
    "slurm_checks",
    "slurm_sandbox",
    "toolkit_needs",
]


def __getattr__(name: str) -> object:
    """Import what is offered here (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    found: object = import_module(f"batchai_scenario.emulator.{module}")
    found = getattr(found, attribute) if attribute else found
    globals()[name] = found
    return found
