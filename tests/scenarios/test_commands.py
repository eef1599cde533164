"""The command line: verbs, flags, their environment twins, exit codes, JSON."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchai_scenario import __version__
from batchai_scenario.emulator.serving import HomeLock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.scenarios.cli.app import COMMANDS, _fail
from batchai_scenario.scenarios.record.model import ClusterPart, PlaceRecord, RunRecord
from batchai_scenario.scenarios.record.record import Run, now
from tests.scenarios.worlds import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.commanding import Command

    Write = Callable[..., Path]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_names_its_environment_variables(command: Command, name: str) -> None:
    out, _ = command(name, "--help")
    assert out.startswith("Usage: scenario")
    if name in ("run", "plan"):
        assert "SCENARIO_BACKEND" in out
        assert "SCENARIO_ENGINE" in out


def test_scenarios_are_listed_and_shown(command: Command) -> None:
    assert {"hello", "mnist"} <= {item["name"] for item in command.json("list")}
    out, _ = command("show", "hello")
    assert "greeting" in out
    shown = command.json("show", "hello")
    assert shown["parameters"]["greeting"] == {"type": "string", "default": "Hello", "help": "what to say"}
    assert shown["jobs"] == ["hello"]


def test_a_broken_scenario_is_listed_as_broken(command: Command, write: Write) -> None:
    file = write(SMALL.replace("summary", "sumary"))
    entries = {item["name"]: item for item in command.json("list", str(file.parent.parent))}
    assert "did you mean 'summary'" in entries["small"]["error"]
    assert "error" not in entries["hello"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rum", "hello"), "Did you mean 'run'?"),
        (("run", "helo"), "did you mean 'hello'?"),
        (("run", "hello", "--set", "greting=x"), "did you mean 'greeting'?"),
        (("run", "hello", "--set", "greeting"), "--set epochs=3"),
        (("run", "mnist", "--set", "epochs=0"), "below the minimum 1"),
        (("run", "hello", "--backend", "lcoal"), "there is no backend 'lcoal'"),
        (("run", "hello", "--engine", "podman"), "'podman' is not one of"),
        (("run", "hello", "--timeout", "soon"), "is no time span"),
        (("run", "hello", "--option", "x"), "write KEY=VALUE"),
        (("run", "hello", "--nonsense"), "No such option"),
        (("logs", "nothing"), "there are no runs yet"),
        (("runs", "--stop"), "--stop needs a RUN"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(
    command: Command, arguments: tuple[str, ...], message: str
) -> None:
    out, err = command(*arguments, code=2)
    assert message in out + err


def test_wrong_usage_is_an_object_with_json(command: Command) -> None:
    assert command.json("show", "helo", code=2)["error"]["exitCode"] == 2
    last = command.json("run", "hello", "--set", "greting=x", code=2)
    assert (last["event"], last["state"], last["exitCode"]) == ("finished", "failed", 2)


def test_azure_without_credentials_ends_with_3_and_names_what_is_missing(command: Command) -> None:
    last = command.json("run", "hello", "--backend", "azure", code=3)
    assert (last["state"], last["exitCode"]) == ("failed", 3)
    for name in ("AZURE_CLIENT_SECRET", "AZURE_STORAGE_KEY", "2019"):
        assert name in last["reasons"][0] + last["hint"]
    out, _ = command("run", "hello", "--backend", "azure", code=3)
    assert "AZURE_TENANT_ID" in out


def test_a_backend_that_refuses_the_job_ends_with_2_and_leaves_nothing(command: Command) -> None:
    last = command.json("run", "hello", "--backend", "memory", code=2)
    assert last["state"] == "failed"
    (run,) = command.json("runs")
    assert run["place"]["deleted"]


def test_a_flag_that_stands_where_it_does_not_belong_is_told_where_it_does(command: Command) -> None:
    _, err = command("run", "hello", "--backend", "memory", "--engine", "docker", code=2)
    assert "'--engine' with the backend 'memory'; 'scenario backends' lists" in err
    for arguments in (
        ("runs", "--home", "x"),
        ("run", "hello", "--home=x"),
        ("emulator", "stop", "--home", "x"),
    ):
        assert (
            "Error: --home stands before the command: scenario --home DIRECTORY"
            in command(*arguments, code=2)[1]
        )
    assert "Did you mean '--backend'" in command("run", "hello", "--bakend", "memory", code=2)[1]


def test_a_plan_sends_nothing_and_holds_no_secret(command: Command) -> None:
    plan = command.json("plan", "mnist")
    assert [request["method"] for request in plan["requests"]].count("PUT") >= 4
    assert "Train-28x28" in json.dumps(plan) or "dataset:mnist-cntk-text" in json.dumps(plan)
    assert "<storage key>" in json.dumps(plan)
    assert not (command.home / "runs").exists()
    assert not (command.home / "emulator").exists()


def test_backends_and_doctor_answer(command: Command) -> None:
    names = {item["name"]: item["error"] for item in command.json("backends")}
    assert names["local"] is names["azure"] is None
    log = command.home / "emulator" / "emulator.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(300)))
    crash = command.home / "crashes" / "20200101-000000-0.txt"
    crash.parent.mkdir()
    crash.write_text("ValueError: hunter2")
    file = command.home.parent / "report.txt"
    findings = {
        item["what"]: item["text"] for item in command.json("doctor", "--report", str(file))["findings"]
    }
    assert {"python", "home", "engine docker", "engine process", "toolkit cntk"} <= set(findings)
    report = file.read_text()
    for part in (f"scenario {__version__}, Python", "  pydantic 2.", f"python: {findings['python']}"):
        assert part in report, part
    assert "  line 299\n" in report
    assert "  line 100\n" in report
    assert "  line 99\n" not in report
    assert str(crash) in report
    assert "hunter2" not in report


def test_a_report_of_doctor_that_cannot_be_written_is_told_before_it_looks(command: Command) -> None:
    nowhere = command.home.parent / "nowhere" / "report.txt"
    assert "there is no folder" in command("doctor", "--report", str(nowhere), code=2)[1]


def test_doctor_says_what_each_toolkit_would_fetch_and_is_not_ready_for_what_would_fail(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = {"DOCKER_HOST": "unix:///nowhere", "PATH": "/nowhere", "PYENV_ROOT": "", "HOME": "/nowhere"}
    for name, value in machine.items():
        monkeypatch.setenv(name, value)
    said = {item["what"]: item for item in command.json("doctor")["findings"]}
    assert said["toolkit cntk"]["text"] == "CNTK 2.7 and Python 2.7 (133 MB), on first use"
    assert said["toolkit custom"]["ok"] is True
    assert (said["toolkit caffe"]["ok"], "bring Caffe" in said["toolkit caffe"]["text"]) == (None, True)
    assert (said["toolkit horovod"]["ok"], "no g++" in said["toolkit horovod"]["text"]) == (None, True)
    assert "g++" in said["toolkit horovod"]["remedy"]
    monkeypatch.setenv("SCENARIO_CNTK_PYTHON", "/nowhere/python")
    told = command.json("doctor", code=3)
    assert told["ready"] is False
    said = {item["what"]: item for item in told["findings"]}
    assert said["toolkit cntk"]["ok"] is False
    assert "/nowhere/python" in said["toolkit cntk"]["text"]


def test_images_are_kept_under_the_names_that_the_engine_looks_for(command: Command) -> None:
    tags = {image["name"]: image["tag"] for image in command.json("images", "list")}
    assert tags["cntk"] == "scenario/cntk:latest"


def test_a_bug_of_ours_ends_with_70_and_keeps_its_traceback(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _fail(ZeroDivisionError("oh"), {"home": command.home}, as_json=False) == 70
    told = capsys.readouterr().err
    assert "this is a bug of ours: ZeroDivisionError: oh" in told
    assert "'Reporting a bug'" in " ".join(told.split())
    (kept,) = (command.home / "crashes").iterdir()
    assert "ZeroDivisionError" in kept.read_text()
    assert f"scenario {__version__}, Python {platform.python_version()}, Linux" in kept.read_text()


def test_the_readme_says_where_a_report_goes() -> None:
    assert "\n## Reporting a bug\n" in (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.usefixtures("exercise_process")
def test_hello_runs_on_the_process_engine(command: Command, tmp_path: Path) -> None:
    out, _ = command(
        "run", "hello", "--engine", "process", "--set", "greeting=Moin", "--download", str(tmp_path / "o")
    )
    assert "stdout | Moin from the node." in out
    assert "succeeded after" in out
    assert (tmp_path / "o" / "GREETING" / "greeting.txt").read_text() == "Moin\n"
    (run,) = command.json("runs")
    assert (run["state"], run["exitCode"]) == ("succeeded", 0)
    assert "Moin from the node." in command("logs", "--file", "stdout.txt")[0]
    listed = command.json("outputs", run["id"])
    assert {"job": "hello", "directory": "GREETING", "path": "greeting.txt", "size": 5} in listed
    assert command.json("emulator", "status")["serving"] is False
    assert command.json("emulator", "reset")["removed"]


def test_an_emulator_that_does_not_answer_is_told_as_such(command: Command) -> None:
    home = Home(command.home)
    home.make()
    lock = HomeLock(home)
    lock.take()
    found = command.json("emulator", "status", code=3)
    assert (found["serving"], found["url"]) == (True, "")
    assert "does not answer" in found["problem"]
    assert "kill -9" in found["remedy"]
    out, _ = command("emulator", "status", code=3)
    assert "does not answer" in out
    assert "process 0" not in out
    assert "no emulator serves" not in out
    assert "does not answer" in command("ui", "--print", code=3)[1]
    lock.release()


TWO = """\
summary: Two jobs with outputs of the same name.
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: two, relativeMountPath: files}]}}
jobs:
  one: &job
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    customToolkitSettings: {commandLine: "echo x"}
  other: *job
"""


@pytest.mark.usefixtures("exercise_process")
def test_outputs_of_several_jobs_are_told_apart(command: Command, write: Write) -> None:
    command("run", str(write(TWO).parent), "--engine", "process")
    listed = {tuple(line.split()[:2]) for line in command("outputs")[0].splitlines()}
    assert {("one/stdouterr", "stdout.txt"), ("other/stdouterr", "stdout.txt")} <= listed


def test_an_unreadable_record_is_listed_with_its_path_and_the_others_too(command: Command) -> None:
    place = PlaceRecord(group="g", location="eastus", workspace="w", experiment="e", ours=True)
    cluster = ClusterPart(name="c", properties={})
    record = RunRecord(
        id="good", scenario="s", backend="memory", created_at=now(), place=place, cluster=cluster, jobs={}
    )
    record.state = "succeeded"
    Run.create(command.home, record).release()
    broken = command.home / "runs" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    out, err = command("runs", code=3)
    found = [line.split()[:2] for line in out.splitlines()[1:]]
    assert found == [["good", "succeeded"], ["broken", "unreadable"]]
    assert str(broken / "run.json") in out
    assert "it is damaged" in err
    out, _ = command("runs", "--json", code=3)
    listed = json.loads(out.splitlines()[0])
    assert [[item["id"], item["state"]] for item in listed] == found
    command("runs", "good")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (
            ("emulator", "serve", "--only", "files", "--engine", "docker", "--gpus", "none"),
            "--engine and --gpus: ",
        ),
        (("emulator", "serve", "--in-memory"), "--home: "),  # as every command of these tests has it
        (("emulator", "env", "--direct", "--passthrough"), "--passthrough: "),
        (("run", "hello", "--seed", "3"), "--seed: "),
        (("emulator", "env", "--json", "--shell", "fish"), "--shell: "),
    ],
)
def test_flags_that_would_do_nothing_are_refused(
    command: Command, flags: tuple[str, ...], named: str
) -> None:
    assert named in "".join(command(*flags, code=2))


def test_settings_of_the_environment_do_not_keep_runs_from_being_compared(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENARIO_SET", "epochs=3")
    assert "there are no runs" in "".join(command("diff", "one", "other", code=2))
    assert "need --plan" in "".join(command("diff", "one", "other", "--set", "epochs=3", code=2))
