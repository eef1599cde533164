"""Finding scenarios: in the package's library, in a folder that is named, in other packages.

Other packages offer scenarios through the entry-point group ``scenario.scenarios``: an entry names a
package (or module) whose folder holds ``scenario.yaml``, or one folder for each scenario.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import InvalidScenario, UserError
from batchai_scenario.scenarios.definition.scenario import FILE_NAME, Scenario
from batchai_scenario.scenarios.report.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GROUP = "scenario.scenarios"
LIBRARY = Path(__file__).parents[1] / "library"


@dataclass(frozen=True, slots=True)
class FoundScenario:
    """A scenario that was found: ``origin`` says where (``library``, a package, a folder)."""

    name: str
    file: Path
    origin: str

    def load(self) -> Scenario:
        """Read it; InvalidScenario."""
        return Scenario(self.file, self.name)


def find_all(folders: Iterable[Path] = ()) -> list[FoundScenario]:
    """List all scenarios, sorted by name; of two with one name the first in order of search counts.

    Args:
        folders: Folders to look in first: each a scenario, or a folder of scenarios.

    Raises:
        UserError: A folder holds no scenario.
    """
    found: dict[str, FoundScenario] = {}
    for folder in folders:
        here = list(_in_folder(folder, str(folder)))
        if not here:
            raise UserError(f"there is no {FILE_NAME} in {folder}, nor in the folders in it")
        for item in here:
            found.setdefault(item.name, item)
    for item in (*_in_folder(LIBRARY, "library"), *_from_packages()):
        found.setdefault(item.name, item)
    return sorted(found.values(), key=lambda item: item.name)


def find(name: str) -> Scenario:
    """Find one scenario by name, or by the path of its folder or file, and read it.

    Raises:
        UserError: There is none.
        InvalidScenario: It is wrong.
    """
    path = Path(name).expanduser()
    if path.name == name and name not in (".", "..") and not name.endswith((".yaml", ".yml")):
        everything = {item.name: item for item in find_all()}
        if name in everything:
            return everything[name].load()
        if not (path / FILE_NAME).is_file():
            raise UserError(f"there is no scenario {name!r}", "", did_you_mean(name, everything))
    if path.is_dir():
        path /= FILE_NAME
    if not path.is_file():
        raise UserError(f"there is no scenario at {path}", "", f"a scenario is a folder with a {FILE_NAME}")
    return Scenario(path)


def _in_folder(folder: Path, origin: str) -> Iterator[FoundScenario]:
    if (folder / FILE_NAME).is_file():
        yield FoundScenario(folder.resolve().name, folder / FILE_NAME, origin)
        return
    for file in sorted(folder.glob(f"*/{FILE_NAME}")):
        yield FoundScenario(file.parent.name, file, origin)


def _from_packages() -> Iterator[FoundScenario]:
    for entry in entry_points(group=GROUP):
        try:
            spec = importlib.util.find_spec(entry.value.partition(":")[0])
        except (ImportError, ValueError):
            spec = None
        places = list(spec.submodule_search_locations or []) if spec else []
        if spec and spec.origin and not places:
            places = [str(Path(spec.origin).parent)]
        for place in places:
            yield from _in_folder(Path(place), f"package {entry.value}")


def broken(item: FoundScenario) -> InvalidScenario | None:
    """Give what is wrong with a scenario that was found, or None."""
    try:
        item.load()
    except InvalidScenario as error:
        return error
    return None
