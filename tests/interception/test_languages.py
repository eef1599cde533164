"""Programs in other languages reach the emulator at Azure's addresses, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lacking import skip_for

if TYPE_CHECKING:
    from tests.interception.conftest import Command

PROGRAMS = Path(__file__).with_name("programs")
AZURE = "https://management.azure.com/metadata/endpoints?api-version=2015-01-01"
NODE = """\
https 200
agent 200
machine 200
fetch 200
other refused
other plain 403
other fetch refused
other socket refused
"""
JAVA = "url 200\nclient 200\nmachine 200\nother refused\n"


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        skip_for(program, f"there is no program {program}")
    return found


def test_node_of_any_age_goes_through_the_proxy_only(command: Command) -> None:
    node = needs("node")
    given = {"NODE_OPTIONS": "--no-warnings"}
    assert command("exec", "--engine", "process", "--", node, str(PROGRAMS / "looks.js"), env=given) == NODE


def test_node_in_a_home_whose_path_has_spaces(command: Command, tmp_path: Path) -> None:
    node = needs("node")
    command.home = tmp_path / "a home"
    told = command("exec", "--engine", "process", "--", node, "-p", "process.env.NODE_OPTIONS")
    assert "--require " in told


def test_java_goes_through_the_proxy_only(command: Command) -> None:
    java = needs("java")
    program = str(PROGRAMS / "Looks.java")
    done = command.start("exec", "--engine", "process", "--", java, program)
    out, err = done.communicate(timeout=120)
    if "Unable to locate" in err or "release version" in err:
        pytest.skip("this java runs no sources")
    assert (done.returncode, out) == (0, JAVA), err


@pytest.mark.parametrize(
    "program",
    [
        ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"),
        ("wget", "-q", "-O", "/dev/null", "--ca-certificate={ca}", "-S"),
    ],
)
def test_programs_for_the_shell(command: Command, program: tuple[str, ...]) -> None:
    needs(program[0])
    with_ca = " ".join(part.replace("{ca}", "$SSL_CERT_FILE") for part in program)
    text = f"{with_ca} '{AZURE}' && ! {with_ca} https://example.com/"
    command("exec", "--engine", "process", "--", "sh", "-c", text)


R = """
for (url in c("%s", "https://example.com/")) {
  cat(tryCatch(curl::curl_fetch_memory(url)$status_code, error = function(e) "refused"), "\n")
  handle <- curl::new_handle(useragent = "own")
  curl::handle_reset(handle)
  cat(tryCatch(curl::curl_fetch_memory(url, handle)$status_code, error = function(e) "refused"), "\n")
}
cat(mine, Sys.getenv("R_PROFILE_USER") != "", "\n")
"""


def test_r_goes_through_the_proxy_only_and_reads_the_users_profile(command: Command, tmp_path: Path) -> None:
    r = needs("Rscript")
    has_curl = subprocess.run([r, "-e", "library(curl)"], capture_output=True, check=False)
    if has_curl.returncode:
        skip_for("R's curl", "R has no package curl")
    (tmp_path / "own.R").write_text('mine <- "profile"\n')
    (tmp_path / "looks.R").write_text(R % AZURE)
    given = {"R_PROFILE_USER": str(tmp_path / "own.R")}
    told = command("exec", "--engine", "process", "--", r, str(tmp_path / "looks.R"), env=given)
    assert told.split() == ["200", "200", "refused", "refused", "profile", "TRUE"]


def test_go_goes_through_the_proxy_only(command: Command, tmp_path: Path) -> None:
    go = needs("go")
    environment = {"GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off", "HOME": str(tmp_path)}
    program = str(tmp_path / "looks")
    subprocess.run(
        [go, "build", "-o", program, str(PROGRAMS / "looks.go")],
        env={**os.environ, **environment},
        check=True,
    )
    assert command("exec", "--engine", "process", "--", program) == "200\n200\nrefused\n"


def test_ruby_goes_through_the_proxy_only(command: Command) -> None:
    ruby = needs("ruby")
    program = str(PROGRAMS / "looks.rb")
    assert command("exec", "--engine", "process", "--", ruby, program) == "200\n200\nrefused\n"


def test_the_hook_leaves_a_program_alone_that_has_no_proxy() -> None:
    node = needs("node")
    hook = Path(__file__).parents[2] / "backends" / "local" / "node_proxy.cjs"
    done = subprocess.run(
        [node, "--require", str(hook), "-p", "require('net').Socket.prototype.connect.name"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() != "connectSocket"  # as ours is called
