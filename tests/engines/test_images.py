"""Images and their substitutes, without an engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import APIError, ImageNotFound

from batchai_scenario.emulator.engines.docker.images import Images, PullProgress
from batchai_scenario.emulator.engines.programs import Throttle, run_program
from batchai_scenario.emulator.engines.substitutes import (
    Candidate,
    build_programs,
    candidates_for,
    delivered_tables,
    plain_name,
    read_table,
)
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable
from batchai_scenario.emulator.launch.plan import ImageRequest
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.scenarios.run.follow import is_progress
from batchai_scenario.training.installed import training_folder

if TYPE_CHECKING:
    from pathlib import Path

CNTK = "microsoft/cntk:2.1-gpu-python3.5-cuda8.0-cudnn6.0"
BUILD = """
import json, pathlib, sys
tag = sys.argv[sys.argv.index("--tag") + 1]
here = pathlib.Path(__file__)
(here.parent / "built").write_text(tag)
print(json.dumps({"event": "done", "image": tag, "id": "sha256:b"}))
"""


class FakeApi:
    """An engine that has some images and some registry behind it."""

    def __init__(self, here: dict[str, str], there: dict[str, str] | None = None) -> None:
        self.here = here
        self.there = there or {}
        self.pulled: list[tuple[str, Any]] = []
        self.built: Path | None = None

    def inspect_image(self, reference: str) -> dict[str, str]:
        if self.built is not None and self.built.exists():
            self.here.setdefault(self.built.read_text(), "sha256:built")
        if reference not in self.here:
            raise ImageNotFound("no such image")
        return {"Id": self.here[reference]}

    def pull(self, repository: str, tag: str, *, auth_config: Any, **_: Any) -> list[dict[str, Any]]:
        reference = f"{repository}:{tag}"
        self.pulled.append((reference, auth_config))
        if reference not in self.there:
            raise APIError(f"manifest for {reference} not found, password {auth_config}")
        if self.there[reference] == "broken":
            return [{"error": f"unexpected EOF, password {auth_config}"}]
        self.here[reference] = self.there[reference]
        detail = {"current": 5, "total": 10_000_000}
        return [{"status": "Downloading", "id": "a", "progressDetail": detail}, {"status": "Done"}]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    table = tmp_path / "training" / "images" / "substitutes.yaml"
    table.parent.mkdir(parents=True)
    table.write_text('"microsoft/cntk:*":\n  - image: mcr.example/cntk:2.7\n  - build: cntk\n')
    build = table.parent / "cntk" / "build.py"
    build.parent.mkdir()
    build.write_text(BUILD)
    return home


def resolve(
    api: FakeApi, home: Home, request: ImageRequest | None, **more: Any
) -> tuple[str, bool, list[str]]:
    api.built = home.root.parent / "training" / "images" / "cntk" / "built"
    lines: list[str] = []
    images = Images(api, home, training=home.root.parent / "training", **more)
    found = images.resolve(request, "microsoft/cntk:latest", lines.append)
    return found.reference, found.substituted, lines


def test_an_image_that_is_here_is_taken_without_a_word(home: Home) -> None:
    api = FakeApi({CNTK: "sha256:1"})
    assert resolve(api, home, ImageRequest(CNTK)) == (CNTK, False, [])
    assert api.pulled == []


def test_an_image_that_is_not_here_is_pulled(home: Home) -> None:
    api = FakeApi({}, {CNTK: "sha256:1"})
    reference, substituted, lines = resolve(api, home, ImageRequest(CNTK))
    assert (reference, substituted) == (CNTK, False)
    assert lines == [f"image: pulling {CNTK}", f"image: {CNTK} was pulled (sha256:1)"]


def test_a_substitute_that_is_here_comes_before_one_that_must_be_pulled(home: Home) -> None:
    api = FakeApi({"scenario/cntk:latest": "sha256:2"}, {"mcr.example/cntk:2.7": "sha256:3"})
    reference, substituted, lines = resolve(api, home, ImageRequest(CNTK))
    assert (reference, substituted) == ("scenario/cntk:latest", True)
    assert [name for name, _ in api.pulled] == [CNTK]
    assert lines == [f"image: {CNTK} is not available; running scenario/cntk:latest (sha256:2)"]


def test_the_first_substitute_that_can_be_pulled_is_taken(home: Home) -> None:
    api = FakeApi({}, {"mcr.example/cntk:2.7": "sha256:3"})
    assert resolve(api, home, ImageRequest(CNTK))[0] == "mcr.example/cntk:2.7"


@pytest.mark.parametrize("there", [{}, {"mcr.example/cntk:2.7": "broken"}])
def test_an_image_is_built_if_no_registry_has_one(home: Home, there: dict[str, str]) -> None:
    reference, substituted, lines = resolve(FakeApi({}, there), home, ImageRequest(CNTK))
    assert (reference, substituted) == ("scenario/cntk:latest", True)
    assert lines[0].startswith("image: building scenario/cntk:latest")


def test_an_image_that_is_built_here_has_no_program_cntk(home: Home) -> None:
    api = FakeApi({"scenario/cntk:latest": "sha256:2"}, {"mcr.example/cntk:2.7": "sha256:3"})
    assert resolve(api, home, ImageRequest(CNTK), program="cntk")[0] == "mcr.example/cntk:2.7"
    api.here.pop("mcr.example/cntk:2.7")
    images = Images(api, home, training=home.root.parent / "training", program="cntk")
    assert images.lacking(ImageRequest(CNTK), "microsoft/cntk:latest") == f"image {CNTK}"
    api.there.clear()
    with pytest.raises(EngineUnavailable, match="calls the program cntk") as caught:
        resolve(api, home, ImageRequest(CNTK), program="cntk")
    assert "Load an image that has it" in caught.value.remedy
    assert api.built is not None
    assert not api.built.exists()


def test_the_users_table_comes_first(home: Home) -> None:
    home.images_table.write_text('"microsoft/*": [{image: "mine:1"}]')
    api = FakeApi({"mine:1": "sha256:9", "scenario/cntk:latest": "sha256:2"})
    assert resolve(api, home, ImageRequest(CNTK))[0] == "mine:1"


def test_nothing_is_pulled_if_that_is_switched_off(home: Home) -> None:
    api = FakeApi({}, {CNTK: "sha256:1"})
    with pytest.raises(EngineError) as caught:
        resolve(api, home, ImageRequest("other:1"), pull="never")
    assert api.pulled == []
    assert caught.value.problem.details[0] == ("imageName", "other:1")
    assert "switched off" in caught.value.problem.details[1][1]


@pytest.mark.parametrize("there", [{}, {"demo.example.io/x:1": "broken"}])
def test_credentials_go_to_the_pull_and_nowhere_else(home: Home, there: dict[str, str]) -> None:
    request = ImageRequest("demo.example.io/x:1", "demo.example.io", "user", "pa55word")
    api = FakeApi({}, there)
    with pytest.raises(EngineError) as caught:
        resolve(api, home, request)
    sent = api.pulled[0][1]
    assert sent == {"username": "user", "password": "pa55word", "serveraddress": "demo.example.io"}
    assert "pa55word" not in str(caught.value.problem)
    assert "pa55word" not in repr(request)


def test_a_job_without_an_image_runs_in_one_that_stands_for_its_node(home: Home) -> None:
    api = FakeApi({"scenario/cntk:latest": "sha256:2"})
    reference, substituted, lines = resolve(api, home, None)
    assert (reference, substituted) == ("scenario/cntk:latest", True)
    assert lines[0] == "image: the job names none; microsoft/cntk:latest is the node's own system"


def test_a_nodes_own_system_is_looked_for_in_the_tables_and_in_no_registry(home: Home) -> None:
    home.images_table.write_text('"node/*:*": [{image: "mine:1"}]')
    api = FakeApi({}, {"mine:1": "sha256:9"})
    images = Images(api, home, training=home.root.parent / "training")
    assert images.resolve(None, "node/ubuntuserver:16.04-lts", lambda _: None).reference == "mine:1"
    assert [name for name, _ in api.pulled] == ["mine:1"]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("ubuntu", "ubuntu:latest"),
        ("docker.io/library/ubuntu:16.04", "ubuntu:16.04"),
        ("index.docker.io/microsoft/cntk", "microsoft/cntk:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("x@sha256:abc", "x@sha256:abc"),
    ],
)
def test_names_are_compared_as_tables_write_them(reference: str, name: str) -> None:
    assert plain_name(reference) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "must be a mapping"),
        ("a: {", "cannot be read"),
        ("a: []", "at least one candidate"),
        ("a: [b]", "'a': a candidate is"),
        ("a: [{image: 3}]", "'a': a candidate is"),
        ("a: [{image: x, build: y}]", "'a': a candidate is"),
        ("a: [{build: ../x}]", "'../x' is not the name"),
    ],
)
def test_a_table_that_is_wrong_is_told(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "images.yaml"
    table.write_text(text)
    with pytest.raises(EngineError, match=r"images\.yaml") as caught:
        read_table(table)
    assert message in caught.value.problem.message


def test_every_pattern_that_fits_gives_candidates(tmp_path: Path) -> None:
    table = tmp_path / "images.yaml"
    table.write_text('"a:*": [{image: b}]\n"*": [{image: b}, {build: c}]\n"z": [{image: y}]\n')
    found = candidates_for("a", [table, tmp_path / "none"])
    assert found == [Candidate("image", "b"), Candidate("build", "c")]


@pytest.mark.parametrize(
    ("tag", "built"),
    [("0.4_cuda9_cudnn7", "pytorch"), ("1.13.1", "pytorch"), ("latest", "pytorch"), ("2.6.0", "pytorch2")],
)
def test_a_pytorch_stands_for_those_of_its_time(tag: str, built: str) -> None:
    assert candidates_for(f"pytorch/pytorch:{tag}", delivered_tables(training_folder())) == [
        Candidate("build", built)
    ]
    assert built in build_programs(training_folder())


def test_progress_is_announced_now_and_then() -> None:
    lines: list[str] = []
    now = 0.0
    throttle = Throttle(lines.append, seconds=3, time_of=lambda: now)
    for now in range(10):
        throttle(f"{now}")
    assert lines == ["3", "6", "9"]


LAYER = {"status": "Downloading", "id": "a", "progressDetail": {"current": 5_000_000, "total": 10_000_000}}


def test_a_pull_is_announced_so_that_it_is_known_as_progress() -> None:
    lines: list[str] = []
    PullProgress("x:1", lines.append, seconds=0).hear(LAYER)
    assert lines == ["image: pulling x:1", "image: pulling x:1 (10 MB): 50 %"]
    assert [is_progress(line) for line in lines] == [False, True]


def test_a_pulls_progress_is_told_once() -> None:
    lines: list[str] = []
    far: list[tuple[str, int, int]] = []
    PullProgress("x:1", lines.append, lambda *it: far.append(it), seconds=0).hear(LAYER)
    assert (lines, far) == (["image: pulling x:1"], [("x:1", 5_000_000, 10_000_000)])


def test_a_programs_progress_is_told_once(tmp_path: Path) -> None:
    program = tmp_path / "p.py"
    program.write_text(
        "import json\n"
        "for event in ({'event': 'progress', 'file': 'a.whl', 'done': 1, 'total': 2},\n"
        "              {'event': 'note', 'message': 'a note'}, {'event': 'done'}):\n"
        "    print(json.dumps(event))\n"
    )
    lines: list[str] = []
    far: list[tuple[str, int, int]] = []
    run_program(program, [], "thing", lines.append, lambda *it: far.append(it), seconds=0)
    assert (lines, far) == (["thing: a note"], [("a.whl", 1, 2)])
    lines.clear()
    run_program(program, [], "thing", lines.append, seconds=0)
    assert lines == ["thing: a.whl 50 %", "thing: a note"]


def test_a_program_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not exist"):
        run_program(tmp_path / "none.py", [], "thing", print)


def test_the_last_event_is_the_result(tmp_path: Path) -> None:
    program = tmp_path / "p.py"
    program.write_text(f"print({json.dumps(json.dumps({'event': 'done', 'x': 'ünï'}))})")
    assert run_program(program, [], "thing", print)["x"] == "ünï"


def test_credentials_of_another_registry_are_not_sent(home: Home) -> None:
    api = FakeApi({})
    with pytest.raises(EngineError):
        resolve(api, home, ImageRequest("127.0.0.1:5058/x:1", "127.0.0.1:5057", "user", "pa55word"))
    assert api.pulled == []
