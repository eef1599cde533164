"""Backends are found by name; broken ones are reported, and nothing heavy is imported for a name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.registry import BUILT_IN, GROUP, Registry

if TYPE_CHECKING:
    from batchai_scenario.backends.base import BackendOptions


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


BROKEN = [
    entry("broken", "no_such_module:open_backend"),
    entry("empty", "batchai_scenario.backends.memory:no_such_function"),
    entry("value", "batchai_scenario.backends.registry:GROUP"),
    entry("other", "batchai_scenario.backends.memory:open_backend"),
    entry("azure", "no_such_module:impostor"),
]


def test_broken_offers_are_reported_and_harm_nobody(options: BackendOptions) -> None:
    registry = Registry(BROKEN)
    errors = {offer.name: offer.error for offer in registry.offers()}
    assert set(errors) == {*BUILT_IN, "broken", "empty", "other", "value"}
    assert {name for name, error in errors.items() if error} == {"broken", "empty", "value"}
    assert "no_such_module" in errors["broken"]
    assert "no_such_function" in errors["empty"]
    with pytest.raises(MachineError, match="'broken'"):
        registry.open("broken", options)


def test_a_backend_is_opened_by_name(options: BackendOptions, tmp_path: object) -> None:
    assert isinstance(Registry(BROKEN).open("other", options), MemoryBackend)


def test_an_unknown_name_lists_the_known_ones(options: BackendOptions) -> None:
    with pytest.raises(UserError, match="azure, faulty, local, memory, other, recording") as refused:
        Registry([BROKEN[3]]).open("aws", options)
    assert refused.value.field == "backend"


@pytest.mark.parametrize("name", ["azure", "local", "memory"])
def test_an_unknown_option_is_refused_by_name(name: str, options: BackendOptions) -> None:
    wrong = type(options)(options.home, {"colour": "blue"}, options.environment)
    with pytest.raises(UserError) as refused:
        Registry([]).open(name, wrong)
    assert refused.value.field == "colour"


def test_a_wrong_value_of_a_local_option_is_refused_by_name(options: BackendOptions) -> None:
    wrong = type(options)(options.home, {"engine": "podman"})
    with pytest.raises(UserError, match="auto, docker, process") as refused:
        Registry([]).open("local", wrong)
    assert refused.value.field == "engine"


def test_names_and_refusals_import_no_sdk() -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from batchai_scenario.backends.base import BackendOptions\n"
        "from batchai_scenario.backends.errors import MissingSettings\n"
        "from batchai_scenario.backends.registry import Registry\n"
        "Registry().names()\n"
        "try:\n"
        "    Registry().open('azure', BackendOptions(Path('.')))\n"
        "except MissingSettings:\n"
        "    pass\n"
        "heavy = {'azure.core', 'azure.mgmt', 'azure.storage', 'requests', 'msrest', 'docker', 'uvicorn'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
