"""The terminal with which README begins: drawn anew by each run, and held to the picture that is there."""

from __future__ import annotations

import html
import io
import math
import re
from typing import TYPE_CHECKING

from rich.console import Console

from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.screen import Screen
from tests.ui.browsing import pictures_folder

if TYPE_CHECKING:
    import pytest

EPOCHS, DONE, WIDTH = 40, 27, 92
RUN = "mnist-20180606-120000-1c0d"
STEPS = (
    ("upload", "Upload 4 files", "130 MB", 1.2),
    ("cluster", "Create cluster", "1 node", 0.3),
    ("nodes", "Wait for a node", "idle", 2.1),
    ("submit", "Submit job train", "", 0.1),
)


def terminal() -> str:
    """Draw the screen of a run in the middle of its training, as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    screen = Screen(console)
    screen.handle(
        e.RunStarted(RUN, "mnist", "Learns handwritten digits.", "local", {"epochs": EPOCHS}, ("train",))
    )
    for step, title, text, seconds in STEPS:
        screen.handle(e.StepStarted(step, title))
        screen.handle(e.StepEnded(step, text, seconds))
    screen.handle(e.StepStarted("job", "Run job train"))
    screen.handle(e.JobChanged("train", "running", "id", None))
    for epoch in range(1, DONE + 1):
        loss, error = 0.03 + 0.9 * math.exp(-epoch / 5), 0.8 + 30 * math.exp(-epoch / 4)
        screen.handle(e.MetricSeen("train", "training_loss", round(loss, 4)))
        screen.handle(e.MetricSeen("train", "training_error_percent", round(error, 2), "%"))
    line = f"Epoch {DONE} of {EPOCHS}: loss {loss:.6f}, error {error:.3f} %, 60000 samples in 21.4 s"
    screen.handle(e.LogLine("train", "stdout.txt", line, important=True))
    console.print(screen.bottom())
    screen.close()
    drawn = console.export_svg(title="scenario run mnist --backend local", unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # it would be fetched from elsewhere


def words(svg: str) -> list[str]:
    """Give the words of a picture, but numbers and what turns."""
    text = re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL)
    found = html.unescape(re.sub(r"<[^>]*>", "\n", text)).split()
    return [word for word in found if not re.fullmatch(r"[\d.]+|s|[\u2800-\u28ff]", word)]


def test_the_terminal_of_readme_is_what_a_run_shows(pytestconfig: pytest.Config) -> None:
    folder = pictures_folder(pytestconfig)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = terminal()
    (folder / "terminal.svg").write_text(drawn, encoding="utf-8")
    kept = pytestconfig.rootpath / "docs" / "pictures" / "terminal.svg"
    assert "//cdn" not in drawn
    assert words(drawn) == words(kept.read_text(encoding="utf-8")), (
        "copy build/pictures/terminal.svg to docs/pictures/"
    )
