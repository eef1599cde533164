"""What the images of toolkits have in common: Debian bullseye, one of its Pythons, and wheels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from training.images.builder import ImageRecipe
from training.support.events import Events
from training.support.wheels import Wheel, add_pip, fetch, join_packages, unpack

_PACKAGES = ("libstdc++6", "zlib1g", "ca-certificates", "openssh-client", "procps", "wget")


def recipe(
    name: str,
    summary: str,
    wheels: list[Wheel],
    trial: str,
    *,
    number: str,
    python: str = "python2.7",
    packages: tuple[str, ...] = (),
    more: Callable[[Path, Path], None] | None = None,
    first: str = "",
) -> ImageRecipe:
    """Give the recipe of an image with these wheels; ``python`` and ``pip`` are on PATH.

    ``trial``: what the image's Python must be able to do, in double quotes at most. ``number`` goes up when the
    tree changes otherwise. ``python``: Debian's package of it. ``more`` gets the folder of packages and the
    prefix, and adds what wheels lack. ``first``: a shell command that is run in the image before the trial (no single quotes).
    """
    place = f"usr/local/lib/{python}/dist-packages"

    def fill(folder: Path, events: Events) -> None:
        prefix, site = folder / "usr" / "local", folder / place
        (prefix / "bin").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="scenario-wheels-") as scratch:
            for wheel in fetch(wheels, Path(scratch), events):
                unpack(wheel, site, prefix)
        join_packages(site)
        if more is not None:
            more(site, prefix)
        for name in ("python", python.partition(".")[0]):
            (prefix / "bin" / name).symlink_to(f"/usr/bin/{python}")
        add_pip(prefix / "bin", int(python[6]))

    return ImageRecipe(
        name=name,
        summary=summary,
        base="debian:bullseye-slim",
        suite="bullseye",
        packages=(python, *_PACKAGES, *packages),
        contents=(number, *(wheel["sha256"] for wheel in wheels)),
        tree=fill,
        finish=f"{first} && " * bool(first)
        + f'{python} -m compileall -q /{place} > /dev/null || true; {python} -c "{trial}"',
    )
