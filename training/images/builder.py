"""Builds an image into the local engine, from a registry's base or from Debian's packages alone.

A recipe says what is in an image: a Debian suite, packages, and a folder tree that is laid on top. Where a
registry answers, its image of that suite is the base and the packages are added in a container. Where none
does, the whole root file system is made from packages and is imported. Either way the image takes its tag
only when it is complete, and one build runs at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.images.rootfs import make_rootfs
from training.support.events import Events, RequirementError, run
from training.support.files import locked
from training.support.room import no_room

RECIPE_LABEL = "scenario.image.recipe"
_BUILD_LABEL = "scenario.image.build"
_ANSWER = 8  # seconds in which a registry must answer to be taken into account
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class ImageRecipe:
    """What is in an image.

    ``base``: the registry's image of the suite. ``tree`` fills a folder with what is laid over the system;
    ``contents`` names all of that, for the fingerprint. ``finish``: a shell command run in the system at the
    end (no single quotes in it).
    """

    name: str
    summary: str
    base: str
    suite: str
    packages: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    tree: Callable[[Path, Events], None] | None = None
    finish: str = ""

    def fingerprint(self) -> str:
        """Give what changes when the recipe does."""
        parts = [self.name, self.suite, *self.packages, *self.contents, self.finish]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def labels(self, made_from: str) -> dict[str, str]:
        """Give the image's labels."""
        return {
            "org.opencontainers.image.title": self.name,
            "org.opencontainers.image.description": self.summary,
            "org.opencontainers.image.base.name": made_from,
            RECIPE_LABEL: self.fingerprint(),
        }

    def changes(self, made_from: str) -> list[str]:
        """Give the image's configuration as an engine wants it for an import or a commit."""
        labels = [f"LABEL {key}={json.dumps(value)}" for key, value in self.labels(made_from).items()]
        return [f"ENV {_PATH}", "ENV LANG=C.UTF-8", "ENV LC_ALL=C.UTF-8", 'CMD ["/bin/bash"]', *labels]


def build(
    recipe: ImageRecipe, tag: str, events: Events, *, registry: bool = True, force: bool = False
) -> None:
    """Build the image unless the engine has it from this very recipe; ends with a ``done`` event.

    Raises:
        RequirementError: no engine, or neither a registry nor Debian's packages can be reached.
    """
    import docker
    from docker.errors import DockerException
    from requests import RequestException

    try:
        _knock(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
        engine = docker.from_env(timeout=600)
        engine.ping()
    except (DockerException, RequestException, OSError) as error:
        raise RequirementError(
            f"no Docker engine answers: {error}", "Start it, or get the right to use it, and run this again."
        ) from None
    try:
        with locked(Path(__file__), "builds an image", events):
            image = None if force else _present(engine, tag, recipe)
            if image is None:
                image = _build(engine, recipe, events, registry=registry)
                _give_tag(engine, image, tag)
            events.done(image=tag, id=image)
    except (DockerException, RequestException) as error:
        remedy = no_room(str(error), _data_folder(engine)) or "See the engine's own log."
        raise RequirementError(f"the engine could not build {tag}: {error}", remedy) from None
    finally:
        engine.close()


def _knock(where: str) -> None:
    """Try the engine's socket: Docker's client leaves a socket open that found nobody."""
    scheme, _, path = where.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(_ANSWER)
            knocking.connect(path)


def _split(tag: str) -> tuple[str, str]:
    repository, _, version = tag.rpartition(":")
    return (repository, version) if repository and "/" not in version else (tag, "latest")


def _give_tag(engine: Any, image: str, tag: str) -> None:
    """Tag an image; one of ours that had the tag before is removed, unless it is in use or has other tags."""
    from docker.errors import APIError, ImageNotFound

    try:
        before = engine.images.get(tag)
    except ImageNotFound:
        before = None
    engine.images.get(image).tag(*_split(tag))
    if before is not None and before.id != image and RECIPE_LABEL in before.labels:
        with contextlib.suppress(APIError):
            engine.images.remove(before.id)


def _present(engine: Any, tag: str, recipe: ImageRecipe) -> str | None:
    """Give the id of the image if the engine has it and it was made from this recipe."""
    from docker.errors import ImageNotFound

    try:
        image = engine.images.get(tag)
    except ImageNotFound:
        return None
    return str(image.id) if image.labels.get(RECIPE_LABEL) == recipe.fingerprint() else None


def _build(engine: Any, recipe: ImageRecipe, events: Events, *, registry: bool) -> str:
    """Build the image, without a tag; give its id."""
    from docker.errors import APIError

    with tempfile.TemporaryDirectory(prefix="scenario-image-") as scratch:
        tree = _pack_tree(recipe, Path(scratch), events) if recipe.tree else None
        if registry and _registry_answers(engine, recipe.base):
            try:
                return _from_base(engine, recipe, tree, events)
            except RequirementError as trouble:
                events.note(f"{recipe.base} cannot be the base: {trouble.message}")
        archive = Path(scratch) / "rootfs.tar"
        make_rootfs(recipe.suite, recipe.packages, tree, recipe.finish, archive, events)
        events.progress("import into the engine", 0, 1)
        try:
            answer = engine.api.import_image(
                src=str(archive), changes=recipe.changes(f"debian:{recipe.suite}")
            )
        except APIError as error:
            raise _not_imported(str(error.explanation or error), engine) from None
        events.progress("import into the engine", 1, 1)
        return _imported(answer, engine)


def _data_folder(engine: Any) -> str:
    """Give where the engine keeps its images; empty if it does not say."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        return str(engine.info().get("DockerRootDir") or "")
    except (DockerException, RequestException):
        return ""


def _not_imported(said: str, engine: Any) -> RequirementError:
    remedy = no_room(said, _data_folder(engine)) or "See the engine's own log."
    return RequirementError(f"the engine could not import the image: {said}", remedy)


def _imported(answer: str, engine: Any) -> str:
    """Read the image's id out of what the engine says of an import.

    Raises:
        RequirementError: it says that it failed.
    """
    status = ""
    for line in answer.splitlines():
        event = json.loads(line) if line.strip() else {}
        if "error" in event:
            raise _not_imported(str(event["error"]), engine)
        status = event.get("status", status)
    return str(status)


def _pack_tree(recipe: ImageRecipe, scratch: Path, events: Events) -> Path:
    """Fill the recipe's tree and pack it, as root's."""

    def as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    folder, archive = scratch / "tree", scratch / "tree.tar"
    folder.mkdir()
    assert recipe.tree is not None
    recipe.tree(folder, events)
    with tarfile.open(archive, "w") as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, entry.name, filter=as_root)
    shutil.rmtree(folder)
    return archive


def _registry_answers(engine: Any, base: str) -> bool:
    """Tell if the base is here, or if the engine can reach a registry that has it; soon."""
    import docker
    from docker.errors import DockerException, ImageNotFound
    from requests import RequestException

    try:
        engine.images.get(base)
    except ImageNotFound:
        pass
    else:
        return True
    hasty: Any = docker.from_env(timeout=_ANSWER)
    try:
        hasty.api.inspect_distribution(base)
    except (DockerException, RequestException):
        return False
    else:
        return True
    finally:
        hasty.close()


def _from_base(engine: Any, recipe: ImageRecipe, tree: Path | None, events: Events) -> str:
    """Build on a registry's image: lay the tree over it, and add the packages in a container.

    Raises:
        RequirementError: the base cannot be pulled, or the packages cannot be installed from inside a container.
    """
    from docker.errors import DockerException, ImageNotFound

    for leftover in engine.containers.list(all=True, filters={"label": _BUILD_LABEL}):
        leftover.remove(force=True)  # of a build that was killed; we hold the lock
    try:
        engine.images.get(recipe.base)
    except ImageNotFound:
        events.note(f"pulling {recipe.base}")
        try:
            engine.images.pull(*_split(recipe.base))
        except DockerException as error:
            raise RequirementError(f"it cannot be pulled: {error}") from None
    steps = ["set -e", "export DEBIAN_FRONTEND=noninteractive"]
    if recipe.packages:
        install = "apt-get -q install -y --no-install-recommends " + " ".join(recipe.packages)
        steps += ["apt-get -q update", install, "rm -rf /var/lib/apt/lists/*"]
    steps += [recipe.finish] if recipe.finish else []
    container = engine.containers.create(
        recipe.base, ["/bin/sh", "-c", "\n".join(steps)], labels={_BUILD_LABEL: recipe.name}
    )
    try:
        if tree is not None:
            with tree.open("rb") as data:
                container.put_archive("/", data)
        events.progress(f"packages on {recipe.base}", 0, 1)
        container.start()
        code = container.wait()["StatusCode"]
        if code:
            last = container.logs(tail=3).decode(errors="replace").strip().replace("\n", " / ")
            raise RequirementError(f"its packages cannot be installed (exit code {code}): {last}")
        events.progress(f"packages on {recipe.base}", 1, 1)
        changes = [*recipe.changes(recipe.base), f"LABEL {_BUILD_LABEL}="]
        return str(container.commit(changes=changes).id)
    finally:
        container.remove(force=True)


def main(recipe: ImageRecipe) -> None:
    """Read the command line and build the image."""
    parser = argparse.ArgumentParser(description=recipe.summary)
    parser.add_argument("--tag", required=True, help="the image's name in the engine")
    parser.add_argument("--json", action="store_true", help="report as JSON lines")
    parser.add_argument("--no-registry", action="store_true", help="do not ask a registry for a base")
    parser.add_argument("--force", action="store_true", help="build it although it is there")
    options = parser.parse_args()
    events = Events(as_json=options.json)
    run(
        events,
        lambda: build(recipe, options.tag, events, registry=not options.no_registry, force=options.force),
    )
