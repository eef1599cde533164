"""The variables, written for shells and for programs."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends import local
from batchai_scenario.scenarios.cli.shells import assignments
from tests.lacking import skip_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.interception.conftest import Command, Intercepting

NASTY = {"PLAIN": "a b", "NASTY": "it's \"quoted\" \\ $HOME `x` \\' end"}


@pytest.mark.parametrize("shell", ["sh", "bash", "fish", "pwsh"])
def test_shells_read_them_as_they_were(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        skip_for(shell, f"there is no program {shell}")
    lines = [*assignments(NASTY, ["GONE"], program), 'printf "%s\\n" "$PLAIN" "$NASTY" "[$GONE]"']
    if shell == "pwsh":
        lines[-1] = 'Write-Output $env:PLAIN $env:NASTY "[$env:GONE]"'
    done = subprocess.run(
        [program, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
        env={"GONE": "x", "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.splitlines() == [*NASTY.values(), "[]"]


def test_the_form_of_shells_that_are_not_here() -> None:
    assert list(assignments({"A": "it's \\"}, ["B"], "/usr/bin/fish")) == [
        "set -e B",
        "set -gx A 'it\\'s \\\\'",
    ]
    assert list(assignments({"A": "it's"}, ["B"], "powershell")) == [
        "Remove-Item Env:B -ErrorAction Ignore",
        "$env:A = 'it''s'",
    ]


def test_env_says_what_exec_sets(command: Command) -> None:
    serving = command.start("serve", "--engine", "process")
    try:
        assert serving.stdout is not None
        serving.stdout.readline()
        printed = json.loads(command("env", "--json"))
        set_ = dict(line.split("=", 1) for line in command("exec", "--", "env").splitlines() if "=" in line)
        assert {name: set_.get(name) for name in printed} == printed
        evaluated = subprocess.run(
            ["sh", "-c", f"{command('env')}\nenv"], capture_output=True, text=True, check=True, env={}
        ).stdout
        assert f"HTTPS_PROXY={printed['HTTPS_PROXY']}\n" in evaluated
        through = json.loads(command("env", "--json", "--passthrough"))
        assert through["HTTPS_PROXY"] != printed["HTTPS_PROXY"]
        assert through["NODE_EXTRA_CA_CERTS"] == printed["NODE_EXTRA_CA_CERTS"]
        direct = json.loads(command("env", "--json", "--direct"))
        assert direct["AZURE_RESOURCE_MANAGER"].startswith("http://127.0.0.1:")
        assert "HTTPS_PROXY" not in direct
        assert "FileEndpoint=http://127.0.0.1:" in direct["SCENARIO_STORAGE_CONNECTION_STRING"]
        assert_samples_find_them(command, printed)
    finally:
        serving.terminate()
        serving.communicate(timeout=20)
    assert "emulator serve" in command("env", code=3)


def assert_samples_find_them(command: Command, printed: dict[str, str]) -> None:
    """Every name that public samples read holds what they expect, and so does the file of the fluent SDKs."""
    for name, same in {
        "CLIENT_ID": "AZURE_CLIENT_ID",
        "APPLICATION_SECRET": "AZURE_CLIENT_SECRET",
        "CLIENT_SECRET": "AZURE_CLIENT_SECRET",
        "DOMAIN": "AZURE_TENANT_ID",
        "TENANT_ID": "AZURE_TENANT_ID",
        "SUBSCRIPTION_ID": "AZURE_SUBSCRIPTION_ID",
        "ARM_CLIENT_ID": "AZURE_CLIENT_ID",
        "ARM_CLIENT_SECRET": "AZURE_CLIENT_SECRET",
        "ARM_TENANT_ID": "AZURE_TENANT_ID",
        "ARM_SUBSCRIPTION_ID": "AZURE_SUBSCRIPTION_ID",
    }.items():
        assert printed[name] == printed[same], name
    assert printed["AZURE_CLIENT_SECRET"].isalnum()  # "az login -p -x..." takes it for an option
    file = command.home / "emulator" / "sdk-auth.json"
    assert (printed["AZURE_AUTH_LOCATION"], file.stat().st_mode & 0o777) == (str(file), 0o600)
    held = json.loads(file.read_text())
    for name in ("clientId", "clientSecret", "tenantId", "subscriptionId"):
        assert held[name] == printed[f"AZURE_{name[:-2].upper()}_ID" if name[-1] == "d" else "CLIENT_SECRET"]
    theirs = {
        "DOMAIN": "example.com",
        "CLIENT_ID": "of-the-real-cloud",
        "AZURE_AUTH_LOCATION": "/of/the/real",
    }
    set_ = dict(
        line.split("=", 1) for line in command("exec", "--", "env", env=theirs).splitlines() if "=" in line
    )
    assert set_["DOMAIN"] == "example.com"
    assert (set_["CLIENT_ID"], set_["AZURE_AUTH_LOCATION"]) == (printed["CLIENT_ID"], str(file))


def test_a_program_that_lets_others_through_trusts_them_and_us(
    intercepting: Intercepting, tmp_path: Path
) -> None:
    own = tmp_path / "own.pem"
    own.write_text("OWN\n")
    home, address = intercepting.home, intercepting.address
    first = local.interception(home, address, {"SSL_CERT_FILE": str(own)}, passthrough=True)
    bundle = first["REQUESTS_CA_BUNDLE"]
    text = intercepting.certificate.read_text()
    with open(bundle) as file:  # noqa: PTH123 - a name from a variable
        assert file.read() == f"{text}\nOWN\n"
    again = local.interception(home, address, first, passthrough=True)  # inside such a program
    assert again["REQUESTS_CA_BUNDLE"] == bundle
    with open(bundle) as file:  # noqa: PTH123 - a name from a variable
        content = file.read()
    assert content.count("BEGIN CERTIFICATE") > 10
    assert content.startswith(text)
    alone = local.interception(home, address, first)
    assert alone["SSL_CERT_FILE"] == str(intercepting.certificate)
