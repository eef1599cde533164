"""Jobs through the resource provider: their states, hours, ends and output files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.errors import Problem
from tests.front.test_provider import BASE, CLUSTER, JOB, SUBSCRIPTION, body, done

if TYPE_CHECKING:
    from tests.front.conftest import Front


def test_a_job_goes_through_its_states(populated: Front) -> None:
    queued = populated.ask("GET", JOB)
    read = body(queued)
    assert read["type"] == "Microsoft.BatchAI/workspaces/experiments/jobs"
    properties = read["properties"]
    assert properties["experimentName"] == "ex"
    assert properties["toolType"] == "custom"
    assert properties["schedulingPriority"] == "normal"
    assert properties["constraints"] == {"maxWallClockTime": "P7D"}
    assert properties["executionState"] == "queued"
    assert "executionInfo" not in properties
    populated.clock.advance(seconds=2)
    populated.clusters.finish(
        "j", 3, Problem("JobFailed", "Job failed with non-zero exit code", (("a", "b"),))
    )
    failed = populated.ask("GET", JOB)
    assert body(failed)["properties"]["executionInfo"] == {
        "startTime": "2018-06-06T12:00:02Z",
        "endTime": "2018-06-06T12:00:02Z",
        "exitCode": 3,
        "totalJobNodeHours": 0.0,
        "errors": [
            {
                "category": "UserError",
                "code": "JobFailed",
                "message": "Job failed with non-zero exit code",
                "details": [{"name": "a", "value": "b"}],
            }
        ],
    }
    assert failed.headers["ETag"] == queued.headers["ETag"]  # the definition did not change


def test_the_hours_of_a_job_are_those_of_all_its_nodes(populated: Front) -> None:
    populated.clusters.finish("j", -1, Problem("AZFMountError", "Unable to mount Azure File"))
    ((key, job),) = populated.clusters.jobs.items()
    start = populated.clock.now() - timedelta(seconds=45)
    for nodes, hours in ((1, 0.0125), (2, 0.025)):  # the first is of a public report
        populated.clusters.jobs[key] = replace(job, started_at=start, nodes=("n",) * nodes)
        info = body(populated.ask("GET", JOB))["properties"]["executionInfo"]
        assert (info["totalJobNodeHours"], info["errors"][0]["category"]) == (hours, "UserError")


def test_terminating(populated: Front) -> None:
    answer = populated.ask("POST", f"{JOB}/terminate")
    assert not done(populated, answer)
    populated.restart()
    assert not done(populated, answer)
    populated.clusters.finish("j", None, Problem("JobTerminated", "..."))
    assert done(populated, answer)
    assert "exitCode" not in body(populated.ask("GET", JOB))["properties"]["executionInfo"]
    again = populated.ask("POST", f"{JOB}/terminate")
    assert (again.status, again.body, again.headers) == (200, None, {})


def test_output_files_are_listed_with_links_page_by_page(populated: Front) -> None:
    entry = type(populated.files).Entry
    populated.clusters.folders = {"stdouterr": ("acct", "share", "some/where"), "TEMP": None}
    populated.files.entries["acct/share/some/where"] = [
        entry("stdout.txt", size=5),
        entry("counters", is_directory=True),
        entry("stderr.txt"),
    ]
    populated.files.entries["acct/share/some/where/counters"] = [entry("x y.txt", size=1)]
    path = f"{JOB}/listOutputFiles"
    first = body(populated.ask("POST", path, outputdirectoryid="stdouterr", maxresults="2"))
    assert first["value"] == [
        {"name": "counters", "fileType": "directory"},
        {
            "name": "stderr.txt",
            "fileType": "file",
            "downloadUrl": f"{BASE}/acct/share/some/where/stderr.txt?sig=x",
            "properties": {"lastModified": "2018-06-06T12:30:15Z", "contentLength": 0},
        },
    ]
    assert first["nextLink"].startswith(f"{BASE}/subscriptions/{SUBSCRIPTION}/{path}?")
    for method in ("GET", "POST"):  # SDK 7.0.0 follows the link with GET, 2.0.0 with POST
        more: Any = {"outputdirectoryid": "stdouterr", "maxresults": "2", "$skiptoken": "stderr.txt"}
        second = body(populated.ask(method, path, **more))
        assert [one["name"] for one in second["value"]] == ["stdout.txt"]
        assert "nextLink" not in second
    below = populated.ask(
        "POST", path, outputdirectoryid="stdouterr", directory="./counters", linkexpiryinminutes="5"
    )
    assert [one["name"] for one in body(below)["value"]] == ["x y.txt"]
    assert populated.files.expires[-1] == populated.clock.now().replace(minute=5)
    empty = populated.ask("POST", path, outputdirectoryid="stdouterr", directory="none")
    assert body(empty) == {"value": []}


@pytest.mark.parametrize(
    ("query", "status", "target"),
    [
        ({}, 400, "outputdirectoryid"),
        ({"outputdirectoryid": "NONE"}, 404, "outputdirectoryid"),
        ({"outputdirectoryid": "TEMP"}, 400, "outputdirectoryid"),
        ({"outputdirectoryid": "stdouterr", "directory": "../up"}, 400, "directory"),
        ({"outputdirectoryid": "stdouterr", "directory": "a/../../up"}, 400, "directory"),
        ({"outputdirectoryid": "stdouterr", "linkexpiryinminutes": "4"}, 400, "linkexpiryinminutes"),
        ({"outputdirectoryid": "stdouterr", "linkexpiryinminutes": "soon"}, 400, "linkexpiryinminutes"),
        ({"outputdirectoryid": "stdouterr", "maxresults": "1001"}, 400, "maxresults"),
    ],
)
def test_wrong_questions_for_output_files(
    populated: Front, query: dict[str, str], status: int, target: str
) -> None:
    populated.clusters.folders = {"stdouterr": ("acct", "share", "some/where"), "TEMP": None}
    question: dict[str, Any] = dict(query)
    error = populated.refused("POST", f"{JOB}/listOutputFiles", **question)
    assert (error.status, error.target) == (status, target)


def test_remote_logins(populated: Front) -> None:
    for path in (CLUSTER, JOB):
        found = body(populated.ask("POST", f"{path}/listRemoteLoginInformation"))["value"]
        assert found == [{"nodeId": "tvm-1_1-20180606t120000z", "ipAddress": "127.0.0.1", "port": 50000}]
