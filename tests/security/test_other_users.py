"""An emulator answers programs of its own user only, with credentials that are the home's own."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode, urlsplit

import pytest

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.control import environment
from batchai_scenario.backends.local.settings import own_credentials
from batchai_scenario.emulator.cluster.model import ClusterKey, LoginNode
from batchai_scenario.emulator.cluster.sshdoor import SshDoor
from batchai_scenario.emulator.errors import HomeDamaged
from batchai_scenario.emulator.gateway.connections import places
from batchai_scenario.emulator.gateway.peers import Peer, Peers
from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.services import _is_stranger
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.own import OwnCredentials
from batchai_scenario.scenarios.cli import main
from tests.cluster.conftest import WORKSPACE
from tests.cluster.test_logins import ACCOUNT
from tests.lacking import needs_root
from tests.security import other_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.server import Address

PROGRAM = Path(other_user.__file__)


def token(url: str, secret: str) -> tuple[int, str]:
    """Ask for a token with a password; gives status, and the token or what was said."""
    form = {
        "grant_type": "client_credentials",
        "client_id": development.CLIENT,
        "client_secret": secret,
        "resource": "https://management.azure.com/",
    }
    status, body = ask(url, "POST", f"/{development.TENANT}/oauth2/token", urlencode(form))
    return status, body.get("access_token", "") or body["error_description"]


def ask(
    url: str, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Send a request; gives status and JSON."""
    where = urlsplit(url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)) as line:
        line.request(method, path, body.encode() or None, headers or {})
        answer = line.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that has its folders."""
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture(params=[False, True], ids=["own", "published"])
def served(home: Home, request: pytest.FixtureRequest) -> Iterator[Address]:
    """An emulator, with the home's own credentials alone and with the published ones."""
    settings = EmulatorSettings(
        home.root, engine="process", development_credentials=request.param, https=request.param
    )
    with closing(EmulatorServer(settings)) as server:
        yield server.start()


@needs_root
def test_another_user_gets_401_whatever_it_knows(home: Home, served: Address) -> None:
    own = own_credentials(home.root)
    _, bearer = token(served.url, own.secret)
    told = {
        "token": bearer,
        "client": development.CLIENT,
        "secret": own.secret,
        "account": development.ACCOUNT,
        "key": own.account_key,
        "stop": served.stop_key,
        "page": f"scenario-ui-{served.port}={served.page_token}",
    }
    ports = [str(served.proxy_port), str(served.passthrough_port)]
    with _door(home) as door:
        done = _as_nobody({**told, "doors": [door]}, served.url, served.blob_url, served.https_url, *ports)
        assert {name: status for name, status in done.items() if status != 401} == {}
        assert other_user.knocked(door) == 200
    # The same requests are answered when the owner sends them.
    mine = {
        name: other_user.ask(served.url, way) for name, way in other_user.ways(told).items() if name != "stop"
    }
    known = {
        "nothing": 404,
        "page by token": 303,
        "page files": 404,
        "page upload": 403,  # it does not say whose page asks
        "page change": 403,
        "arm change": 201,
        "files anonymous": 401,
        "files preflight": 403,
        "host graph.windows.net": 401,  # that directory wants a token of its own
        "host evil.example": 421,
        "host [::1": 400,
    }
    assert {name: status for name, status in mine.items() if status != 200} == known


def _nowhere(*_: object) -> NoReturn:
    pytest.fail("somebody was let in")


@contextmanager
def _door(home: Home) -> Iterator[int]:
    """Open a door for ssh, as an emulator does for a node."""
    door = SshDoor(home.login_key, _nowhere, _nowhere, lambda _: True, _is_stranger)
    try:
        yield door.open(LoginNode(ClusterKey(WORKSPACE, "c"), "guid", "tvm-1"), ACCOUNT, 0)
    finally:
        door.close()


@needs_root
@pytest.mark.parametrize(("only", "host"), [("files", "127.0.0.1"), ("", "0.0.0.0")])
def test_another_user_gets_401_however_the_emulator_is_served(home: Home, only: str, host: str) -> None:
    own = own_credentials(home.root)
    told = {
        "token": "x",
        "client": development.CLIENT,
        "secret": own.secret,
        "account": development.ACCOUNT,
        "key": own.account_key,
        "stop": "x",
        "page": "x=y",
    }
    with closing(
        EmulatorServer(EmulatorSettings(home.root, engine="process", only=only, host=host))
    ) as server:
        served = server.start()
        told |= {"stop": served.stop_key, "page": f"scenario-ui-{served.port}={served.page_token}"}
        urls = [served.url, served.blob_url, ""]
        if host != "127.0.0.1":  # another address of this machine: containers reach such
            urls = [url.replace("127.0.0.1", "127.0.0.2") for url in urls]
        done = _as_nobody(told, *urls, str(served.proxy_port), str(served.passthrough_port))
        assert {name: status for name, status in done.items() if status != 401} == {}
        assert other_user.ask(urls[0], other_user.ways(told)["files"]) == 200
        assert other_user.ask(urls[0], other_user.ways(told)["page itself"]) == 200


@needs_root
def test_a_crowd_of_another_user_takes_no_place_of_the_owner(home: Home) -> None:
    number = min(places() // 6, 900)
    with closing(EmulatorServer(EmulatorSettings(home.root, engine="process"))) as server:
        served = server.start()
        run = "import sys; exec(compile(sys.argv.pop(1), 'other_user', 'exec'))"
        arguments = [sys.executable, "-c", run, PROGRAM.read_text(), "crowd"]
        arguments += [str(served.proxy_port), str(number)]
        with subprocess.Popen(arguments, stdin=-1, stdout=-1, text=True, cwd="/") as crowd:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == f"{number}\n"
            head = "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n"
            assert other_user.through(served.proxy_port, head) == 403
            crowd.communicate("go\n")


def _as_nobody(told: dict[str, Any], *arguments: str) -> dict[str, int]:
    """Run the program, whose text goes along: the other user may not be able to read this folder."""
    run = "import sys; exec(compile(sys.argv.pop(1), 'other_user', 'exec'))"
    done = subprocess.run(
        [sys.executable, "-c", run, PROGRAM.read_text(), *arguments],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@needs_root
def test_another_user_cannot_read_the_credentials(home: Home) -> None:
    file = home.credentials
    OwnCredentials.at(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@needs_root
def test_links_of_another_user_stop_no_sweep() -> None:
    """Whoever may not look behind a link in the folder for temporary files leaves it alone."""
    sweep = (
        "import os; from batchai_scenario.emulator.engines.nodes import drop_dangling_links as drop; "
        "os.seteuid(65534); print(drop())"
    )
    with tempfile.TemporaryDirectory() as folder:
        shared, shut = Path(folder) / "shared", Path(folder) / "shut"
        shut.mkdir(mode=0o700)
        shared.mkdir()
        for path, mode in ((Path(folder), 0o755), (shared, 0o1777)):
            path.chmod(mode)
        for number, owner in enumerate((0, 65534)):
            link = shared / f"scenario-{number}"
            link.symlink_to(shut / "x")
            os.lchown(link, owner, owner)
        variables = {**os.environ, "TMPDIR": str(shared)}
        done = subprocess.run(
            [sys.executable, "-c", sweep], env=variables, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("[]\n", "")
        assert len(list(shared.iterdir())) == 2


def test_published_credentials_are_known_only_where_that_was_asked_for(home: Home) -> None:
    for published, status in ((False, 401), (True, 200)):
        settings = EmulatorSettings(home.root, engine="process", development_credentials=published)
        with closing(EmulatorServer(settings)) as server:
            url = server.start().url
            found, said = token(url, development.SECRET)
            assert found == status
            assert ("--development-credentials" in said) is not published
            assert token(url, own_credentials(home.root).secret)[0] == 200
            for key, expected in (
                (development.ACCOUNT_KEY, status),
                (own_credentials(home.root).account_key, 200),
            ):
                headers = other_user.signed(development.ACCOUNT, key, "file")
                found = other_user.ask(url, ("GET", f"/{development.ACCOUNT}/?comp=list", headers, ""))
                assert found == (403 if expected == 401 else 200)
            secret = {"X-IDENTITY-HEADER": development.SECRET}
            assert ask(url, "GET", "/MSI/token?resource=x", "", secret)[0] == status


def test_every_home_has_credentials_of_its_own_and_keeps_them(tmp_path: Path) -> None:
    one, two = (OwnCredentials.at(tmp_path / name / "credentials.json") for name in ("one", "two"))
    assert one.secret != two.secret
    assert one.account_key != two.account_key
    assert OwnCredentials.at(tmp_path / "one" / "credentials.json") == one
    assert one.secret not in repr(one)
    assert one.account_key not in repr(one)


def test_env_prints_the_homes_own(home: Home, served: Address) -> None:
    assert served.url
    found = environment(home.root)
    assert found["AZURE_CLIENT_SECRET"] == own_credentials(home.root).secret
    assert found["AZURE_STORAGE_KEY"] == own_credentials(home.root).account_key


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"clientSecret": "x"}', '{"clientSecret": "", "accountKey": "eA=="}']
)
def test_credentials_that_cannot_be_read_are_named(home: Home, text: str) -> None:
    home.credentials.write_text(text)
    with pytest.raises(MachineError) as caught:
        own_credentials(home.root)
    assert str(home.credentials) in str(caught.value)
    assert "Delete it" in caught.value.remedy


def test_an_engine_that_was_chosen_is_the_only_one(home: Home) -> None:
    scope = "/subscriptions/s/resourceGroups/g"
    workspace = f"{scope}/providers/Microsoft.BatchAI/workspaces/w"
    cluster = {
        "properties": {
            "vmSize": "STANDARD_NC6",
            "scaleSettings": {"manual": {"targetNodeCount": 0}},
            "userAccountSettings": {"adminUserName": "me", "adminUserPassword": "secret"},
        }
    }
    version = "?api-version=2018-05-01"
    with closing(EmulatorServer(EmulatorSettings(home.root, engine="process"))) as server:
        url = server.start().url
        bearer = {"Authorization": f"Bearer {token(url, own_credentials(home.root).secret)[1]}"}
        for path in (scope, workspace):
            assert ask(url, "PUT", path + version, '{"location": "eastus"}', bearer)[0] in (200, 201)
        for engine, status in (("docker", 400), ("process", 202), ("auto", 202)):
            asked = {**bearer, "x-scenario-engine": engine}
            path = f"{workspace}/clusters/{engine}{version}"
            found, body = ask(url, "PUT", path, json.dumps(cluster), asked)
            assert found == status, body
            if status == 400:
                assert body["error"]["target"] == "x-scenario-engine"
                assert "started with the engine 'process'" in body["error"]["message"]


def test_a_home_that_was_open_to_others_is_closed_with_a_notice(home: Home) -> None:
    OwnCredentials.at(home.credentials)
    loose = {home.root: 0o755, home.database.parent: 0o777, home.storage: 0o750, home.credentials: 0o644}
    for path, mode in loose.items():
        path.chmod(mode)
    notices = home.make()
    assert {stat.S_IMODE(path.stat().st_mode) for path in loose} == {0o700, 0o600}
    assert len(notices) == len(loose)
    assert all(str(path) in "\n".join(notices) for path in loose)
    assert home.make() == []


def test_a_folder_that_users_share_is_no_home(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(HomeDamaged, match="SCENARIO_HOME"):
        Home(shared).make()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


@pytest.mark.parametrize(
    ("listens", "connects"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")]
)
@pytest.mark.parametrize("by_table", [False, True])
def test_the_kernel_tells_who_connected(listens: str, connects: str, by_table: bool) -> None:
    family = socket.AF_INET6 if ":" in listens else socket.AF_INET
    with socket.socket(family) as listener, closing(Peers()) as peers, closing(Peers(user=12345)) as others:
        if by_table:
            peers.close()
            others.close()
        listener.bind((listens, 0))
        listener.listen()
        with socket.create_connection((connects, listener.getsockname()[1])) as client:
            server, _ = listener.accept()
            with server:
                ends = server.getpeername(), server.getsockname()
                assert peers.between(*ends) is Peer.OWN
                assert others.between(*ends) is (Peer.OWN if os.geteuid() == 0 else Peer.OTHER)
                client.close()
                # Nobody holds it any more: the kernel then says root, which is not believed.
                assert peers.between(*ends) is Peer.OTHER


def test_of_other_machines_nothing_is_told() -> None:
    with closing(Peers()) as peers:
        assert peers.between(("192.0.2.7", 40000), ("192.0.2.1", 80)) is Peer.UNTOLD
        assert peers.between("", "/a/unix/socket") is Peer.UNTOLD


def test_a_run_makes_a_home_of_its_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "new" / "home"
    main(["--home", str(home), "run", "hello", "--backend", "memory"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home, home / "runs")} == {0o700}
    assert Home(home).make() == []
    assert "was open" not in capsys.readouterr().out
