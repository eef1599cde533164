"""What a scenario brings to its shares: files, folders, data sets by name, training scripts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import Upload
from batchai_scenario.backends.errors import InvalidScenario
from batchai_scenario.backends.sharepaths import file_problem, name_problem
from batchai_scenario.scenarios.definition.folders import TooMuchError, walk_folder
from batchai_scenario.scenarios.report.text import did_you_mean, printable
from batchai_scenario.training.installed import training_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.scenarios.definition.schema import UploadSection
    from batchai_scenario.scenarios.definition.strict import Path_, YamlFile

DATASET = "dataset:"
TRAINING = "training:"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to upload: a local file, or a data set that is made when a run needs it.

    ``path``: where the file goes in the share; for a data set, the folder its files go to.
    """

    share: str
    path: str
    file: Path | None = None
    dataset: str = ""
    program: Path | None = None


def plan_uploads(sections: Sequence[UploadSection], folder: Path, source: YamlFile) -> list[Item]:
    """List what is to be uploaded; every local file exists, and no two go to the same path.

    Args:
        sections: The scenario's ``uploads``.
        folder: The scenario's folder, where relative paths start.
        source: The scenario file, for errors.

    Raises:
        InvalidScenario: A file is missing, a data set is unknown, two files go to one path.
    """
    items: list[Item] = []
    taken: dict[tuple[str, str], object] = {}
    for number, section in enumerate(sections):
        for index, text in enumerate(section.from_):
            where = ("uploads", number, "from", index)
            for item in _items(section, text, folder, source, where):
                key = (item.share, item.path.lower())  # Azure Files does not tell cases apart
                origin = item.file
                if origin is not None and taken.setdefault(key, origin) != origin:
                    raise source.error(
                        where, f"{taken[key]} and {origin} both go to {item.share}/{item.path}"
                    )
                items.append(item)
    return items


def _items(section: UploadSection, text: str, folder: Path, source: YamlFile, where: Path_) -> list[Item]:
    if text.startswith(DATASET):
        name = text[len(DATASET) :]
        return [Item(section.share, section.to, dataset=name, program=_dataset_program(name, source, where))]
    if text.startswith(TRAINING):
        base = training_folder()
        local = base / text[len(TRAINING) :]
        if base.resolve() not in local.resolve().parents:
            raise source.error(where, f"{text!r} climbs out of the training folder")
        hint = f"training: paths start at {base}"
    else:
        local = folder / Path(text).expanduser()
        hint = f"relative paths start at the scenario's folder, {folder}"
    if local.is_file():
        _check_file(local, source, where)
        return [Item(section.share, _join(section.to, local.name), local)]
    if local.is_dir():
        inside = section.to if text.endswith("/") else _join(section.to, local.name)
        files = _files(local, source, where)
        return [
            Item(section.share, _join(inside, file.relative_to(local).as_posix()), file) for file in files
        ]
    if os.path.lexists(local):
        raise source.error(where, f"{local}: {file_problem(local)}")
    raise source.error(where, f"there is no file or folder {local}", hint)


def _files(folder: Path, source: YamlFile, where: Path_) -> list[Path]:
    """List the files of a folder, each of which can be sent."""
    try:
        found = list(walk_folder(folder))
    except TooMuchError as error:
        raise source.error(where, f"the folder {folder} {error}") from None
    except OSError as error:
        raise source.error(where, f"{error.filename} cannot be read: {error.strerror}") from None
    if not found:
        raise source.error(where, f"the folder {folder} is empty")
    for file in found:
        for name in file.relative_to(folder).parts:
            _check_name(name, file, source, where)
        _check_file(file, source, where)
    return found


def _check_name(name: str, file: Path, source: YamlFile, where: Path_) -> None:
    problem = name_problem(name)
    if problem:
        raise source.error(where, f"{printable(file)}: {problem}", "rename it, or name other files")


def _check_file(file: Path, source: YamlFile, where: Path_) -> None:
    _check_name(file.name, file, source, where)
    problem = file_problem(file)
    if problem:
        raise source.error(where, f"{printable(file)}: {problem}")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _dataset_program(name: str, source: YamlFile, where: Path_) -> Path:
    programs = datasets()
    if name not in programs:
        raise source.error(where, f"there is no data set {name!r}", did_you_mean(name, programs))
    return programs[name]


def datasets() -> Mapping[str, Path]:
    """List the data sets that can be made: name to program."""
    folder = training_folder() / "datasets"
    return {
        file.stem.replace("_", "-"): file
        for file in sorted(folder.glob("*.py"))
        if not file.stem.startswith("_")
    }


def uploads_of(items: Sequence[Item], made: Mapping[str, Sequence[Path]]) -> list[Upload]:
    """Turn items into uploads, with the files of each data set that was made."""
    uploads = []
    for item in items:
        files = [item.file] if item.file is not None else [Path(file) for file in made[item.dataset]]
        for file in files:
            path = item.path if item.file is not None else _join(item.path, file.name)
            if not file.is_file():
                raise InvalidScenario(f"{file} is gone", f"uploads: {item.dataset or path}")
            uploads.append(Upload(file, item.share, path))
    return uploads
