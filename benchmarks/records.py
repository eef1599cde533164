"""Records: what looking at runs costs beside a hundred, a thousand and ten thousand others.

    python benchmarks/records.py [--sizes 100 1000 10000] [--rounds 5]

Runs ``hello`` twice as processes, copies the record of the first, and asks each command in turn: seconds of
the processor, the interpreter's own start included. The peer is the same home with these two runs only.

Target: what names a run takes no more among ten thousand; 'runs' 0.5 ms for each that it lists.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from common import load, spread

SCENARIO = str(Path(sys.executable).with_name("scenario"))
EPOCH = datetime(2020, 1, 1, tzinfo=timezone.utc)


def ask(home: Path, *arguments: str) -> None:
    """Run a command to its end."""
    environment = {**os.environ, "SCENARIO_HOME": str(home)}
    subprocess.run([SCENARIO, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)


def processor(home: Path, *arguments: str) -> float:
    """Run a command; gives the seconds of the processor that it took, in all its processes."""
    before = os.times()
    ask(home, *arguments)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def make_records(home: Path, first: str, numbers: range) -> None:
    """Copy a run's record as those of older runs, a minute apart."""
    record = json.loads((home / "runs" / first / "run.json").read_bytes())
    for number in numbers:
        moment = EPOCH + timedelta(minutes=number)
        name = f"hello-{moment:%Y%m%d-%H%M%S}-abcd"
        folder = home / "runs" / name
        folder.mkdir()
        (folder / "lock").touch()
        times = {"createdAt": moment.isoformat(), "endedAt": (moment + timedelta(seconds=3)).isoformat()}
        (folder / "run.json").write_text(json.dumps({**record, "id": name, **times}, indent=2))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        for _ in range(2):
            ask(home, "run", "hello", "--backend", "local", "--engine", "process")
        first, second = sorted(path.name for path in (home / "runs").iterdir())
        commands = (
            ("runs",),
            ("runs", "--newest", "10"),
            ("outputs", "last"),
            ("logs", "last"),
            ("diff", first, second),
            ("report", "last", "-o", str(Path(folder) / "report.html")),
        )
        made = 0
        for size in (0, *options.sizes):
            make_records(home, first, range(made, size))
            made = max(made, size)
            for command in commands:
                taken = [processor(home, *command) for _ in range(options.rounds)]
                print(f"{size + 2:7} runs  {' '.join(command[:2])[:20]:20} {spread(taken)}")
    print(load())


if __name__ == "__main__":
    main()
