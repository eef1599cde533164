"""The settings of the engine ``slurm``: what they say, and how what is wrong with them is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.slurm.settings import SizeRow, no_row, read_settings
from batchai_scenario.emulator.errors import EngineUnavailable

if TYPE_CHECKING:
    from pathlib import Path

ROW = 'sizes: {"*": {partition: batch}}\n'
GOOD = f"shared_folder: SHARED\n{ROW}"


def _sizes(row: str) -> str:
    return f"shared_folder: SHARED\nsizes: {{{row}}}\n"


def _write(tmp_path: Path, text: str) -> tuple[Path, Path]:
    home = tmp_path / "shared" / "home"
    home.mkdir(parents=True)
    file = home / "slurm.yaml"
    file.write_text(text.replace("SHARED", str(tmp_path / "shared")))
    return file, home


def test_two_properties_are_enough(tmp_path: Path) -> None:
    settings = read_settings(*_write(tmp_path, GOOD))
    assert settings.shared == tmp_path / "shared"
    assert (settings.launcher, settings.python, settings.time_limit) == ("process", "python3", None)
    assert settings.row("STANDARD_D2") == ("*", SizeRow(partition="batch"))
    assert SizeRow(partition="batch").options() == ["--partition=batch"]


def test_the_first_row_that_fits_counts_in_any_case(tmp_path: Path) -> None:
    text = (
        "shared_folder: SHARED\nlauncher: process\ntime_limit: 2-00:00:00\nsizes:\n"
        '  standard_nc*: {partition: gpu, gres: "gpu:1", constraint: "a|b", account: lab, qos: high}\n'
        "  STANDARD_NC24r: {partition: fast}\n"
    )
    settings = read_settings(*_write(tmp_path, text))
    found = settings.row("STANDARD_NC24r")
    assert found is not None
    assert found[0] == "standard_nc*"
    assert found[1].options() == [
        "--partition=gpu", "--constraint=a|b", "--gres=gpu:1", "--account=lab", "--qos=high"
    ]  # fmt: skip
    assert settings.row("STANDARD_D2") is None
    assert no_row(settings, "STANDARD_D2") == (
        f"no row of sizes in {settings.file} is for STANDARD_D2: add one, such as "
        "'STANDARD_D2: {partition: ...}' (there are rows for standard_nc*, STANDARD_NC24r)"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it must hold shared_folder and sizes. docs/slurm.md has an example."),
        ("- a\n", "it must hold shared_folder and sizes"),
        ("sizes: [\n", "it cannot be read: "),
        (ROW, "shared_folder: it is missing. docs/slurm.md has an example."),
        ("shared_folder: SHARED\n", "sizes: it is missing"),
        ("shared_folder: SHARED\nsizes: {}\n", 'sizes: it needs at least one row, such as "*": {partition'),
        (_sizes("D2: {}"), "sizes.D2.partition: it is missing"),
        (f"shared_folder: shared\n{ROW}", "shared_folder: 'shared' must be an absolute path without '..'"),
        (f"shared_folder: /a/../b\n{ROW}", "shared_folder: '/a/../b' must be an absolute path"),
        (f"{GOOD}lancher: docker\n", "lancher: there is no such property (did you mean launcher? "),
        (f"{GOOD}file: x\n", "file: there is no such property"),
        (
            _sizes("D2: {partiton: a}"),
            "sizes.D2.partiton: there is no such property (did you mean partition?",
        ),
        (_sizes("D2: {partition: a b}"), "sizes.D2.partition: 'a b' must be one word"),
        (_sizes("D2: {partition: 7}"), "sizes.D2.partition: 7 is read as no text. Put quotes"),
        (f"{GOOD}launcher: lxc\n", "launcher: 'lxc' is none of process, docker, podman, apptainer. Choose"),
        (f"{GOOD}launcher: apptainer\n", "launcher: apptainer is not there: nobody has tried it. Choose one"),
        (f"{GOOD}time_limit: 1:30:00\n", "time_limit: 5400 is read as no text. Put quotes"),
        (f"{GOOD}slurm_conf: etc\n", "slurm_conf: 'etc' must be an absolute path"),
        (f"{GOOD}slurm_conf: /none\n", "slurm_conf: there is no file /none. Name Slurm's own"),
        (f"{GOOD}time_limit: soon\n", "time_limit: 'soon' is no time as Slurm writes it"),
        (f"{GOOD}{ROW}", "sizes: it stands there twice, again in line 3. Keep one."),
        (_sizes("D2: {partition: a}, D2: {partition: b}"), "D2: it stands there twice"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_property(tmp_path: Path, text: str, told: str) -> None:
    file, home = _write(tmp_path, text)
    with pytest.raises(EngineUnavailable) as raised:
        read_settings(file, home)
    assert f"{file}: {told}" in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"slurm\.yaml: there is no such file.*docs/slurm\.md"):
        read_settings(tmp_path / "slurm.yaml", tmp_path)


def test_the_shared_folder_must_be_there_and_hold_the_home(tmp_path: Path) -> None:
    file, home = _write(tmp_path, f"shared_folder: SHARED/none\n{ROW}")
    with pytest.raises(EngineUnavailable, match=r"shared_folder: there is no folder .*/none on this machine"):
        read_settings(file, home)
    odd = home / "a b"
    odd.mkdir()
    file.write_text(f"shared_folder: {home}\n{ROW}")
    with pytest.raises(EngineUnavailable, match="characters that mean something to a shell"):
        read_settings(file, odd)
    with pytest.raises(EngineUnavailable, match=r"the home .* is not in .* SCENARIO_HOME="):
        read_settings(file, tmp_path)
