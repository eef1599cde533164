"""Request bodies: the caller's JSON, checked against the service's schema and completed by the place.

The SDK serialises a body through its models and drops what they do not know; so every property is
checked first, names and types as the service writes them. What passes is sent unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import InvalidSpec
from batchai_scenario.schema.faults import FaultsFound
from batchai_scenario.schema.secrets import is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.schema.faults import Fault

PLACEHOLDER = re.compile(r"\$STORAGE_(ACCOUNT|KEY|URL)\b")

NAME = re.compile(r"[-\w]{1,64}", re.ASCII)
"""Names of clusters and jobs."""


def check_name(name: str) -> None:
    """Check the name of a cluster or job to be created: other names never get into an address.

    Raises:
        InvalidSpec: the service has no such names (api-version 2018-05-01, SDK 2.0.0).
    """
    if NAME.fullmatch(name) is None:
        raise InvalidSpec(
            f"{name!r} is no name", field="name", hint="use 1 to 64 letters, digits, '-' or '_'"
        )


def filled(properties: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Replace the placeholders; ``values`` has ACCOUNT, KEY and URL.

    Raises:
        InvalidSpec: the storage key would stand where everybody can read it.
    """

    def replace(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str):
            if "$STORAGE_KEY" in value and not is_secret(path):
                raise InvalidSpec(
                    "the storage key would be readable here",
                    field=path,
                    hint="put $STORAGE_KEY into credentials.accountKey or the value of one of the secrets",
                )
            return PLACEHOLDER.sub(lambda found: values[found.group(1)], value)
        if isinstance(value, dict):
            return {key: replace(inner, f"{path}.{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [replace(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
        return value

    return {key: replace(value, f"properties.{key}") for key, value in properties.items()}


def check(kind: str, properties: Mapping[str, Any]) -> None:
    """Check a body as the service read it: of a ``Cluster``, ``FileServer`` or ``Job``. It is sent as is.

    A job's ``cluster`` may be missing: whoever submits it knows.

    Raises:
        InvalidSpec: everything that is wrong with it; ``field`` is the first property's path.
    """
    from batchai_scenario.schema.clusters import ClusterCreate
    from batchai_scenario.schema.fileservers import FileServerCreate
    from batchai_scenario.schema.jobs import JobCreate, toolkit_faults, with_toolkits
    from batchai_scenario.schema.reading import check_exactly
    from batchai_scenario.training.toolkits.registry import delivered

    body = {"properties": dict(properties)}
    try:
        if kind != "Job":
            check_exactly(ClusterCreate if kind == "Cluster" else FileServerCreate, body)
        else:
            toolkits = delivered()
            body["properties"].setdefault("cluster", {"id": "the cluster that it is submitted to"})
            check_exactly(with_toolkits(JobCreate, toolkits), body, toolkit_faults(properties, toolkits))
    except FaultsFound as error:
        raise refused(error.faults) from None


def refused(faults: Sequence[Fault]) -> InvalidSpec:
    """Make the error of a body's faults, at least one: the first in its fields, all in its text."""
    first, *more = faults
    if not more:
        return InvalidSpec(first.why, field=first.path, hint=first.hint)
    lines = [f"{fault.path}: {fault.why}" + (f" ({fault.hint})" if fault.hint else "") for fault in faults]
    text = "\n  ".join([f"{len(faults)} properties are wrong", *lines])
    return InvalidSpec(text, field=first.path, hint="")
