"""``scenario report``: what a document says of runs and sweeps, and what it refuses."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.memory import MemoryBackend, ProgramCall, Result
from batchai_scenario.scenarios.cli import main
from batchai_scenario.scenarios.document import facts as facts_module
from batchai_scenario.scenarios.document.drawing import DrawnCurve, chart, ticks
from batchai_scenario.scenarios.document.facts import MOST_CHARTS, MOST_FILES, gather
from batchai_scenario.scenarios.document.hiding import hiding, known_secrets
from batchai_scenario.scenarios.document.page import render
from tests.scenarios.parsed import Parsed
from tests.scenarios.worlds import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from tests.scenarios.sweeping import Sweeps

MOMENT = datetime(2018, 6, 6, 12, tzinfo=timezone.utc)


def document(world: World | Sweeps, backend: Backend | None) -> Parsed:
    """Write the report of the newest run."""
    run = world.record
    secrets, _ = known_secrets(run.record, {}, ["of-the-home"])
    facts = gather(run, backend, [], hiding(secrets))
    return Parsed.of(render(facts, MOMENT))


def shouts(_: ProgramCall) -> Result:
    """Print what a page must not take for its own, and secrets."""
    lines = [
        "<script>alert(1)</script> \033[31mred\033[0m \0",
        "token very-secret, of-the-home",
        "https://x/?sv=1&sig=abc%3D&se=2",
        "loss 0.5",
    ]
    return Result(exit_code=3, stdout="\n".join(lines) + "\n", stderr="bad\n" * 100)


def test_what_a_job_wrote_is_text_and_its_secrets_are_hidden(world: World) -> None:
    world = World(world.home, world.file, {"train 2": shouts})
    world.run()
    page = document(world, world.backend)
    assert "script" not in page.tags
    assert "<script>alert(1)</script> red \ufffd" in page.text
    assert "token <hidden>, <hidden>" in page.text
    assert "https://x/?sv=1&sig=<hidden>&se=2" in page.text
    assert "very-secret" not in page.text
    assert "stderr.txt: the last 40 lines" in page.text
    assert "small: failed" in page.text
    assert "job train failed, expected succeeded: exit code 3" in page.text
    assert "not met" in page.text


def leaks(_: ProgramCall) -> Result:
    """Write secrets wherever a page may tell of it, as programs write them."""
    lines = [
        "AZ_BATCHAI_TOKEN=very-secret",
        "very-\033[1msecret",
        "x=a%2Fb%22c",
        r'{"x": "a/b\"c"}',
        "of-the",
        "home",
    ]
    metric = b'{"very-secret": 1}\n{"very-secret": 2}\n'
    outputs = {"MODEL/very-secret.dnn": b"x", "MODEL/metrics.jsonl": metric}
    return Result(exit_code=0, stdout="\n".join(lines) + "\n", outputs=outputs)


def test_no_secret_stands_anywhere_in_a_report(world: World) -> None:
    world = World(world.home, world.file, {"train 2": leaks})
    world.run()
    hide = hiding(["very-secret", 'a/b"c', "of-the\nhome"])
    page = render(gather(world.record, world.backend, [], hide), MOMENT)
    for secret in ("very-secret", 'a/b"c', "a/b&#34;c", "a%2Fb", r"a/b\"c", "of-the", "\nhome"):
        assert secret not in page
    assert "AZ_BATCHAI_TOKEN" in page
    assert "Curve of &lt;hidden&gt;" in page
    assert "MODEL/&lt;hidden&gt;.dnn" in page


def many(_: ProgramCall) -> Result:
    """Write more files and metrics than anybody looks at."""
    names = {f"m{number}": 1 for number in range(MOST_CHARTS + 1)}
    lines = f"{json.dumps(names)}\n".encode() * 2
    return Result(outputs={"MODEL/metrics.jsonl": lines, **{f"MODEL/{n}": b"" for n in range(MOST_FILES)}})


def test_of_very_many_files_and_metrics_a_report_says_that_it_tells_some(world: World) -> None:
    world = World(world.home, world.file, {"train 2": many})
    world.run()
    facts = gather(world.record, world.backend, [])
    assert (len(facts.charts), len(facts.jobs[0].files)) == (MOST_CHARTS, MOST_FILES)
    assert f"{MOST_CHARTS} of {MOST_CHARTS + 1} metrics are drawn" in facts.problems
    assert f"job train: {MOST_FILES} of {MOST_FILES + 3} output files are listed" in facts.problems


class Swelling:
    """A backend whose files become larger than they were listed, without an end."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.taken = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def read_share(self, *_: object) -> Iterator[bytes]:
        while True:
            self.taken += 1 << 20
            yield bytes(1 << 20)


def test_a_report_reads_no_file_without_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "MOST_HASHED", 10 << 20)
    world.run()
    swelling = Swelling(world.backend)
    facts = gather(world.record, swelling, [])
    assert swelling.taken <= 60 << 20
    assert {file.sha256 for file in facts.jobs[0].files} == {""}
    assert "job train: 4 output files are too large to be hashed here" in facts.problems


def test_a_run_whose_backend_is_gone_is_told_without_its_files(world: World) -> None:
    world.run()
    page = document(world, None)
    assert "MODEL/2.dnn" in page.text
    assert "could not be read" in page.text


def test_a_scenario_that_is_gone_is_said_to_be(world: World) -> None:
    world.run()
    assert known_secrets(world.record.record, {"AZURE_STORAGE_KEY": "given"}, [])[0] == [
        "",
        "given",
        "very-secret",
    ]
    world.file.unlink()
    found, problem = known_secrets(world.record.record, {}, [])
    assert "very-secret" not in found
    assert problem


def test_a_sweep_has_its_order_and_a_curve_of_each_job(sweeps: Sweeps) -> None:
    sweeps.memory = MemoryBackend({"train": lambda _: Result(stdout="loss 2\nloss 1\n")})
    sweeps.begin("rate=0.25,0.5")
    page = document(sweeps, sweeps.memory)
    first = sweeps.record.record
    for name in first.jobs:
        assert f"Job {name}" in page.text
        assert f"{name} rate=" in page.text
    assert "the smallest first" in page.text


def test_a_metric_with_one_value_is_a_result_and_no_curve(sweeps: Sweeps) -> None:
    sweeps.begin("rate=0.25,0.5")
    assert "Curves" not in document(sweeps, sweeps.memory).text


def test_an_axis_has_round_numbers() -> None:
    assert ticks(0.0, 1.0, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(93, 107, 5) == [95, 100, 105]


@pytest.mark.parametrize("steps", [(-1e308, 1.7e308), (10**300, 5), (-(1 << 63), (1 << 63) - 1)])
def test_any_steps_can_be_drawn(steps: tuple[float, float]) -> None:
    drawn = chart("loss", [DrawnCurve("a", [(step, 1.0) for step in steps])])
    assert "nan" not in drawn
    assert "inf" not in drawn


@pytest.mark.parametrize(
    "values",
    [[1.0], [2.0, 2.0], [0.0, 0.0], [1e300, -1e300], [5e-324, 0.0], [1.7e308, -1.7e308], [None, 3.0]],
)
def test_any_values_can_be_drawn(values: list[float | None]) -> None:
    drawn = chart('"<b>"', [DrawnCurve("a <b>", list(enumerate(values, 1)))])
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert "<b>" not in drawn


def test_what_has_no_value_is_not_drawn() -> None:
    assert not chart("loss", [DrawnCurve("a", [(1, None)])])


def test_where_a_report_cannot_be_is_said_before_anything_is_read(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(world.home)]
    assert main([*home, "report"]) == 2
    assert "there are no runs yet" in capsys.readouterr().err
    world.run()
    for target, told in ((tmp_path, "is a folder"), (tmp_path / "no" / "x.html", "there is no folder")):
        assert main([*home, "report", "last", "-o", str(target)]) == 2
        assert told in capsys.readouterr().err
    long = tmp_path / ("x" * 300)
    assert main([*home, "report", "last", "-o", str(long)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert not list(tmp_path.glob(".part*"))
