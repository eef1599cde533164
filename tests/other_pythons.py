"""Runs the tests that depend on the interpreter, unless the whole suite runs on this version already.

    python other_pythons.py NOTE [pytest's arguments]

``NOTE`` is a file with the version that the whole suite ran on last: ``3.13``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEPEND = ("state", "launch", "front", "scenarios", "training", "interception", "backends", "toolkits")
"""Folders of tests: streams, processes, TLS, archives, imports, typing at run time."""


def main(note: str, *arguments: str) -> int:
    """Run them; gives the exit code."""
    version = "{}.{}".format(*sys.version_info)
    if Path(note).is_file() and Path(note).read_text() == version:
        sys.stdout.write(f"the whole suite runs on Python {version}: nothing is left to do here\n")
        return 0
    folders = [str(Path(__file__).parent / name) for name in DEPEND]
    chosen = ["-m", "not cntk and not soak and not docker and not network and not clients"]
    command = [sys.executable, "-m", "pytest", *arguments, *chosen, *folders]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
