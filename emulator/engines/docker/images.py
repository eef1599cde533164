"""Finds the image that a task runs in: the one it names, or a substitute; never in silence."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.programs import (
    SECONDS_BETWEEN_LINES,
    Throttle,
    run_program,
    share_done,
)
from batchai_scenario.emulator.engines.substitutes import (
    Candidate,
    build_programs,
    candidates_for,
    delivered_tables,
    failed_starting,
    plain_name,
)
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem
from batchai_scenario.emulator.launch.plan import ImageRequest
from batchai_scenario.schema.registries import image_host, server_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from batchai_scenario.emulator.engines.docker.api import Api
    from batchai_scenario.emulator.engines.substitutes import PullPolicy
    from batchai_scenario.emulator.state.home import Home

_BUILD_TIME = "one to three minutes"

_SYSTEM = "node/"  # begins the name of a node's own system, which no registry has


@dataclass(frozen=True, slots=True)
class FoundImage:
    """What runs: its reference and id, and whether it is not the one that was asked for."""

    reference: str
    id: str
    substituted: bool = False


class NoImageError(Exception):
    """An image is not to be had from where it was looked for."""


class Images:
    """Resolves images against one engine.

    Args:
        api: the engine's client (docker.APIClient; its types are half written).
        home: whose table of substitutes comes first; cache of the builds.
        training: the folder whose ``images/`` and ``toolkits/`` have our tables and the programs that build.
        pull: ``missing`` pulls what the engine does not have, ``never`` does not.
        progress: hears how far a pull or a build is: (what, done, total).
        program: what the job calls and no image that is built here has: those are left out. Empty: none.
    """

    def __init__(
        self,
        api: Api,
        home: Home,
        *,
        training: Path,
        pull: PullPolicy = "missing",
        progress: Callable[[str, int, int], None] | None = None,
        program: str = "",
    ) -> None:
        self._progress = progress
        self._program = program
        self._api = api
        self._tables = (home.images_table, *delivered_tables(training))
        self._training = training
        self._pull_policy = pull

    def resolve(
        self, request: ImageRequest | None, node_image: str, announce: Callable[[str], None]
    ) -> FoundImage:
        """Find what a task runs in.

        A job without a container ran on the node's own system: here ``node_image`` stands for that. If it
        begins with ``node/`` it is no image's name, and the tables say what stands for it.

        Raises:
            EngineError: FailedStartingContainer, with the image's name and everything that was tried.
            EngineUnavailable: no image that has the program is to be had; with the remedy.
        """
        if request is None:
            request = ImageRequest(node_image)
            announce(f"image: the job names none; {node_image} is the node's own system")
        found = self._local(request.reference)
        if found:
            return FoundImage(request.reference, found)
        reasons = []
        candidates = self._candidates(request.reference)
        if not request.reference.startswith(_SYSTEM):
            try:
                return FoundImage(request.reference, self._pull(request, announce))
            except NoImageError as error:
                reasons.append(f"{request.reference}: {error}")
        candidates = self._present_and_named(candidates)
        here = [candidate for candidate in candidates if self._local(candidate.reference)]
        for candidate in [*here, *(other for other in candidates if other not in here)]:
            try:
                found = self._obtain(candidate, announce)
            except (NoImageError, EngineError) as error:
                reasons.append(f"{candidate.reference}: {error}")
                continue
            used = f"{candidate.reference} ({short_id(found)})"
            if request.reference.startswith(_SYSTEM):
                announce(f"image: {used} stands for it")
            else:
                announce(f"image: {request.reference} is not available; running {used}")
            return FoundImage(candidate.reference, found, substituted=True)
        if self._program:
            raise self._without_program(reasons)
        raise failed_starting(request.reference, "; ".join(reasons))

    def _candidates(self, reference: str) -> list[Candidate]:
        """List what may stand for an image."""
        found = candidates_for(reference, self._tables)
        return [candidate for candidate in found if not (self._program and candidate.kind == "build")]

    def _without_program(self, reasons: Iterable[str]) -> EngineUnavailable:
        text = (
            f"The job calls the program {self._program}, which no image that can be built here has, "
            f"and none that has it is to be had: {'; '.join(reasons)}."
        )
        remedy = (
            "Load an image that has it into the engine, and name it in the job, or in the home's images.yaml."
        )
        return EngineUnavailable(Problem("ProgramMissing", text), remedy)

    def lacking(self, request: ImageRequest | None, node_image: str) -> str:
        """Say in words what ``resolve`` would have to pull or build; empty if the engine has what will run.

        Raises:
            EngineError: a table of substitutes is not as it should be.
        """
        reference = request.reference if request is not None else node_image
        if self._local(reference):
            return ""
        candidates = self._present_and_named(self._candidates(reference))
        if any(self._local(candidate.reference) for candidate in candidates):
            return ""
        built = [
            f"{other.reference}, built once in {_BUILD_TIME}" for other in candidates if other.kind == "build"
        ]
        pulled = [other.reference for other in candidates if other.kind == "image"]
        names = pulled[:1] if reference.startswith(_SYSTEM) else [reference]
        return f"image {' or else '.join([*names, *built[:1]])}"

    def _present_and_named(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Put the engine's own images in the place of candidates that are patterns for them."""
        found: dict[Candidate, None] = {}
        for candidate in candidates:
            if candidate.kind != "local":
                found[candidate] = None
                continue
            tags = sorted(
                {tag for image in self._api.images() for tag in image.get("RepoTags") or ()}, reverse=True
            )
            matching = [tag for tag in tags if fnmatchcase(plain_name(tag), candidate.name)]
            found.update({Candidate("image", tag): None for tag in matching})
        return list(found)

    def _obtain(self, candidate: Candidate, announce: Callable[[str], None]) -> str:
        found = self._local(candidate.reference)
        if found:
            return found
        if candidate.kind == "image":
            return self._pull(ImageRequest(candidate.reference), announce)
        program = build_programs(self._training).get(candidate.name)
        if program is None:
            raise NoImageError("nothing here builds it")
        announce(f"image: building {candidate.reference}; this is done once and takes {_BUILD_TIME}")
        what = f"image {candidate.reference}"
        run_program(program, ["--tag", candidate.reference, "--json"], what, announce, self._progress)
        found = self._local(candidate.reference)
        if not found:
            raise NoImageError("it was built, but the engine does not have it")
        return found

    def _local(self, reference: str) -> str:
        """Give the id of an image that the engine has; empty if it has none of this name."""
        from docker.errors import ImageNotFound

        try:
            return str(self._api.inspect_image(reference)["Id"])
        except ImageNotFound:
            return ""

    def _pull(self, request: ImageRequest, announce: Callable[[str], None]) -> str:
        """Pull an image; credentials go to the engine with this request and nowhere else."""
        import requests
        from docker.errors import APIError, DockerException
        from docker.utils import parse_repository_tag

        if self._pull_policy == "never":
            raise NoImageError("the engine does not have it, and pulling is switched off")
        repository, tag = parse_repository_tag(request.reference)
        credentials = None
        if request.username or request.password:
            if request.server and server_host(request.server) != image_host(request.reference):
                raise NoImageError("its name does not begin with the host of the registry of its credentials")
            credentials = {
                "username": request.username,
                "password": request.password,
                "serveraddress": request.server or image_host(request.reference),
            }
        progress = PullProgress(request.reference, announce, self._progress)
        try:
            for event in self._api.pull(
                repository, tag or "latest", stream=True, decode=True, auth_config=credentials
            ):
                progress.hear(event)
        except (NoImageError, APIError, DockerException, requests.RequestException) as error:
            raise NoImageError(_without(str(getattr(error, "explanation", "") or error), request)) from error
        found = self._local(request.reference)
        if not found:
            raise NoImageError("it was pulled, but the engine does not have it")
        announce(f"image: {request.reference} was pulled ({short_id(found)})")
        return found


def short_id(image: str) -> str:
    """Shorten an image's id as docker does: ``sha256:`` and twelve digits."""
    return image[: len("sha256:") + 12]


def _without(text: str, request: ImageRequest) -> str:
    """Take a password out of a text that others wrote."""
    return text.replace(request.password, "***") if request.password else text


class PullProgress:
    """Adds up what an engine says of image layers, for ``progress``, or now and then for ``announce``."""

    def __init__(
        self,
        reference: str,
        announce: Callable[[str], None],
        progress: Callable[[str, int, int], None] | None = None,
        *,
        seconds: float = SECONDS_BETWEEN_LINES,
    ) -> None:
        self._progress = progress
        self._reference = reference
        self._announce = announce
        self._throttle = Throttle(announce, seconds=seconds)
        self._layers: dict[str, tuple[float, float]] = {}

    def hear(self, event: dict[str, Any]) -> None:
        """Take one event of the engine's stream.

        Raises:
            NoImageError: the stream says that it failed.
        """
        if event.get("error"):
            raise NoImageError(str(event["error"]))
        detail = event.get("progressDetail") or {}
        if event.get("status") != "Downloading" or not detail.get("total"):
            return
        if not self._layers:
            self._announce(f"image: pulling {self._reference}")
        self._layers[str(event.get("id"))] = (float(detail.get("current") or 0), float(detail["total"]))
        done, total = (sum(column) for column in zip(*self._layers.values(), strict=True))
        if self._progress is not None:
            self._progress(self._reference, int(done), int(total))
            return
        self._throttle(f"image: pulling {self._reference} ({total / 1e6:.0f} MB): {share_done(done, total)}")
