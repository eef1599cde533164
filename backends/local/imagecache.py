"""Images that we built and the Docker engine keeps: listing them, and removing what no container uses."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.caching import Cached, Pruned

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = "image"
_RECIPE = "scenario.image.recipe"
"""The label of images that we built (``training/images/builder.py``)."""


def connect() -> Any:  # noqa: ANN401 - docker.APIClient, whose types are half written
    """Connect to the Docker engine.

    Raises:
        MachineError: none answers.
    """
    from batchai_scenario.emulator.api import EngineUnavailable, connect_docker

    try:
        return connect_docker()
    except EngineUnavailable as error:
        raise MachineError(error.problem.message, remedy=error.remedy) from None


def built_images(api: Any) -> list[Cached]:  # noqa: ANN401 - as above
    """List the images by reference: of ``scenario/``, and with our label; ``used``: when it was built."""
    from batchai_scenario.emulator.api import built_reference

    prefix = built_reference("").partition(":")[0]
    found = []
    for image in api.images():
        if _RECIPE not in (image.get("Labels") or {}):
            continue
        made = datetime.fromtimestamp(int(image.get("Created") or 0), timezone.utc)
        found += [
            Cached(IMAGE, tag, int(image.get("Size") or 0), made)
            for tag in image.get("RepoTags") or ()
            if tag.startswith(prefix)
        ]
    return sorted(found, key=lambda image: image.name)


def prune_images(
    users: Callable[[], list[str]],
    *,
    before: datetime | None = None,
    dry_run: bool = False,
    connected: Callable[[], Any] = connect,
) -> Pruned:
    """Remove images that no container has; arguments as of ``caching.prune``.

    Raises:
        MachineError: no engine answers.
    """
    from docker.errors import APIError

    pruned = Pruned()
    with closing(connected()) as api:
        for image in built_images(api):
            reason = "; ".join(users())
            if not reason and before is not None and image.used >= before:
                reason = "it was built since"
            # An image with two tags loses one of them even while a container has it.
            if not reason and api.containers(all=True, quiet=True, filters={"ancestor": image.name}):
                reason = "a container has it"
            if reason:
                pruned.kept.append((image, reason))
                continue
            try:
                if not dry_run:
                    api.remove_image(image.name)
            except APIError as error:
                pruned.failed.append((image, str(error.explanation or error).strip()))
            else:
                pruned.removed.append(image)
    return pruned
