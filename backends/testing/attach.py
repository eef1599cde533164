"""A process of its own that attaches to a job by its id.

``python -m batchai_scenario.backends.testing.attach TARGET HOME ID`` prints what it sees as JSON;
credentials come from the environment.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.registry import Registry
from batchai_scenario.backends.testing.bench import BenchTarget


def main(target: str, home: str, job_id: str) -> None:
    """Open the backend, read the job and list its standard output."""
    wanted = BenchTarget.parse(target)
    backend = Registry().open(wanted.name, BackendOptions(Path(home), wanted.options, dict(os.environ)))
    try:
        job = backend.get_job(job_id)
        files = [file.path for file in backend.list_outputs(job_id, "stdouterr")]
    finally:
        backend.close()
    seen = {"id": job.id, "state": job.state.value, "segment": job.segment, "files": files}
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
