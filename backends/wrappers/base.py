"""A backend that passes every call on to another one; what is around the calls is up to its kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batchai_scenario.backends.base import (
        Backend,
        Capabilities,
        ClusterSpec,
        ClusterStatus,
        JobSpec,
        JobStatus,
        OutputFile,
        Place,
        ShareFile,
        Upload,
        UploadReport,
    )
    from batchai_scenario.backends.powers import FileServerStatus, NodeLogin

T = TypeVar("T")


class Wrapper:
    """Passes every call to ``inner`` through ``around``, and reading through ``reading``."""

    name = "wrapper"

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    def around(self, call: str, arguments: tuple[Any, ...], work: Callable[[], T]) -> T:  # noqa: ARG002
        """Do a call; ``arguments`` are those of the interface."""
        return work()

    def reading(
        self,
        call: str,  # noqa: ARG002 - for wrappers that look at it
        arguments: tuple[Any, ...],  # noqa: ARG002
        work: Callable[[], Iterator[bytes]],
    ) -> Iterator[bytes]:
        """Do a call that gives blocks of bytes."""
        return work()

    def capabilities(self) -> Capabilities:
        """Say what the backend inside can do."""
        return self.inner.capabilities()

    def details(self) -> Mapping[str, str]:
        """Say where the backend inside is, and what is around it."""
        return {**self.inner.details(), "wrapper": self.name, "backend inside": self.inner.name}

    def wait_hint(self) -> float:
        """Say how many seconds to wait between two looks at a job."""
        return self.inner.wait_hint()

    def close(self) -> None:
        """Let go (B10)."""
        self.inner.close()

    def ensure_place(self, place: Place) -> bool:
        """Create group, workspace and experiment where missing (B1)."""
        return self.around("ensure_place", (place,), lambda: self.inner.ensure_place(place))

    def delete_place(self, place: Place) -> None:
        """Delete experiment and workspace, and the group if it is empty."""
        self.around("delete_place", (place,), lambda: self.inner.delete_place(place))

    def ensure_share(self, share: str) -> None:
        """Create the share if it is missing (B1)."""
        self.around("ensure_share", (share,), lambda: self.inner.ensure_share(share))

    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        """Bring files to their shares (B2)."""
        return self.around("upload", (tuple(files),), lambda: self.inner.upload(files, progress))

    def list_share(self, share: str, path: str = "") -> list[ShareFile]:
        """List one folder of a share."""
        return self.around("list_share", (share, path), lambda: self.inner.list_share(share, path))

    def read_share(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of a share."""
        return self.reading(
            "read_share", (share, path, offset), lambda: self.inner.read_share(share, path, offset)
        )

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster (B1)."""
        return self.around("create_cluster", (spec,), lambda: self.inner.create_cluster(spec))

    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        """Read a cluster."""
        return self.around("get_cluster", (place, name), lambda: self.inner.get_cluster(place, name))

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Set the number of a cluster's nodes, where the backend inside declares that it can."""
        found: ClusterStatus = self._power("resize_cluster", place, name, nodes)
        return found

    def remote_logins(self, place: Place, cluster: str) -> list[NodeLogin]:
        """List the logins of a cluster's nodes, where the backend inside declares that it can."""
        found: list[NodeLogin] = self._power("remote_logins", place, cluster)
        return found

    def preempt_node(self, place: Place, cluster: str) -> str:
        """Take a node of low priority away, where the backend inside declares that it can."""
        found: str = self._power("preempt_node", place, cluster)
        return found

    def create_file_server(self, place: Place, name: str, properties: Mapping[str, Any]) -> FileServerStatus:
        """Create a file server, where the backend inside declares that it can."""
        found: FileServerStatus = self._power("create_file_server", place, name, properties)
        return found

    def get_file_server(self, place: Place, name: str) -> FileServerStatus:
        """Read a file server, where the backend inside declares that it can."""
        found: FileServerStatus = self._power("get_file_server", place, name)
        return found

    def delete_file_server(self, place: Place, name: str) -> None:
        """Delete a file server, where the backend inside declares that it can."""
        self._power("delete_file_server", place, name)

    def _power(self, call: str, *arguments: Any) -> Any:  # noqa: ANN401 - any call of the powers
        return self.around(call, arguments, lambda: getattr(self.inner, call)(*arguments))

    def lacks(self, jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Say what this machine lacks, where the backend inside declares that it can; past ``around``."""
        inner: Any = self.inner
        found: tuple[str, ...] = inner.lacks(jobs)
        return found

    def ready(
        self,
        jobs: Sequence[Mapping[str, Any]],
        tell: Callable[[str], None],
        progress: Callable[[str, int, int], None],
    ) -> None:
        """Ready this machine, where the backend inside declares that it can; past ``around``."""
        inner: Any = self.inner
        inner.ready(jobs, tell, progress)

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster (B7)."""
        self.around("delete_cluster", (place, name), lambda: self.inner.delete_cluster(place, name))

    def submit(self, spec: JobSpec) -> JobStatus:
        """Submit a job (B3)."""
        return self.around("submit", (spec,), lambda: self.inner.submit(spec))

    def get_job(self, job_id: str) -> JobStatus:
        """Read a job."""
        return self.around("get_job", (job_id,), lambda: self.inner.get_job(job_id))

    def list_jobs(self, place: Place) -> list[JobStatus]:
        """List the experiment's jobs by age."""
        return self.around("list_jobs", (place,), lambda: self.inner.list_jobs(place))

    def terminate(self, job_id: str) -> None:
        """End a job (B6)."""
        self.around("terminate", (job_id,), lambda: self.inner.terminate(job_id))

    def delete_job(self, job_id: str) -> None:
        """Delete a job (B7)."""
        self.around("delete_job", (job_id,), lambda: self.inner.delete_job(job_id))

    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        """List one level of an output directory (B5)."""
        return self.around(
            "list_outputs",
            (job_id, directory_id, path),
            lambda: self.inner.list_outputs(job_id, directory_id, path),
        )

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of an output directory (B5)."""
        return self.reading(
            "read_output",
            (job_id, directory_id, path, offset),
            lambda: self.inner.read_output(job_id, directory_id, path, offset),
        )
