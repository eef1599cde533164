"""Run bundles: what a backend was asked and what it gave, as a folder that needs no backend to be read.

``bundle.json`` says what it is; ``calls.jsonl`` has a line for each call, in the order of their ends; file
contents are in ``contents/`` by their SHA-256. No secret is in it: values of secrets and passwords stand as
their names, signed links are left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends import base, errors, powers
from batchai_scenario.schema.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        base.Place,
        base.ClusterStatus,
        base.JobStatus,
        base.OutputFile,
        base.ShareFile,
        base.UploadReport,
        base.Capabilities,
        powers.FileServerStatus,
        powers.NodeLogin,
    )
}
_KINDS["Problem"] = base.BatchAIError  # its name in bundles since the first
_NAMES = {kind: name for name, kind in _KINDS.items()}
_ERRORS = {
    kind.__name__: kind
    for kind in (
        errors.UserError,
        errors.InvalidSpec,
        errors.NotSupported,
        errors.MachineError,
        errors.BackendError,
        errors.NotFound,
        errors.Unreachable,
    )
}


def pack(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value; a line for each kind
    """Write a value of the interface as JSON data, without secrets."""
    if isinstance(value, base.Upload):
        digest = hashlib.sha256(value.source.read_bytes()).hexdigest() if value.source.is_file() else ""
        return {"share": value.share, "path": value.path, "sha256": digest}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {it.name: pack(getattr(value, it.name)) for it in dataclasses.fields(value)}
        if "url" in fields:
            fields["url"] = ""
        return {"is": _NAMES.get(type(value), type(value).__name__), **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return {"is": "time", "text": value.isoformat()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return redacted({str(name): pack(inner) for name, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    return value


def unpack(data: Any) -> Any:  # noqa: ANN401 - JSON to any value of the interface
    """Read what ``pack`` wrote."""
    if isinstance(data, list):
        return [unpack(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("is") == "time":
        return datetime.fromisoformat(data["text"])
    fields = {name: unpack(inner) for name, inner in data.items() if name != "is"}
    if data.get("is") not in _KINDS:
        return fields
    for name in ("errors", "engines"):
        if isinstance(fields.get(name), list):
            fields[name] = tuple(fields[name])
    if data["is"] == "JobStatus":
        fields["state"] = base.JobState(fields["state"])
    return _KINDS[data["is"]](**fields)


def pack_error(error: errors.ScenarioError) -> dict[str, Any]:
    """Write an error of the interface as JSON data."""
    kind = next(it.__name__ for it in type(error).__mro__ if it.__name__ in _ERRORS)
    names = [it.name for it in dataclasses.fields(_ERRORS[kind])]
    return {"is": kind, **{name: getattr(error, name) for name in names}}


def unpack_error(data: Mapping[str, Any]) -> errors.ScenarioError:
    """Read what ``pack_error`` wrote."""
    return _ERRORS[str(data["is"])](**{name: value for name, value in data.items() if name != "is"})
