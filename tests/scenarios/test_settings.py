"""Where a command's settings come from: flags, the environment, the settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.scenarios.commanding import Command


def test_flags_come_before_the_environment_and_that_before_the_file(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.home.mkdir()
    (command.home / "settings.yaml").write_text("backend: nofile\n")
    assert "'nofile'" in command("run", "hello", code=2)[0]
    monkeypatch.setenv("SCENARIO_BACKEND", "noenvironment")
    assert "'noenvironment'" in command("run", "hello", code=2)[0]
    assert "'noflag'" in command("run", "hello", "--backend", "noflag", code=2)[0]
    (command.home / "settings.yaml").write_text("engine: procses\n")
    local = ("run", "hello", "--backend", "local")
    assert f"'engine' in {command.home}/settings.yaml" in command(*local, code=2)[1]
    assert "'--engine'" in command(*local, "--engine", "x", code=2)[1]
    (command.home / "settings.yaml").write_text("bakend: x\n")
    assert "unknown setting 'bakend'" in command("list", code=2)[1]


def test_a_setting_that_the_chosen_backend_does_not_have_is_not_for_it(command: Command) -> None:
    command.home.mkdir()
    (command.home / "settings.yaml").write_text("backend: memory\nengine: process\n")
    assert "the memory backend has no program" in command("plan", "hello", code=2)[1]
    assert "--engine" not in command("run", "--help")[0]
    local = command.json("plan", "hello", "--backend", "local")["requests"]
    assert "process" in {request["headers"].get("x-scenario-engine") for request in local}
