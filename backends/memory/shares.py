"""The model's shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import ShareFile, UploadReport
from batchai_scenario.backends.errors import NotFound
from batchai_scenario.backends.sharepaths import check_uploads, inside_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batchai_scenario.backends.base import Upload
    from batchai_scenario.backends.memory.world import MemoryWorld


class MemoryShares:
    """What the model does with shares; the rest of it is built on this."""

    world: MemoryWorld

    def ensure_share(self, share: str) -> None:
        """Create the share if it is missing (B1)."""
        with self.world.lock:
            self.world.shares.setdefault(share, {})

    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        """Bring files to their shares (B2)."""
        check_uploads(files)
        contents = [file.source.read_bytes() for file in files]
        sent = sent_bytes = unchanged = 0
        with self.world.lock:
            for file, content in zip(files, contents, strict=True):
                share = self._share(file.share)
                if share.get(file.path) == content:
                    unchanged += 1
                else:
                    share[file.path] = content
                    sent, sent_bytes = sent + 1, sent_bytes + len(content)
                if progress is not None:
                    progress(file.path, len(content), len(content))
        return UploadReport(sent, sent_bytes, unchanged)

    def list_share(self, share: str, path: str = "") -> list[ShareFile]:
        """List one folder of a share, sorted by path; NotFound if there is none."""
        with self.world.lock:
            level = level_of(self._share(share), path and inside_share(path))
        if not level and path:
            raise NotFound(f"the share {share!r} has no folder {path!r}")
        return [ShareFile(name, size) for name, size in sorted(level.items())]

    def read_share(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of a share from ``offset`` to its end; NotFound if there is none."""
        with self.world.lock:
            content = self._share(share).get(inside_share(path))
        if content is None:
            raise NotFound(f"the share {share!r} has no file {path!r}")
        yield from rest_of(content, offset)

    def _share(self, share: str) -> dict[str, bytes]:
        if share not in self.world.shares:
            raise NotFound(f"there is no share {share!r}", "ShareNotFound", 404)
        return self.world.shares[share]


def level_of(files: Mapping[str, bytes], folder: str) -> dict[str, int | None]:
    """List one level below a folder: size by path, None for a folder."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, int | None] = {}
    for path, content in files.items():
        if path.startswith(prefix):
            name, deeper, _ = path[len(prefix) :].partition("/")
            found[prefix + name] = None if deeper else len(content)
    return found


def rest_of(content: bytes, offset: int) -> Iterator[bytes]:
    """Give what comes after ``offset``, if anything."""
    if content[offset:]:
        yield content[offset:]
