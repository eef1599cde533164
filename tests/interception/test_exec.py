"""Programs that know only Azure's addresses, run through the command line with nothing changed in them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends import local
from batchai_scenario.emulator.identity import development
from tests.interception.conftest import PROGRAMS
from tests.lacking import NODE, needs_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interception.conftest import Command

STREAMS = (
    "https://batchaidevelopment.file.core.windows.net/training/72f9a100-0000-4000-8000-ba7c4a100003/mygroup"
    "/workspaces/myworkspace/experiments/digits"
)
EXEC = ("exec", "--engine", "process", "--")


def until_unserved(home: Path) -> None:
    deadline = time.monotonic() + 20
    while local.status(home).serving:
        assert time.monotonic() < deadline, "the emulator outlived its command"
        time.sleep(0.05)


@pytest.mark.usefixtures("exercise_process")
def test_a_quickstart_runs_to_its_last_line(command: Command) -> None:
    out = command(*EXEC, sys.executable, str(PROGRAMS / "quickstart.py"))
    assert out.splitlines() == [
        "cluster mycluster succeeded",
        "job succeeded 0",
        f"link {STREAMS}",
        "learning",
        "3",
        "gone True",
    ]
    until_unserved(command.home)


def test_clients_of_each_kind_find_their_way(command: Command) -> None:
    """One emulator for all: it serves until the last line of the script."""
    script = "; ".join(
        f"{sys.executable} {PROGRAMS / name}"
        for name in ("plain_requests.py", "async_share.py", "machine_identity.py")
    )
    out = command(*EXEC, "sh", "-ec", script)
    assert out.splitlines() == [
        "72f9a100-0000-4000-8000-ba7c4a100003 Enabled True True",
        "same True",
        "listed ['big.bin']",
        "token 2",
    ]


@pytest.mark.usefixtures("exercise_process")
def test_the_backend_azure_takes_the_emulator_for_azure(command: Command) -> None:
    script = (
        "export AZURE_STORAGE_ACCOUNT=$SCENARIO_STORAGE_ACCOUNT AZURE_STORAGE_KEY=$SCENARIO_STORAGE_KEY; "
        f"exec {sys.executable} -m scenarios run hello --backend azure --json"
    )
    out = command(*EXEC, "sh", "-ec", script, env={"AZURE_POLL_SECONDS": "0.1"})
    assert '"succeeded"' in out.splitlines()[-1]


@needs_program("curl")
def test_curl(command: Command) -> None:
    url = "https://management.chinacloudapi.cn/metadata/endpoints?api-version=2015-01-01"
    described = json.loads(command(*EXEC, "curl", "-sSf", url))
    assert described["authentication"]["loginEndpoint"] == "https://login.chinacloudapi.cn/"
    refused = command(*EXEC, "curl", "-sS", "https://example.com/", code=56)
    assert "403" in refused


@needs_program("node", NODE)
def test_node(command: Command) -> None:
    assert command(*EXEC, "node", str(PROGRAMS / "fetch.mjs")) == "200 https://gallery.azure.com/\n"


def test_exit_codes_are_the_commands_own(command: Command, tmp_path: Path) -> None:
    assert command(*EXEC, "sh", "-c", "exit 7", code=7) == ""
    assert "nowhere" in command(*EXEC, "nowhere", code=127)
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert "ermission denied" in command(*EXEC, str(plain), code=126)
    until_unserved(command.home)


def test_a_signal_reaches_the_command_and_ends_the_emulator(command: Command) -> None:
    script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    process = command.start(*EXEC, "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    served = local.status(command.home)
    assert served.serving
    assert served.pid != process.pid
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == ("caught\n", 9)
    until_unserved(command.home)


def test_a_killed_command_takes_the_emulator_with_it(command: Command) -> None:
    process = command.start(*EXEC, "sh", "-c", "echo ready; exec sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    until_unserved(command.home)


def test_the_emulator_stays_for_a_second_command(command: Command) -> None:
    wait = "echo ready; read line"
    first = subprocess.Popen(
        [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", *EXEC, "sh", "-c", wait],
        env=command.variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline() == "ready\n"
    served = local.status(command.home)
    second = command.start(*EXEC, "sh", "-c", "echo $HTTPS_PROXY; exec sleep 600")
    try:
        assert second.stdout is not None
        assert second.stdout.readline().startswith("http://127.0.0.1:")
        first.communicate("go on\n", timeout=20)
        time.sleep(0.5)  # long enough for an emulator that only minds its first command to be gone
        assert local.status(command.home).pid == served.pid
    finally:
        second.kill()
        second.communicate(timeout=20)
    until_unserved(command.home)


def test_an_emulator_that_serves_is_used_and_stays(command: Command) -> None:
    serving = command.start("serve", "--engine", "process", "--account", "mine:bXkga2V5")
    try:
        assert serving.stdout is not None
        serving.stdout.readline()
        pid = local.status(command.home).pid
        command("exec", "--account", "mine:bXkga2V5", "--", "true")
        unknown = command("exec", "--client", "someone:secret", "--", "true", code=2)
        assert "does not know someone" in unknown
        assert "secret'" not in unknown
        command("exec", "--engine", "process", "--", "true")
        other = command("exec", "--engine", "docker", "--", "true", code=2)
        assert "--engine process, not docker" in other
        assert local.status(command.home).pid == pid
    finally:
        serving.terminate()
        serving.communicate(timeout=20)


def test_credentials_of_the_real_cloud_are_not_handed_on(command: Command) -> None:
    real = {"AZURE_CLIENT_SECRET": "real", "AZURE_AUTHORITY_HOST": "login.example", "IDENTITY_HEADER": "x"}
    out = command(*EXEC, "env", env={**real, "AZURE_CONFIG_DIR": "/my/own"})
    found = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    own = json.loads((command.home / "emulator" / "credentials.json").read_text())
    assert found["AZURE_CLIENT_SECRET"] == own["clientSecret"]
    assert own["clientSecret"] not in {"real", development.SECRET}
    assert found["AZURE_CONFIG_DIR"] == "/my/own"
    assert "AZURE_AUTHORITY_HOST" not in found
    assert "IDENTITY_HEADER" not in found


@pytest.mark.parametrize("where", ["flag", "environment", "file", "settings"])
def test_given_credentials_are_known(command: Command, where: str) -> None:
    program = (
        "import os, requests; from azure.storage.file import FileService\n"
        "FileService('mine', 'bXkga2V5').create_share('share')\n"
        "form = {'grant_type': 'client_credentials', 'client_id': 'me', 'client_secret': 'se:cret'}\n"
        "where = 'https://login.microsoftonline.com/contoso.com/oauth2/token'\n"
        "print(requests.post(where, form).status_code)\n"
    )
    run = ("--", sys.executable, "-c", program)
    if where == "flag":
        out = command("exec", "--account", "mine:bXkga2V5", "--client", "me:se:cret", *run)
    elif where == "environment":
        given = {"SCENARIO_ACCOUNT": "other:bXkga2V5 mine:bXkga2V5", "SCENARIO_CLIENT": "me:se:cret"}
        out = command("exec", *run, env=given)
    elif where == "file":
        command.home.mkdir(mode=0o700)
        (command.home / "accounts").write_text("# ours\n\nother:bXkga2V5\nmine:bXkga2V5\n")
        (command.home / "clients").write_text("me:se:cret\n")
        files = ("--account", f"@{command.home / 'accounts'}", "--client", f"@{command.home / 'clients'}")
        out = command("exec", *files, *run)
    else:
        command.home.mkdir(mode=0o700)
        (command.home / "settings.yaml").write_text("account: mine:bXkga2V5\nclient:\n  - me:se:cret\n")
        out = command("exec", *run)
    assert out == "200\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--account", "x:bXk="), "NAME:KEY"),
        (("--account", "abc"), "NAME:KEY"),
        (("--account", "abc:hunter2!"), "not base64"),
        (("--account", "blob:aHVudGVyMg=="), "take another name"),
        (("--client", "abc"), "ID:SECRET"),
        (("--client", "@/nowhere/hunter"), "cannot be read"),
        (("--client", ":hunter2!"), "ID:SECRET"),
    ],
)
def test_credentials_that_cannot_be_read_are_refused_without_showing_them(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    for verb in (("exec", *arguments, "--", "true"), ("serve", *arguments)):
        out = command(*verb, code=2)
        assert said in out
        assert "hunter2" not in out


def test_other_hosts_are_let_through_on_demand_only(command: Command, tmp_path: Path) -> None:
    """A server at a name that is not known to be this machine's own: let through, and else refused."""
    (tmp_path / "page.txt").write_text("from elsewhere")
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split(" port ")[1].split()[0]
            program = (
                "import os, requests; os.environ.pop('NO_PROXY'); os.environ.pop('no_proxy')\n"
                f"answer = requests.get('http://127.1:{port}/page.txt')\n"
                "print(answer.status_code, answer.text.strip())\n"
            )
            run = ("--", sys.executable, "-c", program)
            assert command("exec", "--passthrough", *run) == "200 from elsewhere\n"
            assert "403 " in command("exec", *run)
        finally:
            server.kill()


def test_a_command_is_asked_for(command: Command) -> None:
    assert "COMMAND" in command("exec", code=2)
    assert not command.home.exists()
