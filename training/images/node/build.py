"""Builds what stands for a node's own system: a Debian with what the service's Ubuntu and its Data Science VM had.

python build.py --tag TAG [--json] [--no-registry] [--force]

Jobs without a container ran there, and their programs call Python, pip, a compiler, MPI, git, ssh and the like.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from training.images.builder import ImageRecipe, main

_PACKAGES = (
    "ca-certificates",
    "curl",
    "gcc",
    "git",
    "iproute2",
    "iputils-ping",
    "libc6-dev",
    "libopenmpi-dev",
    "make",
    "openmpi-bin",
    "openssh-client",
    "openssh-server",
    "procps",
    "python-is-python3",
    "python3",
    "python3-dev",
    "python3-pip",
    "python3-venv",
    "sudo",
    "unzip",
    "wget",
)

# pip installs into the system, as it did in 2018; sudo asks nobody; host keys are each job's own.
_FINISH = (
    "rm -f /usr/lib/python3*/EXTERNALLY-MANAGED /etc/ssh/ssh_host_*; mkdir -p /run/sshd; "
    'echo "%sudo ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/scenario'
)

RECIPE = ImageRecipe(
    name="node",
    summary="What stands for a node's own system, for jobs that name no container",
    base="debian:bookworm-slim",
    suite="bookworm",
    packages=_PACKAGES,
    finish=_FINISH,
)

if __name__ == "__main__":
    main(RECIPE)
