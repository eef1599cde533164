"""Cluster and job bodies: the service's own JSON, with what every scenario would otherwise repeat."""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import InvalidScenario
from batchai_scenario.scenarios.report.text import is_utf8
from batchai_scenario.schema.layout import STDOUTERR, output_places, standard_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.scenarios.definition.strict import Path_, YamlFile

_OLD_PLACEHOLDERS = (
    ("https://<AZURE_BATCHAI_STORAGE_ACCOUNT>.file.core.windows.net", "$STORAGE_URL"),
    ("<AZURE_BATCHAI_STORAGE_ACCOUNT>", "$STORAGE_ACCOUNT"),
    ("<AZURE_BATCHAI_STORAGE_KEY>", "$STORAGE_KEY"),
)
"""What ``az batchai ... -f`` files call the storage account, and what backends call it."""
NUMBERS = frozenset(
    {
        "createNew",
        "diskCount",
        "diskSizeInGB",
        "initialNodeCount",
        "maximumNodeCount",
        "minimumNodeCount",
        "nodeCount",
        "parameterServerCount",
        "processCount",
        "targetNodeCount",
        "workerCount",
    }
)
"""The properties of bodies that are numbers or truth values; all others are texts."""
_ROOTS = (("$AZ_BATCHAI_MOUNT_ROOT", "cluster"), ("$AZ_BATCHAI_JOB_MOUNT_ROOT", "job"))


def load_body(section: Mapping[str, Any], folder: Path, source: YamlFile, path: Path_) -> dict[str, Any]:
    """Give a body's properties: as written, or those of ``file`` (cluster.json) with the rest on top.

    A file may be wrapped as the service's tools wrap it: a top-level ``properties`` and ``$schema``.

    Raises:
        InvalidScenario: The file is missing, is not JSON, or holds what a body does not have.
    """
    body = dict(section)
    name = body.pop("file", None)
    if name is not None:
        body = _merge(_read_file(folder / str(name), source, (*path, "file")), body)
    elif "properties" in body:
        body = _unwrap(body, lambda text: source.error(path, text))
    plain: dict[str, Any] = _plain(body)
    return plain


def _read_file(file: Path, source: YamlFile, path: Path_) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise source.error(
            path, f"cannot read {file}: {error.strerror}", "paths start at the scenario's folder"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidScenario(f"this is not JSON: {error}", str(file)) from None
    if not is_utf8(json.dumps(data, ensure_ascii=False)):
        raise InvalidScenario("a text in it holds half a character (a lone surrogate)", str(file))
    if not isinstance(data, dict):
        raise InvalidScenario("the file must hold a JSON object", str(file))
    if "properties" not in data:
        data.pop("$schema", None)
        return data
    return _unwrap(data, lambda text: InvalidScenario(text, str(file)))


def _unwrap(data: Mapping[str, Any], error: Any) -> dict[str, Any]:  # noqa: ANN401 - makes the exception
    for key in data:
        if key not in ("properties", "$schema"):
            raise error(f"{key!r} stands beside 'properties'; with that on top, all else belongs inside it")
    if not isinstance(data["properties"], dict):
        raise error("'properties' must hold an object")
    return dict(data["properties"])


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one body over another: objects are merged, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _plain(tree: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
    """Write abbreviations out: old storage placeholders, and ``{share: NAME}`` for a mounted file share."""
    if isinstance(tree, dict):
        return {name: _plain(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        items = [_plain(item) for item in tree]
        return [_mount(item) for item in items] if key == "azureFileShares" else items
    if isinstance(tree, str):
        for old, new in _OLD_PLACEHOLDERS:
            tree = tree.replace(old, new)
    return tree


def _mount(item: Any) -> Any:  # noqa: ANN401
    if not isinstance(item, dict) or "share" not in item:
        return item
    rest = {key: value for key, value in item.items() if key != "share"}
    return {
        "accountName": "$STORAGE_ACCOUNT",
        "azureFileUrl": f"$STORAGE_URL/{item['share']}",
        "credentials": {"accountKey": "$STORAGE_KEY"},
        **rest,
    }


def with_user_account(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Add the account that the service demands on every node, with a password that nobody is told."""
    if "userAccountSettings" in cluster:
        return dict(cluster)
    account = {"adminUserName": "scenario", "adminUserPassword": secrets.token_urlsafe(24) + "aA1!"}
    return {**cluster, "userAccountSettings": account}


def mounted_shares(body: Mapping[str, Any]) -> dict[str, str]:
    """Give the file shares that a cluster (or a job) mounts: relative mount path to share name."""
    volumes = body.get("nodeSetup", {}).get("mountVolumes") or body.get("mountVolumes") or {}
    return {
        str(item.get("relativeMountPath", "")): str(item.get("azureFileUrl", ""))
        .rstrip("/")
        .rpartition("/")[2]
        for item in volumes.get("azureFileShares") or []
        if isinstance(item, dict)
    }


def own_shares(*bodies: Mapping[str, Any]) -> list[str]:
    """List the mounted shares of the backend's own storage account, which a run creates if missing."""
    found = []
    for body in bodies:
        volumes = body.get("nodeSetup", {}).get("mountVolumes") or body.get("mountVolumes") or {}
        for item in volumes.get("azureFileShares") or []:
            match = re.fullmatch(r"\$STORAGE_URL/([^/]+)/?", str(item.get("azureFileUrl", "")))
            if match and match[1] not in found:
                found.append(match[1])
    return found


def directory_ids(job: Mapping[str, Any]) -> list[str]:
    """List a job's output directories, the standard output first."""
    return [STDOUTERR, *(place.id for place in output_places(job))]


def image_of(job: Mapping[str, Any]) -> str:
    """Give the container image that a job asks for; empty if it asks for none."""
    registry = (job.get("containerSettings") or {}).get("imageSourceRegistry") or {}
    return str(registry.get("image", ""))


def share_folders(
    cluster: Mapping[str, Any], job: Mapping[str, Any], segment: str
) -> dict[str, tuple[str, str]]:
    """Say where a job's output directories are on shares: directory id to (share, folder).

    Directories that are not below a mounted share (a node's own disk) are left out.
    """
    folders = {}
    for place in (standard_output(job), *output_places(job)):
        for share, rest in _on_share(place.prefix, cluster, job):
            folders[place.id] = (share, f"{rest.strip('/')}/{place.below(segment)}".strip("/"))
    return folders


def _on_share(prefix: str, cluster: Mapping[str, Any], job: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for root, owner in _ROOTS:
        if prefix.startswith(root + "/"):
            below = prefix[len(root) + 1 :].strip("/")
            for mount, share in mounted_shares(cluster if owner == "cluster" else job).items():
                if below == mount or below.startswith(mount + "/"):
                    yield share, below[len(mount) :]
