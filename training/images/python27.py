"""What the images of toolkits on Python 2.7 have in common: Debian bullseye, its python2.7, and wheels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from training.images.builder import ImageRecipe
from training.support.events import Events
from training.support.wheels import Wheel, add_pip, fetch, join_packages, unpack

SITE = "usr/local/lib/python2.7/dist-packages"
_PACKAGES = ("python2.7", "libstdc++6", "zlib1g", "ca-certificates", "openssh-client", "procps", "wget")


def recipe(
    name: str,
    summary: str,
    wheels: list[Wheel],
    trial: str,
    *,
    number: str,
    packages: tuple[str, ...] = (),
    more: Callable[[Path, Path], None] | None = None,
) -> ImageRecipe:
    """Give the recipe of an image with these wheels; ``python`` and ``pip`` are on PATH.

    ``trial``: what the image's Python must be able to do, in double quotes at most. ``number`` goes up when the
    tree changes otherwise. ``more`` gets the folder of packages and the prefix, and adds what wheels lack.
    """

    def fill(folder: Path, events: Events) -> None:
        prefix, site = folder / "usr" / "local", folder / SITE
        (prefix / "bin").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="scenario-wheels-") as scratch:
            for wheel in fetch(wheels, Path(scratch), events):
                unpack(wheel, site, prefix)
        join_packages(site)
        if more is not None:
            more(site, prefix)
        for name in ("python", "python2"):
            (prefix / "bin" / name).symlink_to("/usr/bin/python2.7")
        add_pip(prefix / "bin", 2)

    return ImageRecipe(
        name=name,
        summary=summary,
        base="debian:bullseye-slim",
        suite="bullseye",
        packages=(*_PACKAGES, *packages),
        contents=(number, *(wheel["sha256"] for wheel in wheels)),
        tree=fill,
        finish=f'python2.7 -m compileall -q /{SITE} > /dev/null || true; python2.7 -c "{trial}"',
    )
