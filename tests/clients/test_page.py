"""What docs/clients.md says of versions is what the tests run."""

from __future__ import annotations

import json
import re

import pytest

from tests.clients.conftest import HERE, PINS

PAGE = (HERE.parents[1] / "docs" / "clients.md").read_text()
CLIENTS = {
    "sdk": ("azure-mgmt-batchai",),
    "files": ("azure-storage-file", "azure-storage-file-share"),
    "azure-files": ("adlfs",),
    "newest": (
        "azure-mgmt-storage",
        "azure-mgmt-resource",
        "azure-mgmt-resource-deployments",
        "azure-identity",
    ),
}
"""The clients that a list of packages is of, by the first part of its name."""


def versions() -> dict[str, str]:
    """Give what the page's tables say of versions, by client; a row without a name goes on with the last."""
    found: dict[str, str] = {}
    name = ""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 2:
            name = cells[0] or name
            for one in name.split(", "):
                found[one] = f"{found.get(one, '')} {cells[1]}"
    return found


def pinned() -> list[tuple[str, str]]:
    """List (client, version) of every list of packages."""
    listed = []
    for file in sorted(PINS.glob("*.txt")):
        stem = file.stem.rsplit("-", 1)[0] if file.stem[-1].isdigit() else file.stem
        text = file.read_text()
        for client in CLIENTS.get(stem, ()):
            listed += [(client, version) for version in re.findall(rf"^{client}==(\S+)$", text, re.MULTILINE)]
    return listed


@pytest.mark.parametrize(("client", "version"), pinned())
def test_each_version_that_is_run_stands_on_the_page(client: str, version: str) -> None:
    assert version in versions()[client].replace(",", " ").split()


def test_each_file_of_tests_on_the_page_is_there() -> None:
    for name in set(re.findall(r"`(test_\w+\.py)`", PAGE)):
        assert (HERE / name).is_file(), name
    run = (HERE / "test_languages.py").read_text()
    assert [one.name for one in (HERE / "languages").iterdir() if one.name not in run] == []


def test_the_page_tells_the_versions_of_nodes_clients() -> None:
    wanted = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    for name, version in wanted.items():
        assert any(name in row and version in row for row in rows), f"{name} {version}"
