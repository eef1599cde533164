"""The page's JSON: what it tells, what it changes, and what it refuses."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.own import OwnCredentials
from tests.ui.world import CLUSTER, SHARE, Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ui.world import World

CREW = CLUSTER.lower()


def jobs_of(visitor: Visitor) -> dict[str, dict[str, Any]]:
    return {job["name"]: job for job in visitor.api("overview")["board"]["jobs"]}


def test_the_overview_has_clusters_nodes_and_jobs(world: World, visitor: Visitor) -> None:
    found = visitor.api("overview")
    assert found["emulator"]["home"] == str(world.home.root)
    (cluster,) = found["board"]["clusters"]
    assert (cluster["id"], cluster["target"], len(cluster["nodes"])) == (CREW, 1, 1)
    jobs = jobs_of(visitor)
    assert (jobs["fine"]["state"], jobs["fine"]["exitCode"]) == ("succeeded", 0)
    assert (jobs["broken"]["state"], jobs["broken"]["exitCode"]) == ("failed", 3)
    assert jobs["broken"]["errors"][0]["code"]
    assert jobs["fine"]["started"] < jobs["fine"]["ended"]
    assert visitor.api("engine")["name"] == "process"
    assert visitor.api("usage")["accounts"][development.ACCOUNT] > 0


def test_a_job_is_told_whole_with_its_secrets_as_names(world: World, visitor: Visitor) -> None:
    job = visitor.api("job", id=world.fine)
    assert [entry["state"] for entry in job["times"]] == ["queued", "running", "succeeded"]
    assert job["directories"] == ["stdouterr", "OUT"]
    assert job["variables"]["PLAIN"] == "seen"
    assert job["variables"]["WORD"] == "<secret WORD>"
    assert job["variables"]["AZ_BATCHAI_OUTPUT_OUT"].endswith("/outputs/out")
    assert job["definition"]["secrets"] == [{"name": "WORD", "value": "<WORD>"}]
    cluster = visitor.api("cluster", id=CREW)
    (volume,) = cluster["definition"]["nodeSetup"]["mountVolumes"]["azureFileShares"]
    assert volume["credentials"] == {"accountKey": "<accountKey>"}


def test_no_answer_holds_a_secret(world: World, visitor: Visitor) -> None:
    own = OwnCredentials.at(world.home.credentials)
    secrets = [own.account_key, own.secret, "hidden of the", "pass word", world.address.stop_key]
    for path in ("overview", "engine", "usage", "shares", f"job?id={world.fine}", f"cluster?id={CREW}"):
        _, _, body = visitor.get(f"/ui/api/{path}")
        assert [secret for secret in secrets if secret.encode() in body] == [], path


def test_files_of_a_job_are_listed_and_read_from_any_offset(world: World, visitor: Visitor) -> None:
    names = [
        entry["name"] for entry in visitor.api("job/files", id=world.fine, directory="stdouterr")["files"]
    ]
    assert {"stdout.txt", "stderr.txt", "execution.log"} <= set(names)
    asked = {"id": world.fine, "directory": "stdouterr", "path": "stdout.txt"}
    status, headers, body = visitor.get(f"/ui/api/job/file?{urlencode(asked)}")
    assert (status, body) == (200, b"<script>alert(1)</script>\nfirst\nsecond\n")
    assert int(headers["x-file-size"]) == len(body)
    _, _, part = visitor.get(f"/ui/api/job/file?{urlencode({**asked, 'offset': 26, 'length': 5})}")
    assert part == b"first"
    _, _, rest = visitor.get(f"/ui/api/job/file?{urlencode({**asked, 'offset': 10_000})}")
    assert rest == b""
    found = visitor.api("job/files", id=world.fine, directory="OUT", path="sub")["files"]
    assert [(entry["name"], entry["size"]) for entry in found] == [("a.txt", 7)]
    _, _, body = visitor.get(
        f"/ui/api/job/file?{urlencode({**asked, 'directory': 'OUT', 'path': 'sub/a.txt'})}"
    )
    assert body == b"inside\n"


def test_the_output_of_a_setup_task_is_read(visitor: Visitor) -> None:
    cluster = visitor.api("cluster", id=CREW)
    name = f"stdout-{cluster['nodes'][0]['id']}.txt"
    assert name in [entry["name"] for entry in cluster["setup"]]
    asked = urlencode({"id": CREW, "directory": "setup", "path": name})
    assert visitor.get(f"/ui/api/job/file?{asked}")[2] == b"set up\n"


def test_what_is_asked_wrongly_is_refused_with_a_sentence(world: World, visitor: Visitor) -> None:
    fine = {"id": world.fine, "directory": "stdouterr"}
    asked: list[tuple[str, dict[str, Any], int, str]] = [
        ("nothing", {}, 404, "nothing at 'nothing'"),
        ("job", {}, 400, "'id' is required"),
        ("job", {"id": "fine"}, 400, "is no id of a job"),
        ("job", {"id": CREW}, 400, "is no id of a job"),
        ("job", {"id": world.fine + "x"}, 404, "no such job"),
        ("cluster", {"id": world.fine}, 400, "is no id of a cluster"),
        ("job/files", {**fine, "directory": "NO"}, 404, "no output directory 'NO'"),
        ("job/file", {**fine, "path": "no.txt"}, 404, ""),
        ("job/file", {**fine, "path": "../../../x"}, 400, ""),
        ("job/file", {**fine, "path": "stdout.txt", "offset": "-1"}, 400, "is no whole number"),
        ("job/file", {**fine, "path": "stdout.txt", "length": "²"}, 400, "is no whole number"),
        ("files", {"account": "nobody", "share": "data"}, 404, "no share 'data'"),
        ("files", {"account": development.ACCOUNT, "share": "../data"}, 404, "no share"),
        ("runs", {}, 404, "not told of runs"),
    ]
    for path, query, status, sentence in asked:
        found, said = visitor.refused(path, **query)
        assert (found, sentence in said) == (status, True), (path, query, said)
    assert visitor.change("overview", {})[0] == 405


def test_jobs_and_clusters_are_changed_as_any_client_does(world: World, visitor: Visitor) -> None:
    running = world.submit("long", "sleep 100")
    world.wait(running, "running")
    assert visitor.change("job/terminate", {"id": running})[0] == 202
    assert world.wait(running)["executionState"] == "failed"
    assert visitor.change("job/delete", {"id": running})[0] == 202
    world.until(lambda: "long" not in jobs_of(visitor))
    assert visitor.change("cluster/resize", {"id": CREW, "nodes": 2})[0] == 202
    world.until(lambda: len(visitor.api("cluster", id=CREW)["nodes"]) == 2)
    assert visitor.change("cluster/resize", {"id": CREW, "nodes": 1})[0] == 202
    world.until(lambda: len(visitor.api("cluster", id=CREW)["nodes"]) == 1)
    for body in (
        {"id": CREW},
        {"id": CREW, "nodes": -1},
        {"id": CREW, "nodes": "3"},
        {"nodes": 1},
        {"id": CREW, "nodes": True},
    ):
        status, said = visitor.change("cluster/resize", body)
        assert (status, said["error"]["message"] != "") == (400, True), body
    own = {"Origin": f"http://{visitor.url.netloc}"}
    for data in (b"", b"[]", b"{", b'"' + b"x" * 100_000 + b'"'):
        assert visitor.send("POST", "/ui/api/job/delete", data, own)[0] in (400, 413)


def test_files_are_put_into_shares_whole_and_under_any_name(world: World, visitor: Visitor) -> None:
    own = {"Origin": f"http://{visitor.url.netloc}"}
    place = {"account": development.ACCOUNT, "share": SHARE}

    def put(path: str, data: bytes) -> int:
        asked = urlencode({**place, "path": path})
        return visitor.send("PUT", f"/ui/api/file?{asked}", data, own)[0]

    name = 'it\'s a <b>"file"</b>'  # quotes and signs of more and less are no names of the service's
    assert put(f"new/{name}", b"x") == 400
    for name in ("it's ünïcode & more.txt", "empty", "%2e%2e"):
        data = b"" if name == "empty" else b"content \0 of " + name.encode()
        assert put(f"new/{name}", data) == 201
        assert (world.share / "new" / name).read_bytes() == data
        assert visitor.get(f"/ui/api/file?{urlencode({**place, 'path': f'new/{name}'})}")[2] == data
    assert put("new/empty", b"replaced") == 201
    assert (world.share / "new" / "empty").read_bytes() == b"replaced"
    assert put("../out", b"x") == 400
    assert put("new", b"x") == 409  # a folder stands there
    listed = visitor.api("files", **place, path="new")["files"]
    assert [entry["size"] for entry in listed if entry["name"] == "empty"] == [8]
    assert list((world.home.storage / ".staging").glob("*")) == []
    asked = urlencode({**place, "share": "_blob/pictures", "path": "x"})
    status, _, said = visitor.send("PUT", f"/ui/api/file?{asked}", b"x", own)
    assert (status, "shares only" in said.decode()) == (409, True)


def read_events(visitor: Visitor, line: HTTPConnection, path: str) -> Iterator[tuple[str, Any]]:
    """Give the events of a stream as they come."""
    line.request("GET", path, headers={"Cookie": visitor.cookie})
    answer = line.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    name = ""
    while True:
        text = answer.readline().decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))


def test_a_stream_tells_what_changes(world: World, visitor: Visitor) -> None:
    live = world.submit(
        "live", "echo one; while [ ! -e $AZ_BATCHAI_MOUNT_ROOT/afs/go ]; do sleep 0.1; done; echo two"
    )
    world.wait(live, "running")
    with closing(HTTPConnection(visitor.url.hostname or "", visitor.url.port, timeout=60)) as line:
        events = read_events(visitor, line, f"/ui/api/events?job={quote(live)}")
        assert next(events) == ("hello", {"instance": world.address.instance})
        name, board = next(events)
        assert (name, board["whole"]) == ("board", True)
        assert {"fine", "live"} <= {job["name"] for job in board["jobs"]}
        sizes: list[int] = []
        ended = False
        while not ended:
            name, told = next(events)
            if name == "logs":
                sizes += [entry["size"] for entry in told["files"] if entry["name"] == "stdout.txt"]
                if sizes and sizes[-1] == 4:
                    (world.share / "go").touch()
            if name == "board":
                assert not told["whole"]
                assert all(job["name"] == "live" for job in told["jobs"])
                ended = any(job["state"] == "succeeded" for job in told["jobs"])
    assert 4 in sizes


def test_an_emulator_of_storage_alone_has_its_page(tmp_path: Path) -> None:
    settings = EmulatorSettings(home=tmp_path, engine="process", only="files")
    with closing(EmulatorServer(settings)) as server:
        visitor = Visitor(server.start())
        found = visitor.api("overview")
        assert (found["board"], found["emulator"]["only"]) == (None, "files")
        assert visitor.get("/ui/")[0] == 200
        assert visitor.api("engine")["problem"] == ""
        assert visitor.refused("job", id=CREW)[0] == 404
        assert visitor.change("job/delete", {"id": CREW})[0] == 404
