"""File systems that users' commands mount, as volumes of the engine's own.

The command is read, and the engine mounts what it says. The volumes have no names: they go with their
containers, and are mounted as long as these run.
"""

from __future__ import annotations

import getopt
import re
import shlex
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.labels import LABEL_HOME, is_orphan
from batchai_scenario.emulator.engines.unmanaged import not_mounted
from batchai_scenario.emulator.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker.errors import APIError

    from batchai_scenario.emulator.engines.base import Swept
    from batchai_scenario.emulator.engines.docker.api import Api
    from batchai_scenario.emulator.launch.plan import CommandMount
    from batchai_scenario.emulator.state.home import Home

_SHELL = re.compile(r"[;&|<>`$()\n]")
_OF_PROGRAMS = re.compile(r"_netdev|defaults|(no)?auto|nofail|[bf]g|nouser|retry=.*")
"""Options that mount(8) and its helpers keep to themselves."""

_NOWHERE = re.compile(r"loop(=.*)?|cred(ential)?s?=.*")
_TAKES = "the Docker engine does what 'mount -t KIND [-o OPTIONS] DEVICE' or 'mount --bind FOLDER' says"
_LONG = ["types=", "options=", "read-only", "rw", "read-write", "bind", "rbind"]
_WORDS = {
    **dict.fromkeys(("-r", "--read-only"), "ro"),
    **dict.fromkeys(("-w", "--rw", "--read-write"), "rw"),
    **dict.fromkeys(("-B", "--bind"), "bind"),
    **dict.fromkeys(("-R", "--rbind"), "rbind"),
}
_BESIDE = ".nothing-has-this-name"


def mount_refusal(command: str) -> str:
    """Say why the engine cannot mount what a command mounts, and the way out; empty: it may be tried."""
    try:
        volume_options(command)
    except ValueError as error:
        return str(error)
    return ""


def volume_options(command: str) -> dict[str, str]:
    """Read a command line of mount as the options of the engine's ``local`` driver.

    Raises:
        ValueError: it says something else; with the way out.
    """
    kind, device, options = _read(command)
    for option in options:
        if _NOWHERE.fullmatch(option):
            raise _other(f"without {option.partition('=')[0]}")
    bound = {"bind", "rbind"}.intersection(options)
    if bound and not device.startswith("/"):
        raise _other("with the whole path of the folder")
    if not kind and not bound:
        raise _other("with its kind")
    if device == "none":
        device = kind  # only a name; of "none" the engine believes that it is mounted already
    options = [option for option in options if not _OF_PROGRAMS.fullmatch(option)]
    if kind in ("nfs", "nfs4", "cifs", "smb3"):
        device = _remote(kind, device, options)
    found = {"type": "none" if bound else kind, "device": device, "o": ",".join(options)}
    return {name: value for name, value in found.items() if value}


def _read(command: str) -> tuple[str, str, list[str]]:
    """Take a command line of mount apart: kind, device, options."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"it is no command: {error}") from None
    if words[:1] == ["sudo"]:
        del words[0]
    program, _, kind = (words[0] if words else "").rpartition("/")[2].partition(".")
    if program != "mount" or _SHELL.search(command):
        raise _other("in one line without more")
    try:
        given, rest = getopt.gnu_getopt(words[1:], "t:o:rwBR", _LONG)
    except getopt.GetoptError as error:
        raise _other(error.msg) from None
    if len(rest) != 1:
        raise _other("with one device")
    options = []
    for name, value in given:
        if name in ("-t", "--types"):
            kind = value
        else:
            options += value.split(",") if name in ("-o", "--options") else [_WORDS[name]]
    return kind, rest[0], options


def _remote(kind: str, device: str, options: list[str]) -> str:
    """Add a server's address to options, as mount's helpers do; give the device as the kernel reads it."""
    if kind.startswith("nfs"):
        host, found, path = device.rpartition(":/")
        device = f":/{path}"
    else:
        host, found, _ = device.removeprefix("//").partition("/")
    if not found or not host:
        example = "SERVER:/FOLDER" if kind.startswith("nfs") else "//SERVER/SHARE"
        raise _other(f"with a device such as {example}")
    if not any(option.startswith("addr=") for option in options):
        options.append(f"addr={host.strip('[]')}")
    return device


def _other(what: str) -> ValueError:
    return ValueError(f"{_TAKES}, {what}; for other commands take the process engine")


def volume_mounts(mounts: Sequence[CommandMount], marks: Mapping[str, str]) -> list[Any]:
    """Give what commands mount as docker's client takes it; ``marks``: the labels of the volumes.

    Raises:
        EngineError: a command says something that the engine cannot do.
    """
    from docker import types

    found = []
    for mount in mounts:
        try:
            driver = types.DriverConfig("local", volume_options(mount.command))
        except ValueError as error:
            raise EngineError(not_mounted([mount.name], str(error), mount.command)) from None
        where, own = str(mount.target), dict(marks)
        found.append(types.Mount(where, None, type="volume", driver_config=driver, labels=own, no_copy=True))
    return found


def try_mounts(api: Api, mounts: Sequence[CommandMount], marks: Mapping[str, str]) -> None:
    """Have the engine mount each for a container that is never started, of any image that is there.

    Where the engine has no image at all, the first container tells.

    Raises:
        EngineError: one cannot be mounted.
    """
    image = next((found["Id"] for found in api.images()), None)
    for mount in mounts if image else ():
        _try_mount(api, mount, marks, str(image))


def _try_mount(api: Api, mount: CommandMount, marks: Mapping[str, str], image: str) -> None:
    from docker.errors import APIError, NotFound

    host = api.create_host_config(mounts=volume_mounts([mount], marks), network_mode="none")
    made = api.create_container(image, ["/"], labels=dict(marks), host_config=host)
    try:
        api.get_archive(made["Id"], f"{mount.target}/{_BESIDE}")
    except NotFound:  # all is mounted before that is looked for
        return
    except APIError as error:
        raise refused_mount([mount], error) or error from error
    finally:
        api.remove_container(made["Id"], v=True, force=True)


def refused_mount(mounts: Sequence[CommandMount], error: APIError) -> EngineError | None:
    """Make our error of the engine's refusal to mount; None if it refused something else.

    Only the last of its words is told: the others hold the options, and so a password.
    """
    text = str(error.explanation or error).strip()
    if not mounts or ("mount local volume" not in text and "mounting volume" not in text):
        return None
    commands = "\n".join(mount.command for mount in mounts)
    return EngineError(not_mounted([mount.name for mount in mounts], text.rpartition(": ")[2], commands))


def sweep_volumes(api: Api, home: Home, keep: frozenset[str], swept: Swept) -> None:
    """Remove volumes that belong to nobody: somebody else removed their containers."""
    for volume in api.volumes(filters={"label": [LABEL_HOME]}).get("Volumes") or ():
        if is_orphan(volume.get("Labels") or {}, home, keep):
            with swept.trying(f"volume {volume['Name']}"):
                api.remove_volume(volume["Name"])
