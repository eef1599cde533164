"""A Docker engine of our own that knows CDI, with a made-up GPU specification: GPUs without a GPU.

The engine is this machine's, if it is new enough, else Debian 13's, unpacked beside it, with this machine's
containerd and runc; it has its own data folder and socket, and touches no network of the machine's. Its two
"GPUs" are /dev/zero and /dev/null.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
PACKAGE = "docker.io"
SMI = """#!/bin/sh
number=0
for device in /dev/nvidia[0-9]*; do
    [ -e "$device" ] || continue
    index=${device#/dev/nvidia}
    echo "$number, GPU-made-up-$index, Made-up $index, 9.0, 535.0"
    number=$((number + 1))
done
[ "$number" -gt 0 ]
"""
"""Lists the devices that a container has, in the form of ``nvidia-smi --query-gpu``."""


def knows_cdi(program: str) -> bool:
    """Tell whether a dockerd is of version 25 or newer."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.", said)
    return bool(found and int(found[1]) >= 25)


class CannotServeError(Exception):
    """There is no engine that knows CDI, or this machine does not let it run; says why."""


def programs(cache: Path, *, fetch: bool) -> str | None:
    """Give a PATH with a dockerd that knows CDI; None if there is none, and none may be fetched.

    Raises:
        CannotServeError: it was to be fetched, and could not be.
    """
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    here = shutil.which("dockerd", path=path)
    if here and knows_cdi(here):
        return path
    root = cache / "docker-of-trixie"
    if not root.exists():
        if not fetch or not (shutil.which("dpkg") and shutil.which("containerd", path=path)):
            return None
        _unpack(root)
    return f"{root}/usr/sbin:{path}"


def _unpack(root: Path) -> None:
    mirror = os.environ.get("SCENARIO_DEBIAN_MIRROR", MIRROR).split()[0]
    index = lzma.decompress(_read(f"{mirror}/dists/trixie/main/binary-amd64/Packages.xz"))
    begin = index.index(f"\nPackage: {PACKAGE}\n".encode())
    entry = index[begin : index.index(b"\n\n", begin)].decode()
    fields = dict(re.findall(r"^(Filename|SHA256): (.*)$", entry, re.MULTILINE))
    data = _read(f"{mirror}/{fields['Filename']}")
    if hashlib.sha256(data).hexdigest() != fields["SHA256"]:
        raise CannotServeError(f"{fields['Filename']} is not what the index says")
    draft = root.with_name(f"{root.name}.part")
    draft.mkdir(parents=True)
    (draft / "package.deb").write_bytes(data)
    subprocess.run(["dpkg", "-x", draft / "package.deb", draft], check=True)
    (draft / "package.deb").unlink()
    draft.rename(root)


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return bytes(answer.read())
    except OSError as error:
        raise CannotServeError(f"{url}: {error}") from error


def specify(folder: Path) -> None:
    """Write the specification, and the program that it mounts."""
    smi = folder / "nvidia-smi"
    smi.write_text(SMI)
    smi.chmod(0o755)
    nodes = [
        {"path": "/dev/nvidia0", "hostPath": "/dev/zero"},
        {"path": "/dev/nvidia1", "hostPath": "/dev/null"},
    ]
    mounts = [{"hostPath": str(smi), "containerPath": "/usr/bin/nvidia-smi", "options": ["ro", "bind"]}]
    devices = [
        {"name": str(index), "containerEdits": {"deviceNodes": [node]}} for index, node in enumerate(nodes)
    ]
    devices.append({"name": "all", "containerEdits": {"deviceNodes": nodes}})
    specification = {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "containerEdits": {"mounts": mounts},
        "devices": devices,
    }
    (folder / "cdi").mkdir()
    (folder / "cdi" / "nvidia.json").write_text(json.dumps(specification))


@contextmanager
def serving(folder: Path, path: str) -> Iterator[str]:
    """Run the engine; gives what ``DOCKER_HOST`` is to be."""
    specify(folder)
    configuration = {"features": {"cdi": True}, "cdi-spec-dirs": [str(folder / "cdi")]}
    (folder / "daemon.json").write_text(json.dumps(configuration))
    places = {"--data-root": "data", "--exec-root": "run", "--pidfile": "pid", "--config-file": "daemon.json"}
    flags = [text for flag, name in places.items() for text in (flag, str(folder / name))]
    alone = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(
            # In a network of its own: an engine without the default bridge deletes the one that it finds.
            ["unshare", "--net", "dockerd", *flags, "-H", f"unix://{folder}/socket", *alone],
            env={**os.environ, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            if (folder / "socket").exists() and "API listen" in (folder / "log").read_text():
                break
            if engine.poll() is not None:
                last = (folder / "log").read_text().splitlines()[-1:]
                raise CannotServeError(f"the second engine did not start: {' '.join(last)}")
            time.sleep(0.1)
        yield f"unix://{folder}/socket"
    finally:
        engine.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            engine.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()
