"""Runs on the page: their values over time, what is told of them, where two differ."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.state.own import OwnCredentials
from batchai_scenario.scenarios.cli import main
from batchai_scenario.scenarios.definition.expect import metric_values
from batchai_scenario.scenarios.record.book import RecordedRuns
from batchai_scenario.scenarios.record.series import FILE, MOST_POINTS, SeriesWriter, read_series
from tests.scenarios.parsed import Parsed
from tests.ui.training import write_scenario
from tests.ui.world import Visitor, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An emulator that knows of two runs of one scenario; the second's job is kept."""
    folder = tmp_path_factory.mktemp("ran")
    home = folder / "home"
    scenario = write_scenario(folder / "falling")
    world = World(home, RecordedRuns(home))
    world.start()
    for more in (["--set", "epochs=3"], ["--keep"]):
        assert main(["--home", str(home), "run", str(scenario), "--backend", "local", "--json", *more]) == 0
    yield world
    assert main(["--home", str(home), "runs", "last", "--stop"]) == 0
    world.stop()


def test_every_value_of_a_metric_is_kept_with_its_time(ran: World) -> None:
    visitor = Visitor(ran.address)
    newest, first = visitor.api("runs")["runs"]
    assert (newest["scenario"], newest["state"], newest["parameters"]["epochs"]) == (
        "falling",
        "succeeded",
        5,
    )
    assert newest["metrics"] == {"loss": 0.125, "error": 15}
    told = visitor.api("series", run=newest["id"])["series"]
    series = {one["name"]: one for one in told if not one.get("file")}
    assert [point[2] for point in series["loss"]["points"]] == [0.8, 0.7, 0.6, 0.5, 0.4, None, 0.125]
    assert [point[0] for point in series["loss"]["points"]] == [1, 2, 3, 4, 5, 6, 7]
    assert series["error"]["unit"] == "%"
    times = [point[1] for point in series["loss"]["points"]]
    assert times == sorted(times)
    assert newest["createdAt"][:19] <= times[0][:19] <= newest["endedAt"][:19]
    assert len(visitor.api("series", run=first["id"])["series"][0]["points"]) == 5


def test_a_job_may_write_its_metrics_into_a_file(ran: World) -> None:
    visitor = Visitor(ran.address)
    job = visitor.api("runs")["runs"][0]["jobs"]["train"]["id"]
    for _ in range(2):  # the second time from what was read
        series = {one["name"]: one for one in visitor.api("job/metrics", id=job)["series"]}
        assert sorted(series) == ["accuracy", "loss"]
        lines, events = series["accuracy"], series["loss"]
        assert lines["file"] == "MODEL/metrics.jsonl"
        assert [point[::2] for point in lines["points"]] == [[1, 0.1], [2, 0.2], [3, 0.3], [4, 0.4], [5, 0.5]]
        assert events["file"] == "MODEL/logs/events.out.tfevents.1.vm"
        assert [point[::2] for point in events["points"]] == [[0, 2], [10, 1], [20, None], [30, 0.5]]
    assert visitor.api("job/metrics", id=f"{job}-gone") == {"series": [], "more": False}


def test_the_terminal_watches_what_the_page_shows(ran: World, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(ran.home.root)]
    assert main([*home, "watch", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(job["name"], job["state"]) for job in told["jobs"]] == [("train", "succeeded")]
    assert main([*home, "watch", "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["cluster", "allocation", "nodes", "waiting", "trouble"]
    assert lines[1].split()[1:] == ["steady", "1", "idle"]
    assert lines[-1].split()[2:] == ["succeeded", "1", *lines[-1].split()[4:-1], "0"]


def test_what_a_job_wrote_outlives_it(ran: World) -> None:
    visitor = Visitor(ran.address)
    first = visitor.api("runs")["runs"][1]["id"]  # its job is deleted
    series = [one for one in visitor.api("series", run=first)["series"] if one.get("file")]
    assert sorted((one["job"], one["name"], one["file"]) for one in series) == [
        ("train", "accuracy", "MODEL/metrics.jsonl"),
        ("train", "loss", "MODEL/logs/events.out.tfevents.1.vm"),
    ]


def test_a_run_is_told_whole_and_two_are_compared(ran: World) -> None:
    visitor = Visitor(ran.address)
    newest, first = (run["id"] for run in visitor.api("runs")["runs"])
    run = visitor.api("run", run=newest)
    assert (run["state"], run["timings"]["total"] > 0) == ("succeeded", True)
    assert "hidden of the run" not in json.dumps(run)
    found = visitor.api("compare", left=first, right=newest)
    assert (found["same"], found["left"]) == (False, first)
    assert any("commandLine" in one["what"] for one in found["differences"] if one["counts"])
    for path, query in (
        ("run", {"run": "no"}),
        ("run", {"run": "../runs"}),
        ("compare", {"left": newest, "right": "no"}),
    ):
        assert visitor.refused(path, **query)[0] == 404
    assert visitor.api("series", run="no")["series"] == []


def test_a_report_holds_all_of_a_run_and_asks_nobody(ran: World, tmp_path: Path) -> None:
    target = tmp_path / "one report.html"
    assert main(["--home", str(ran.home.root), "report", "last", "-o", str(target)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == [target.name]
    text = target.read_text(encoding="utf-8")
    page = Parsed.of(text)
    policy = page.metas["content-security-policy"]
    style = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{style}'")
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form", "a", "base"}
    assert not page.attributes & {"src", "href", "style", "onclick", "onload"}
    assert "url(" not in page.style
    assert "@import" not in page.style
    for told in (
        "falling: succeeded",
        "A loss that falls.",
        "first 0.8, lowest 0.125, highest 0.8, last 0.125; 1 is no finite number",
        "Epoch 5 of 5: loss 0.4 error 15 %",
        hashlib.sha256(b"weights\n").hexdigest(),
        "loss: below 0.5",
        "MODEL/model.bin: 1 file",
        "the key is <hidden>",
        "train MODEL/metrics.jsonl: first 0.1, lowest 0.1, highest 0.5, last 0.5",
        "train MODEL/logs/events.out.tfevents.1.vm: first 2, lowest 0.5, highest 2, last 0.5; 1 is no",
    ):
        assert told in page.text, told
    key = OwnCredentials.at(ran.home.credentials)
    for secret in ("hidden of the run", key.account_key, key.secret, ran.address.page_token):
        assert secret not in text


def test_a_run_without_an_owner_is_detached_and_a_damaged_one_says_so(ran: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    source = next(ran.home.root.glob("runs/*/run.json"))
    for name, change in (
        ("gone", {"state": "running"}),
        ("mine", {"state": "running"}),
        ("bad", {"jobs": 3}),
    ):
        folder = home / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({**json.loads(source.read_text()), "id": name, **change}))
        (folder / "lock").touch()
    locks = tmp_path / "locks"
    inode = (home / "runs" / "mine" / "lock").stat().st_ino
    locks.write_text(
        f"1: FLOCK  ADVISORY  WRITE 7 08:01:{inode} 0 EOF\n2: POSIX  ADVISORY  READ 7 0:1:9 0 EOF\n"
    )
    book = RecordedRuns(home, locks)
    assert {run["id"]: run["state"] for run in book.runs()} == {
        "gone": "detached",
        "mine": "running",
        "bad": "unreadable",
    }
    assert [run["problem"] for run in book.runs() if run["id"] == "bad"] == ["it is damaged"]
    record = home / "runs" / "gone" / "run.json"
    record.write_text(record.read_text().replace('"running"', '"failed"'))
    assert [run["state"] for run in book.runs() if run["id"] == "gone"] == ["failed"]


def test_logs_that_are_read_anew_keep_the_times_of_the_first_time(tmp_path: Path) -> None:
    SeriesWriter(tmp_path).add("train", "loss", 0.9, "")
    SeriesWriter(tmp_path).add("train", "loss", 0.8, "")
    before = read_series(tmp_path)[0]["points"]
    again = SeriesWriter(tmp_path)  # another process goes on with the run
    again.begin("train")
    for value in (0.9, 0.8, 0.7):
        again.add("train", "loss", value, "")
    (one,) = read_series(tmp_path)
    assert one["points"][:2] == before
    assert [point[2] for point in one["points"]] == [0.9, 0.8, 0.7]


def test_what_is_damaged_in_a_series_is_left_out_and_very_much_is_thinned(tmp_path: Path) -> None:
    good = '{"job": "j", "name": "loss", "value": %s, "at": "2018-06-06T12:00:00Z"}\n'
    lines = [
        good % "1",
        "{",
        "[]\n",
        "\0\n",
        good % '"nan"',
        good % '"x"',
        '{"job": "j", "name": "loss"}\n',
        good % "Infinity",
    ]
    (tmp_path / FILE).write_text("\n".join(lines) + "\n" + (good % "2") * (2 * MOST_POINTS) + good % "3")
    (one,) = read_series(tmp_path)
    assert [point[2] for point in one["points"][:2]] == [1, None]
    assert len(one["points"]) <= MOST_POINTS + 1
    assert one["points"][-1][2] == 3
    assert read_series(tmp_path / "nothing") == []


def test_a_line_may_hold_several_values_and_what_is_no_number_is_none() -> None:
    found = list(metric_values("loss {number}", "loss 1 loss nan loss -inf loss 2e-3"))
    assert [str(value) for value in found] == ["1.0", "nan", "-inf", "0.002"]
    assert list(metric_values("(?P<value>\\w+)", "word 3")) == [3.0]
    assert list(metric_values("a(b)?", "a")) == []
