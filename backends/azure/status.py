"""What the service says of clusters and jobs, as the values of ``backends.base``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import BatchAIError, ClusterStatus, JobState, JobStatus
from batchai_scenario.backends.errors import BackendError
from batchai_scenario.backends.powers import FileServerStatus

if TYPE_CHECKING:
    # The SDK annotates its models with what it sends, not with what it reads.
    Cluster = Any
    FileServer = Any
    Job = Any


def cluster_status(cluster: Cluster) -> ClusterStatus:
    """Read a cluster."""
    scale = cluster.scale_settings
    current = int(cluster.current_node_count or 0)
    manual = getattr(scale, "manual", None)
    counts = cluster.node_state_counts
    states = ("idle", "running", "preparing", "unusable", "leaving")
    return ClusterStatus(
        id=str(cluster.id),
        allocation=str(cluster.allocation_state or "").lower(),
        target=int(manual.target_node_count) if manual is not None else current,
        current=current,
        nodes={state: int(getattr(counts, f"{state}_node_count", 0) or 0) for state in states},
        errors=_problems(cluster.errors),
    )


def file_server_status(server: FileServer) -> FileServerStatus:
    """Read a file server, as a resource that the SDK has no model of."""
    return FileServerStatus(str(server.id), str(server.properties.get("provisioningState", "")).lower())


def job_status(job: Job) -> JobStatus:
    """Read a job. Late versions of the service say ``exitCode`` 0 while a job runs: that is not one."""
    try:
        state = JobState(str(job.execution_state).lower())
    except ValueError:
        raise BackendError(f"the service says an unknown state: {job.execution_state!r}") from None
    info = job.execution_info
    return JobStatus(
        id=str(job.id),
        state=state,
        created_at=job.creation_time,
        started_at=getattr(info, "start_time", None),
        ended_at=getattr(info, "end_time", None),
        exit_code=_exit_code(info) if state.final else None,
        errors=_problems(getattr(info, "errors", None)),
        segment=str(job.job_output_directory_path_segment or ""),
    )


def _exit_code(info: Any) -> int | None:  # noqa: ANN401 - the SDK's execution info, or None
    """Read an exit code; the service's -1 means that no command ran."""
    code = getattr(info, "exit_code", None)
    return None if code is None or code < 0 else int(code)


def _problems(errors: Any) -> tuple[BatchAIError, ...]:  # noqa: ANN401 - a list of the SDK's BatchAIError, or None
    return tuple(
        BatchAIError(
            str(error.code or ""),
            str(error.message or "").strip(),
            {str(entry.name): str(entry.value) for entry in error.details or ()},
        )
        for error in errors or ()
    )
