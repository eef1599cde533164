"""Toolkits: from a job's settings to the command line that its node's shell runs.

How the service composed its command lines was never published; what stands here is what its recipes and
their logs show. Values such as ``$AZ_BATCHAI_INPUT_SAMPLE/ConvNet_MNIST.py`` are expanded by the shell on
the node, so a command is shell text and the settings' texts go into it as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.launch.layout import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Compose = Callable[[Mapping[str, Any], str], str]


def _text(settings: Mapping[str, Any], name: str) -> str:
    return str(settings.get(name) or "").strip()


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _path(text: str) -> str:
    """Quote a path for the shell unless it is quoted already; variables in it still expand."""
    plain = all(letter.isalnum() or letter in "$_{}/.-+:@%,~" for letter in text)
    return text if plain or any(mark in text for mark in "'\"\\`") else f'"{text}"'


def cntk_language(settings: Mapping[str, Any], target: str) -> str:
    """Give ``Python`` or ``BrainScript``: what languageType says, else what the given path says.

    Raises:
        ServiceError: if the two contradict each other, or neither or both paths are given.
    """
    script, config = _text(settings, "pythonScriptFilePath"), _text(settings, "configFilePath")
    if bool(script) == bool(config):
        raise refuse(
            f"{target}.pythonScriptFilePath", "give exactly one of pythonScriptFilePath and configFilePath"
        )
    language = "Python" if script else "BrainScript"
    stated = _text(settings, "languageType")
    if stated and stated.lower() != language.lower():
        raise refuse(f"{target}.languageType", f"'{stated}' does not fit the path that is given ({language})")
    return language


def _cntk(settings: Mapping[str, Any], target: str) -> str:
    processes = settings.get("processCount")
    if processes not in (None, 1):
        raise refuse(f"{target}.processCount", "more than one process is not emulated")
    arguments = _text(settings, "commandLineArgs")
    if cntk_language(settings, target) == "Python":
        interpreter = _text(settings, "pythonInterpreterPath") or "python"
        return _join(interpreter, _path(_text(settings, "pythonScriptFilePath")), arguments)
    return _join("cntk", f"configFile={_path(_text(settings, 'configFilePath'))}", arguments)


def _custom(settings: Mapping[str, Any], target: str) -> str:
    command = str(settings.get("commandLine") or "")
    if not command.strip():
        raise refuse(f"{target}.commandLine", "the command line is empty")
    return command


_COMPOSE: dict[str, tuple[str, Compose]] = {
    "cntkSettings": ("cntk", _cntk),
    "customToolkitSettings": ("custom", _custom),
}


def toolkit_command(definition: Mapping[str, Any]) -> tuple[str, str]:
    """Give (tool type, shell command) of a job's definition.

    Raises:
        ServiceError: if there is not exactly one toolkit's settings, the toolkit is not emulated, or its
            settings cannot be used; the property is named.
    """
    given = [name for name, value in definition.items() if name.endswith("Settings") and value is not None]
    given = [name for name in given if name not in ("containerSettings", "userAccountSettings")]
    if len(given) != 1:
        raise refuse("properties", f"exactly one toolkit's settings are needed, found {len(given)}: {given}")
    name = given[0]
    if name not in _COMPOSE:
        target = f"properties.{name}"
        raise ServiceError(400, "PropertyNotSupported", f"{target} is not emulated yet", target=target)
    tool, compose = _COMPOSE[name]
    command = compose(definition[name], f"properties.{name}")
    if "\0" in command:
        raise refuse(f"properties.{name}", "the command holds a NUL character")
    return tool, command
