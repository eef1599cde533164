"""What docs/slurm.md shows to a newcomer is what the engine reads."""

from __future__ import annotations

import re
from pathlib import Path

from batchai_scenario.emulator.engines.slurm.settings import SlurmSettings, read_settings

PAGE = (Path(__file__).parents[2] / "docs" / "slurm.md").read_text()


def test_the_example_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    home = tmp_path / "scenario"
    home.mkdir()
    file = home / "slurm.yaml"
    file.write_text(example.replace("/shared/me", str(tmp_path)))
    settings = read_settings(file, home)
    found = settings.row("STANDARD_NC6")
    assert found is not None
    assert found[1].options() == ["--partition=gpu", "--constraint=v100", "--gres=gpu:1"]


def test_every_property_stands_in_its_table() -> None:
    table = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(table) == set(SlurmSettings.model_fields) - {"file"}
