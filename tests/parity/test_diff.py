"""``scenario diff``: local and azure are asked for the same; two runs are compared by what came of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.scenarios.record.comparison import compare_runs, states
from batchai_scenario.scenarios.record.model import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.conftest import Command


@pytest.mark.parametrize("name", ["mnist", "hello"])
@pytest.mark.parametrize("settings", [{}, {"AZURE_STORAGE_ACCOUNT": "mine", "AZURE_STORAGE_KEY": "a2V5"}])
def test_local_and_azure_differ_in_endpoints_and_credentials_only(
    command: Command, name: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    found = command.json("diff", name, "--backend", "local", "--backend", "azure", "--plan")
    assert found["same"]
    assert {it["section"] for it in found["differences"]} == {"endpoints", "credentials"}
    assert not any(it["counts"] for it in found["differences"])
    told = {it["what"]: it["right"] for it in found["differences"]}
    assert told["resource manager"] == "https://management.azure.com"
    assert "a2V5" not in json.dumps(found)


def test_the_table_says_so_too(command: Command) -> None:
    out = command("diff", "mnist", "--backend", "local", "--backend", "azure", "--plan")
    assert "https://management.azure.com" in out
    assert "requests are the same but for endpoints and credentials" in out.splitlines()[-1]


def test_an_option_that_changes_a_request_is_a_difference(command: Command) -> None:
    arguments = ("diff", "hello", "--plan", "--backend", "local:engine=process", "--backend", "azure")
    found = command.json(*arguments, code=1)
    [it] = [it for it in found["differences"] if it["counts"]]
    assert "x-scenario-engine" in it["what"]
    assert (it["left"], it["right"]) == ("process", "-")


def test_a_plan_has_uploads_looks_and_deletions(command: Command) -> None:
    requests = command.json("plan", "mnist", "--backend", "azure")["requests"]
    sent = [f"{it['method']} {it['url'].split('?')[0].rpartition('/')[2]}" for it in requests]
    assert "PUT ConvNet_MNIST.py" in sent
    assert "POST listOutputFiles" in sent
    assert sent.index("DELETE train") > sent.index("POST listOutputFiles")
    assert "<storage key>" in json.dumps(requests)
    assert "authorization" not in json.dumps(requests).lower()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("diff", "mnist"), "two runs"),
        (("diff", "mnist", "hello", "--plan"), "one scenario"),
        (("diff", "a", "b", "--backend", "local"), "need --plan"),
        (("diff", "mnist", "--plan", "--backend", "local"), "two backends"),
        (("diff", "mnist", "--plan", "--backend", "local:x", "--backend", "azure"), "option=value"),
        (("diff", "mnist", "--plan", "--backend", "aws", "--backend", "azure"), "no backend 'aws'"),
        (("diff", "a", "b"), "no runs yet"),
    ],
)
def test_wrong_usage_says_what_is_wrong(command: Command, arguments: tuple[str, ...], words: str) -> None:
    assert words in command(*arguments, code=2)


def record(**more: Any) -> RunRecord:
    """Make the record of a run that went well."""
    name = more.pop("id", "hello-1")
    segment = f"sub/{name}/jobs/hello/guid-of-{name}"
    job = {
        "properties": {"nodeCount": 1, "customToolkitSettings": {"commandLine": "true"}},
        "state": "succeeded",
        "states": [{"state": state, "at": "2026-01-01T00:00:02Z"} for state in ("running", "succeeded")],
        "segment": segment,
        "exitCode": 0,
        "createdAt": "2026-01-01T00:00:01Z",
        "startedAt": "2026-01-01T00:00:02Z",
        "endedAt": more.pop("ended", "2026-01-01T00:00:03Z"),
        "outputs": more.pop("outputs", [{"directory": "MODEL", "path": "m.dnn", "size": 7}]),
        "variables": {"AZ_BATCHAI_OUTPUT_MODEL": f"/mnt/{segment}/outputs"} | more.pop("variables", {}),
    }
    job |= more.pop("job", {})
    return RunRecord.model_validate(
        {
            "id": name,
            "scenario": "hello",
            "backend": "local",
            "createdAt": "2026-01-01T00:00:00Z",
            "place": {"group": "g", "location": "l", "workspace": name, "experiment": "e", "ours": True},
            "cluster": {"name": name, "properties": {"vmSize": "STANDARD_D1"}},
            "jobs": {"hello": job},
            "exitCode": 0,
            "state": "succeeded",
        }
        | more
    )


def test_runs_that_only_have_other_names_and_times_are_the_same() -> None:
    found = compare_runs(record(), record(id="hello-2", ended="2026-01-01T00:00:09Z"))
    assert [(it.section, it.what) for it in found] == [("timings", "job hello ran")]
    assert not found[0].counts


def test_a_short_state_that_was_missed_is_no_difference() -> None:
    one = record()
    assert states(one.jobs["hello"]) == ["queued", "running", "succeeded"]


@pytest.mark.parametrize(
    ("change", "section", "what", "right"),
    [
        ({"job": {"exitCode": 3}}, "exit codes", "job hello", "3"),
        ({"job": {"state": "failed", "states": []}}, "states", "job hello", "queued > running"),
        ({"outputs": []}, "files", "hello: MODEL/m.dnn", "-"),
        (
            {"outputs": [{"directory": "MODEL", "path": "m.dnn", "size": 9}]},
            "files",
            "hello: MODEL/m.dnn",
            "9 bytes",
        ),
        ({"variables": {"AZ_BATCHAI_NEW": "1"}}, "variables", "hello: AZ_BATCHAI_NEW", "1"),
        ({"faults": ["preempt:after=5s"]}, "faults", "asked for", "preempt:after=5s"),
        (
            {"cluster": {"name": "c", "properties": {"vmSize": "STANDARD_NC6"}}},
            "requests",
            "cluster: vmSize",
            "STANDARD_NC6",
        ),
    ],
)
def test_what_differs_is_told_where_it_is(
    change: dict[str, Any], section: str, what: str, right: str
) -> None:
    counting = [it for it in compare_runs(record(), record(**change)) if it.counts]
    assert [(it.section, it.what, it.right) for it in counting] == [(section, what, right)]


def test_a_log_of_another_length_is_expected() -> None:
    logs: Callable[[int], list[dict[str, Any]]] = lambda size: [  # noqa: E731
        {"directory": "stdouterr", "path": "stdout.txt", "size": size}
    ]
    [it] = compare_runs(record(outputs=logs(1)), record(outputs=logs(2)))
    assert (it.section, it.counts) == ("files", False)


def test_runs_of_hello_are_compared_with_the_variables_that_they_printed(command: Command) -> None:
    for greeting in ("Hello", "Hello", "Ahoy"):
        command("run", "hello", "--engine", "process", "--gpus", "none", "--set", f"greeting={greeting}")
    names = sorted(path.name for path in (command.home / "runs").iterdir())
    data = json.loads((command.home / "runs" / names[0] / "run.json").read_text())
    assert "AZ_BATCHAI_OUTPUT_GREETING" in data["jobs"]["hello"]["variables"]
    runs = {
        json.loads((command.home / "runs" / name / "run.json").read_text())["parameters"]["greeting"]: name
        for name in names
    }
    same = [name for name in names if name != runs["Ahoy"]]
    assert "are the same" in command("diff", *same)
    found = command.json("diff", runs["Hello"], runs["Ahoy"], code=1)
    counting = {it["what"] for it in found["differences"] if it["counts"]}
    assert counting == {"job hello: environmentVariables[0].value", "hello: GREETING/greeting.txt"}
