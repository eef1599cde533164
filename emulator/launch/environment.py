"""The environment of a job's processes: the service's variables, then the user's own and the secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.launch.layout import (
    JobLayout,
    expand,
    node_path,
    output_directories,
    refuse,
    stdouterr_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ID = re.compile(r"[A-Za-z0-9_]+\Z")
_OURS = "AZ_BATCHAI_"


def service_variables(
    definition: Mapping[str, Any], segment: str, layout: JobLayout, addresses: Sequence[str]
) -> dict[str, str]:
    """Give the AZ_BATCHAI_* variables of a job; ``addresses`` are its nodes', the master's first.

    The number of GPUs stands at 0: the engine that finds some puts their number in its place.

    Raises:
        ServiceError: names the property whose path or id cannot be used.
    """
    variables = layout.variables()
    variables["AZ_BATCHAI_STDOUTERR_DIR"] = str(stdouterr_directory(definition, segment, variables))
    for index, entry in enumerate(definition.get("inputDirectories") or ()):
        target = f"properties.inputDirectories[{index}]"
        path = node_path(str(entry.get("path") or ""), layout.variables(), f"{target}.path")
        variables[f"AZ_BATCHAI_INPUT_{_directory_id(entry, target)}"] = str(path)
    for index, entry in enumerate(definition.get("outputDirectories") or ()):
        _directory_id(entry, f"properties.outputDirectories[{index}]")
    for name, path in output_directories(definition, segment, layout).items():
        variables[f"AZ_BATCHAI_OUTPUT_{name}"] = str(path)
    variables["AZ_BATCHAI_NUM_GPUS"] = "0"
    variables["AZ_BATCHAI_NUM_GPUS_PER_NODE"] = "0"
    variables["AZ_BATCH_HOST_LIST"] = ",".join(addresses)
    return variables


def gpu_variables(visible: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Give what a job sees of its node's GPUs.

    Args:
        visible: the names under which CUDA finds them, in the order in which the job counts them from 0.
        environment: the job's own; what it says in ``CUDA_VISIBLE_DEVICES`` are some of its node's GPUs.
    """
    count = str(len(visible))
    chosen = environment.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(len(visible)))))
    wanted = [name.strip() for name in chosen.split(",") if name.strip()]
    shown = [visible[int(name)] if name.isdecimal() and int(name) < len(visible) else name for name in wanted]
    return {
        "AZ_BATCHAI_NUM_GPUS": count,
        "AZ_BATCHAI_NUM_GPUS_PER_NODE": count,
        "CUDA_VISIBLE_DEVICES": ",".join(shown) if visible else "",
        "NVIDIA_VISIBLE_DEVICES": ",".join(visible) or "void",
    }


def _directory_id(entry: Mapping[str, Any], target: str) -> str:
    name = str(entry.get("id") or "")
    if not _ID.match(name):
        raise refuse(f"{target}.id", f"'{name}' is not a part of a shell variable's name")
    return name


def user_variables(
    definition: Mapping[str, Any], secrets: Mapping[str, str], path: str = "properties"
) -> Iterator[tuple[str, str, str]]:
    """Give (property path, name, value) of the user's own variables, then of the secrets.

    ``definition`` is a job's or a setup task's, whose JSON path is ``path``. ``secrets`` are by JSON
    pointer: the value of the i-th is at ``/secrets/<i>/value``.
    """
    for index, entry in enumerate(definition.get("environmentVariables") or ()):
        yield f"{path}.environmentVariables[{index}]", str(entry["name"]), str(entry.get("value") or "")
    for index, entry in enumerate(definition.get("secrets") or ()):
        target = f"{path}.secrets[{index}]"
        value = secrets.get(f"/secrets/{index}/value")
        if value is None:
            raise refuse(f"{target}.value", "the secret has no value; Key Vault references are not emulated")
        yield target, str(entry["name"]), value


def environment(
    definition: Mapping[str, Any],
    secrets: Mapping[str, str],
    *,
    segment: str,
    layout: JobLayout,
    addresses: Sequence[str],
    defaults: Mapping[str, str],
) -> dict[str, str]:
    """Give a job's whole environment, secrets included: for the main command and for preparation.

    Values of the user's variables may refer to ``$AZ_BATCHAI_*`` (documentation); any other ``$`` is kept
    as it is. ``PYTHONUNBUFFERED=1`` is our default, so that logs can be followed; the user may change it,
    and the toolkit's ``defaults`` likewise.

    Raises:
        ServiceError: names the property if a name is not a shell identifier, is one of the service's own,
            or a value holds a NUL.
    """
    service = service_variables(definition, segment, layout, addresses)
    own = variables_of(definition, secrets, service, "properties")
    return {"PYTHONUNBUFFERED": "1", **defaults, **own, **service}


def variables_of(
    definition: Mapping[str, Any], secrets: Mapping[str, str], service: Mapping[str, str], path: str
) -> dict[str, str]:
    """Give the user's own variables and secrets, with the service's in the place of ``$AZ_BATCHAI_*``.

    Raises:
        ServiceError: as ``environment``; ``path`` is the JSON path of the definition.
    """
    result: dict[str, str] = {}
    for target, name, value in user_variables(definition, secrets, path):
        if not _NAME.match(name):
            raise refuse(f"{target}.name", f"'{name}' is not a shell variable's name")
        if name.startswith(_OURS):
            raise refuse(f"{target}.name", f"'{name}' is set by the service")
        if "\0" in value:
            raise refuse(f"{target}.value", "the value holds a NUL character")
        result[name] = expand(value, service)
    return result
