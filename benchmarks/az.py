"""`az batchai cluster create` of April 2019 (core 2.0.62, batchai 0.4.8), through interception.

    python benchmarks/az.py --install --client /tmp/az [--python python3.6]   # once: needs the package index
    python benchmarks/az.py --client /tmp/az [--rounds 5]

Floors: `az --version`, which asks nobody, and `az batchai cluster show`, which asks once. Target for the
creation, the client's own start included: 2 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

from common import alternate, load, spread

PINS = Path(__file__).parents[1] / "tests" / "clients" / "pins" / "az-0.4.8.txt"
SCENARIO = str(Path(sys.executable).with_name("scenario"))
PLACE = ("-g", "bench", "-w", "bench")
SIZE = ("-s", "STANDARD_NC6", "-t", "1", "-u", "ada", "-p", "Lovelace-1")


def install(folder: Path, python: str) -> None:
    """Make the client's environment from its complete list of packages."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "-r", str(PINS)], check=True)


def measure(client: Path, home: Path, rounds: int) -> dict[str, list[float]]:
    """Serve, log in, and time the commands in turn; seconds."""
    emulator = {**os.environ, "SCENARIO_HOME": str(home)}
    served = subprocess.Popen(
        [SCENARIO, "emulator", "serve", "--engine", "process"],
        env=emulator,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert served.stdout is not None
    served.stdout.readline()
    told = subprocess.check_output([SCENARIO, "emulator", "env", "--json"], env=emulator)
    variables = {**os.environ, **json.loads(told), "AZURE_CONFIG_DIR": str(home / "az")}

    def az(*arguments: str) -> None:
        command = [str(client / "bin" / "python"), "-m", "azure.cli", *arguments]
        subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    who = [variables[f"AZURE_{name}"] for name in ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID")]
    numbers = count()
    try:
        az("login", "--service-principal", "-u", who[0], "-p", who[1], "-t", who[2])
        az("group", "create", "-n", "bench", "-l", "eastus")
        az("batchai", "workspace", "create", "-g", "bench", "-n", "bench")
        az("batchai", "cluster", "create", *PLACE, "-n", "shown", *SIZE)
        return alternate(
            {
                "az --version": lambda: az("--version"),
                "az batchai cluster show": lambda: az("batchai", "cluster", "show", *PLACE, "-n", "shown"),
                "az batchai cluster create": lambda: az(
                    "batchai", "cluster", "create", *PLACE, "-n", f"made{next(numbers)}", *SIZE
                ),
            },
            rounds,
        )
    finally:
        served.terminate()
        served.wait(30)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--client", type=Path, required=True, help="folder of the client's environment")
    parser.add_argument("--install", action="store_true", help="make it")
    parser.add_argument("--python", default="python3.6", help="with this interpreter (default: python3.6)")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.install:
        install(given.client, given.python)
        return
    print(load())
    with tempfile.TemporaryDirectory() as home:
        for name, values in measure(given.client, Path(home), given.rounds).items():
            print(f"{name:34}{spread(values)}")
    print(load())


if __name__ == "__main__":
    main()
