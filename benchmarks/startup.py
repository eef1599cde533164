"""Start of the emulator to its first answer, `scenario --help`, idle memory.

The first answer is that to `GET /.emulator/health`. Beside it stands the first one of the resource manager,
which has its rooms built when somebody first asks for them: a token, then the list of subscriptions.

    python benchmarks/startup.py [--rounds 10]

Floors: the bare interpreter (`python -c pass`). Targets: 0.4 s, 120 ms, 60 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from common import alternate, load, spread

from batchai_scenario.emulator.identity import development

SCENARIO = str(Path(sys.executable).with_name("scenario"))


def list_subscriptions(url: str) -> None:
    """Get a token, and with it the first thing that most clients ask for."""
    form = {
        "grant_type": "client_credentials",
        "client_id": development.CLIENT,
        "client_secret": development.SECRET,
        "resource": f"{url}/",
    }
    where = f"{url}/{development.TENANT}/oauth2/token"
    with urllib.request.urlopen(where, urlencode(form).encode()) as answer:
        token = json.load(answer)["access_token"]
    request = urllib.request.Request(f"{url}/subscriptions?api-version=2018-05-01")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["value"]


def serve(home: str) -> tuple[float, float, float]:
    """Start an emulator with an empty home.

    Gives seconds to its first answer, seconds to the resource manager's, and idle memory in MB.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [SCENARIO, "emulator", "serve", "--development-credentials", "--json"],
        env={**os.environ, "SCENARIO_HOME": home},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/.emulator/health") as answer:
            assert answer.status == 200
        seconds = time.perf_counter() - start
        list_subscriptions(url)
        useful = time.perf_counter() - start
        time.sleep(1)  # let it settle
        status = Path(f"/proc/{process.pid}/status").read_text()
        (resident,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return seconds, useful, int(resident) / 1024
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    print(load())
    times = alternate(
        {
            "python -c pass": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
            "scenario --help": lambda: subprocess.run(
                [SCENARIO, "--help"], check=True, stdout=subprocess.DEVNULL
            ),
        },
        rounds,
    )
    starts, useful, memory = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as home:
            seconds, listed, megabytes = serve(home)
        starts.append(seconds)
        useful.append(listed)
        memory.append(megabytes)
    for name, values in times.items():
        print(f"{name:34}{spread(values)}")
    print(f"{'emulator serve, to first answer':34}{spread(starts)}")
    print(f"{'  to the first list of subscriptions':34}{spread(useful)}")
    print(f"{'emulator serve, idle memory':34}{sorted(memory)[len(memory) // 2]:9.1f} MB")
    print(load())


if __name__ == "__main__":
    main()
