"""What the emulator's page costs while a job trains, and how quick it is with 1,000 jobs and 100 nodes.

    python benchmarks/page.py [--seconds 20] [--pages 1] [--rounds 5]

Cost: CPU seconds of the emulator while a job prints a metric ten times a second, measured in turn with nobody
looking, with pages that ask for all that the job's and the metrics' view ask for, and with nobody again. A
training on all cores loses at most what the emulator takes of them: target 1 %. After the pages are gone the
emulator must take what it took before. A browser is not counted: it need not run beside the training.

Quickness, where Chromium and playwright are: first paint of the overview (target 300 ms) and the time from a
change to the next frame (target 100 ms), each beside the same of an overview with one job and one node.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import requests
from common import load, spread

CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser")
SCENARIO = str(Path(sys.executable).with_name("scenario"))
JOB = """summary: Prints a loss.
cluster:
  vmSize: STANDARD_NC6
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: shared, relativeMountPath: afs}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/afs
    outputDirectories: [{id: OUT, pathPrefix: $AZ_BATCHAI_MOUNT_ROOT/afs, pathSuffix: out}]
    customToolkitSettings:
      commandLine: >-
        n=0; while [ ! -e $AZ_BATCHAI_MOUNT_ROOT/afs/enough ]; do n=$((n + 1)); echo "loss 0.$n";
        echo "{\\"step\\": $n, \\"loss\\": 0.$n}" >> $AZ_BATCHAI_OUTPUT_OUT/metrics.jsonl; sleep 0.1; done
expect:
  train: {metrics: {loss: {pattern: 'loss {number}'}}}
"""
SUBSTITUTE = """window.EventSource = class extends EventTarget {
  constructor() { super(); window.stream = this; }
  close() {}
}"""
UPDATE = """async (told) => {
  const begin = performance.now();
  window.stream.dispatchEvent(new MessageEvent('board', { data: JSON.stringify(told) }));
  await new Promise(requestAnimationFrame);
  const channel = new MessageChannel();
  await new Promise((done) => { channel.port1.onmessage = done; channel.port2.postMessage(0); });
  return performance.now() - begin;
}"""


class Onlooker:
    """Asks what an open page asks: the stream, the job's log as it grows, the metrics."""

    def __init__(self, page: str, job: str, run: str) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.get(page, allow_redirects=False)
        self.base = page.partition("?")[0] + "/api"
        self.job, self.run = job, run
        self.over = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self.listen, self.read)]
        for thread in self.threads:
            thread.start()

    def listen(self) -> None:
        """Follow the stream, and read what was added to the log."""
        offset = 0
        log = {"id": self.job, "directory": "stdouterr", "path": "stdout.txt", "length": 1 << 20}
        with self.session.get(f"{self.base}/events", params={"job": self.job}, stream=True) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if self.over.is_set():
                    return
                if line == b"event: logs":
                    found = requests.get(
                        f"{self.base}/job/file", {**log, "offset": offset}, cookies=self.session.cookies
                    )
                    offset += len(found.content)

    def read(self) -> None:
        """Ask for the metrics as the page does."""
        while not self.over.wait(1.5):
            cookies = self.session.cookies
            requests.get(f"{self.base}/runs", cookies=cookies)
            requests.get(f"{self.base}/series", {"run": self.run}, cookies=cookies)
            requests.get(f"{self.base}/job/metrics", {"id": self.job}, cookies=cookies)

    def close(self) -> None:
        """Go away."""
        self.over.set()
        for thread in self.threads:
            thread.join()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pid: int, seconds: float) -> float:
    """Give what a process takes of one core."""
    begin, clock = cpu_seconds(pid), time.perf_counter()
    time.sleep(seconds)
    return (cpu_seconds(pid) - begin) / (time.perf_counter() - clock)


def cost(home: Path, seconds: float, pages: int, rounds: int) -> None:
    """Measure what onlookers cost while a job trains."""
    scenario = home / "prints"
    scenario.mkdir()
    (scenario / "scenario.yaml").write_text(JOB)
    environment = {**os.environ, "SCENARIO_HOME": str(home / "home")}
    serve = [SCENARIO, "emulator", "serve", "--engine", "process", "--json"]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as emulator:
        told = json.loads(emulator.stdout.readline())  # type: ignore[union-attr]
        run = [SCENARIO, "run", str(scenario), "--backend", "local", "--json"]
        with subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True) as running:
            job = name = ""
            for line in running.stdout or ():
                event = json.loads(line)
                name = event.get("run") or name
                if event["event"] == "jobChanged" and event["state"] == "running":
                    job = event["id"]
                    break
            drain = threading.Thread(target=running.stdout.read)  # type: ignore[union-attr]
            drain.start()
            time.sleep(10)  # a young job is looked at more often
            alone, during = [share(emulator.pid, seconds)], []
            for _ in range(rounds):
                onlookers = [Onlooker(told["page"], job.lower(), name) for _ in range(pages)]
                during.append(share(emulator.pid, seconds))
                for onlooker in onlookers:
                    onlooker.close()
                time.sleep(2)
                alone.append(share(emulator.pid, seconds))
            (share_folder,) = (home / "home" / "storage").glob("*/shared")
            (share_folder / "enough").touch()
            drain.join()
        emulator.terminate()
    cores = len(os.sched_getaffinity(0))
    before, after, looked = alone[0], median(alone[1:]), median(during)
    print(f"emulator, nobody looks       {before:8.2%} of a core, {before / cores:.2%} of all {cores}")
    print(f"emulator, {pages} page(s) open     {looked:8.2%} of a core, {looked / cores:.2%} of all {cores}")
    print(f"emulator, nobody any more    {after:8.2%} of a core: {after / before if before else 1:.2f} times")
    print(f"a training loses to the page {(looked - median(alone)) / cores:8.2%}  (target 1 %)")


def quickness(home: Path, rounds: int) -> None:
    """Measure first paint and updates, with one job and with a thousand."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        print("no Chromium or no playwright: how quick the page is was not measured")
        return
    serve = [SCENARIO, "emulator", "serve", "--engine", "process", "--json"]
    environment = {**os.environ, "SCENARIO_HOME": str(home / "quick")}
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as emulator:
        told = json.loads(emulator.stdout.readline())  # type: ignore[union-attr]
        with sync_playwright() as driver:
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = driver.chromium.launch(executable_path=program, args=sandbox)
            found = {size: ([], []) for size in ((1, 1), (1000, 100))}  # type: ignore[var-annotated]
            for number in range(rounds + 1):
                for size, (paints, updates) in found.items():
                    paint, update = _looked(browser, told["page"], *size)
                    if number:  # the first is a warm-up
                        paints.append(paint)
                        updates.append(update)
            browser.close()
        emulator.terminate()
    for (jobs, nodes), (paints, updates) in found.items():
        print(f"{jobs:5} jobs, {nodes:3} nodes: first paint {spread(paints)}, update {spread(updates)}")
    (few, some), (many, more) = found.values()
    print(f"ratios: first paint {sum(many) / sum(few):.2f}, update {sum(more) / sum(some):.2f}")


def _looked(browser: Any, address: str, jobs: int, nodes: int) -> tuple[float, float]:
    """Open the overview; gives seconds to the first paint, and of a change until it is drawn."""
    context = browser.new_context(viewport={"width": 1920, "height": 1000})
    page = context.new_page()
    page.goto(address)
    board = {"revision": 1, "whole": True, "gone": [], "clusters": [_crew(nodes)]}
    board["jobs"] = [_job(number, nodes) for number in range(jobs)]
    overview = {"emulator": {"only": "", "startedAt": None, "gpus": "auto"}, "board": board, "hasRuns": True}
    body = json.dumps(overview)
    page.route("**/ui/api/overview", lambda it: it.fulfill(body=body, content_type="application/json"))
    page.add_init_script(SUBSTITUTE)
    page.goto(address.partition("?")[0] + "/")
    page.wait_for_selector("tbody tr")
    while not page.evaluate("Boolean(window.stream)"):  # the page's policy forbids wait_for_function
        page.wait_for_timeout(20)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.wait_for_timeout(300)
    changed = {
        "revision": 2,
        "whole": False,
        "gone": [],
        "jobs": [{**_job(jobs - 1, nodes), "state": "failed"}],
    }
    update = page.evaluate(UPDATE, changed)
    context.close()
    return paint / 1000, update / 1000


def _crew(count: int) -> dict[str, Any]:
    nodes = [{"id": f"tvm-{n}", "state": "running", "address": "", "job": ""} for n in range(count)]
    about = {"workspace": "w", "group": "g", "state": "succeeded", "allocation": "steady", "vmSize": "S"}
    more = {"priority": "", "engine": "process", "target": count, "errors": []}
    return {**about, **more, "id": "/c", "name": "crew", "nodes": nodes}


def _job(number: int, nodes: int) -> dict[str, Any]:
    times = {"created": "2018-06-06T12:00:00Z", "started": "2018-06-06T12:00:00Z", "ended": None}
    about = {"experiment": "e", "cluster": "/c", "state": "running", "exitCode": None, "errors": []}
    more = {"id": f"/job-{number}", "name": f"job {number}", "number": number}
    return {**times, **about, **more, "nodes": [f"tvm-{number % nodes}"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement of CPU time")
    parser.add_argument("--pages", type=int, default=1, help="how many pages look")
    parser.add_argument("--rounds", type=int, default=5, help="how often both are measured")
    options = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory() as folder:
        cost(Path(folder), options.seconds, options.pages, options.rounds)
        quickness(Path(folder), options.rounds)
    print(load())


if __name__ == "__main__":
    main()
