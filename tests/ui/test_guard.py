"""Who may see the page, and what a browser is told about it."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import batchai_scenario.emulator.ui as room
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings

if TYPE_CHECKING:
    from tests.ui.world import Visitor, World

ROOM = Path(room.__file__).parent


def stranger(world: World, path: str, **headers: str) -> tuple[int, str]:
    """Ask without a cookie of ours; gives status and body."""
    url = urlsplit(world.address.url)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)) as line:
        line.request("GET", path, headers=given)
        answer = line.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    "path", ["/ui", "/ui/", "/ui?token=wrong", "/ui/job", "/ui/static/ui.css", "/ui/nothing"]
)
def test_without_the_token_a_page_is_refused_with_a_sentence(world: World, path: str) -> None:
    status, body = stranger(world, path)
    assert status == 403
    assert "'scenario ui' opens it" in body.replace("&#39;", "'")
    assert str(world.home.root) not in body


def test_without_the_token_the_interface_is_refused_with_a_sentence(world: World) -> None:
    for cookie in ("", "scenario-ui-1=x", f"scenario-ui-{world.address.port}=wrong", "\xff;=;;a"):
        status, body = stranger(world, "/ui/api/overview", Cookie=cookie)
        assert (status, json.loads(body)["error"]["code"]) == (403, "AuthorizationFailed"), cookie
    status, _ = stranger(world, f"/ui/api/overview?token={world.address.page_token}")
    assert status == 403  # the address opens the page, and nothing else


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_have(visitor: Visitor) -> None:
    assert {"HttpOnly", "SameSite=Strict", "Path=/ui"} <= set(visitor.set_cookie.split("; "))
    assert visitor.get("/ui/")[0] == 200
    assert visitor.get("/ui")[0] == 303  # relative addresses need the slash


def test_a_page_of_another_origin_changes_and_reads_nothing(world: World, visitor: Visitor) -> None:
    body = json.dumps({"id": world.fine}).encode()
    own = f"http://{visitor.url.netloc}"
    port = visitor.url.port or 0
    for headers in (
        {},
        {"Origin": "http://evil.example"},
        {"Origin": f"http://127.0.0.1:{port + 1}"},
        {"Origin": "null"},
        {"Origin": own, "Sec-Fetch-Site": "cross-site"},
        {"Origin": own, "Sec-Fetch-Site": "same-site"},
    ):
        status, _, said = visitor.send("POST", "/ui/api/job/delete", body, headers)
        assert (status, "another origin" in said.decode()) == (403, True), headers
        if headers:
            assert visitor.get("/ui/api/overview", headers)[0] == 403, headers
    assert world.ask("GET", world.fine)["name"] == "fine"
    assert visitor.get("/ui/api/overview", {"Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_name_that_somebody_made_point_here_is_refused(visitor: Visitor, host: str) -> None:
    assert visitor.get("/ui/", {"Host": host})[0] == 421
    assert visitor.get("/ui/api/overview", {"Host": host})[0] == 421


def test_the_page_is_no_accounts_and_no_host_of_azures(world: World, visitor: Visitor) -> None:
    status, _, body = visitor.get("/ui/", {"Host": "management.azure.com"})
    assert (status, b"Overview" in body) == (404, False)
    status, _, body = visitor.get("/ui/", {"Host": "account.file.core.windows.net"})
    assert (status == 200, b"Overview" in body) == (False, False)
    blob = urlsplit(world.address.blob_url)
    with closing(http.client.HTTPConnection(blob.hostname or "", blob.port, timeout=20)) as line:
        line.request("GET", "/ui/", headers={"Cookie": visitor.cookie})
        assert line.getresponse().status == 404


def test_pages_and_answers_carry_a_strict_policy(world: World, visitor: Visitor) -> None:
    for path in ("/ui/", "/ui/static/base.js", "/ui/api/overview"):
        _, headers, _ = visitor.get(path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"https?:", policy) == []
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    path = f"/ui/api/job/file?id={world.fine}&directory=stdouterr&path=stdout.txt"
    _, headers, body = visitor.get(path)
    assert b"<script>" in body
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"].startswith("sandbox")


def test_nothing_of_the_page_leads_to_another_machine() -> None:
    files = [file for folder in ("static", "templates") for file in (ROOM / folder).iterdir()]
    assert len(files) > 10
    for file in files:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"(?:https?:)?//[a-z]", re.sub(r"(?m)^\s*//.*$|\s// .*$", "", text)) == [], (
            file.name
        )
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            file.name
        )
        assert not re.search(r"<[^>]+ (style|on\w+)=", text), file.name  # the policy would forbid it


@pytest.mark.parametrize(
    "path", ["static/../page.py", "static/%2e%2e/page.py", "static/page.py", "static/x.js", "static/a%00.js"]
)
def test_only_the_pages_own_files_are_given(visitor: Visitor, path: str) -> None:
    assert visitor.get(f"/ui/{path}")[0] == 404


def test_the_token_of_a_home_outlives_its_emulator(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(2):
        with closing(EmulatorServer(EmulatorSettings(home=tmp_path, engine="process"))) as server:
            tokens.add(server.start().page_token)
    with closing(EmulatorServer(EmulatorSettings(home=tmp_path / "other", engine="process"))) as server:
        tokens.add(server.start().page_token)
    assert len(tokens) == 2  # the page comes back; another home's is another
    assert all(len(token) == 40 for token in tokens)


def test_the_emulators_log_does_not_hold_the_token(world: World, visitor: Visitor) -> None:
    visitor.get(f"/ui/api/nothing?token={world.address.page_token}")
    log = world.home.log.read_text()
    assert "/ui/api/nothing 404" in log
    assert world.address.page_token not in log
