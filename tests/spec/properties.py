"""Which properties a cluster, a file server or a job may carry by the published descriptions.

``python -m tests.spec.properties FOLDER > tests/spec/properties.txt`` keeps their names, for where nobody has
the descriptions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.versions.v2017_09_01_preview import models as preview
from batchai_scenario.emulator.batchai.versions.v2018_03_01 import models as march
from batchai_scenario.schema.clusters import ClusterCreate
from batchai_scenario.schema.fileservers import FileServerCreate
from batchai_scenario.schema.jobs import JobCreate, with_toolkits
from batchai_scenario.training.toolkits.registry import delivered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchai_scenario.schema.body import Body

KEPT = Path(__file__).with_suffix(".txt")
MODELS: dict[str, dict[str, type[Body]]] = {
    "2017-09-01-preview": {
        "Cluster": preview.PreviewCluster,
        "FileServer": preview.PreviewFileServer,
        "Job": preview.PreviewJob,
    },
    "2018-03-01": {"Cluster": march.MarchCluster, "FileServer": march.FlatFileServer, "Job": march.MarchJob},
    "2018-05-01": {"Cluster": ClusterCreate, "FileServer": FileServerCreate, "Job": JobCreate},
}


def _inside(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what a schema stands for: the marks of its lists, and an object's schema."""
    if "$ref" in schema:
        found: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        yield from _inside(found, root)
    for choice in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _inside(choice, root)
    if schema.get("type") == "array":
        for mark, item in _inside(schema["items"], root):
            yield f"[*]{mark}", item
    if "properties" in schema:
        yield "", schema


def paths(schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """List the properties that a body of a schema may carry, each by its path."""
    for mark, found in _inside(schema, root):
        for name, inner in found["properties"].items():
            if inner.get("readOnly"):
                continue
            path = f"{prefix}{mark}.{name}".lstrip(".")
            yield path
            yield from paths(inner, root, path)


def described(folder: Path) -> list[str]:
    """List what the descriptions in a folder have: version, kind and path on a line."""
    lines = set()
    for version, kinds in MODELS.items():
        root = json.loads((folder / "batchai" / version / "BatchAI.json").read_text())
        for kind in kinds:
            schema = root["definitions"][f"{kind}CreateParameters"]
            lines |= {f"{version} {kind} {path}" for path in paths(schema, root)}
    return sorted(lines)


def known(version: str, kind: str) -> set[str]:
    """Give the paths that are read in an API version."""
    model = MODELS[version][kind]
    root = (with_toolkits(model, delivered()) if kind == "Job" else model).model_json_schema()
    return set(paths(root, root))


if __name__ == "__main__":
    print(*described(Path(sys.argv[1])), sep="\n")  # noqa: T201 - a file
