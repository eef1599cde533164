"""A Python 2.7 for machines that have none: five packages of Debian 11, unpacked into any folder.

It needs Linux with glibc on x86-64 and nothing else: no root, no compiler, no package manager. The packages'
checksums are pinned, so it does not matter who hands them over. What was fetched stays in the cache.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from training.support.downloads import KnownFile, fetch_known, missing_bytes
from training.support.events import Events, RequirementError
from training.support.files import only_one

VERSION = (2, 7, 18)

LIBRARIES = "lib/x86_64-linux-gnu"
"""The folder below the prefix that must stand in LD_LIBRARY_PATH: ctypes, hashlib and ssl load from there."""

PACKAGES = (
    KnownFile(
        "python2.7-minimal_2.7.18-8+deb11u1_amd64.deb",
        1_301_072,
        "44f0cdc1a343303d31c55fcb3a6402cfe326adf749ec30e375e6e0c0c5f7c1f7",
        "pool/main/p/python2.7/python2.7-minimal_2.7.18-8+deb11u1_amd64.deb",
    ),
    KnownFile(
        "libpython2.7-minimal_2.7.18-8+deb11u1_amd64.deb",
        397_032,
        "85833c92314011b89bbead6f9a5a7a360b5ee4f9b95e001225afead4ebf9f7d3",
        "pool/main/p/python2.7/libpython2.7-minimal_2.7.18-8+deb11u1_amd64.deb",
    ),
    KnownFile(
        "libpython2.7-stdlib_2.7.18-8+deb11u1_amd64.deb",
        1_863_736,
        "3e627d6d8992b853e000b8a4c09dda613fb767cdb711a2eac20ebc9f867b593c",
        "pool/main/p/python2.7/libpython2.7-stdlib_2.7.18-8+deb11u1_amd64.deb",
    ),
    KnownFile(
        "libssl1.1_1.1.1w-0+deb11u1_amd64.deb",
        1_565_664,
        "aadf8b4b197335645b230c2839b4517aa444fd2e8f434e5438c48a18857988f7",
        "pool/main/o/openssl/libssl1.1_1.1.1w-0+deb11u1_amd64.deb",
    ),
    KnownFile(
        "libffi7_3.3-6_amd64.deb",
        23_096,
        "30ca89bfddae5fa6e0a2a044f22b6e50cd17c4bc6bc850c579819aeab7101f0f",
        "pool/main/libf/libffi/libffi7_3.3-6_amd64.deb",
    ),
)

MIRRORS = (
    "https://deb.debian.org/debian/",
    "https://archive.debian.org/debian/",
    "https://snapshot.debian.org/archive/debian/20240701T000000Z/",
)

_FOLDER = "debian"  # below the cache
_AR_MAGIC, _AR_HEADER, _AR_END = b"!<arch>\n", 60, b"`\n"
_APT = Path("/etc/apt")


def mirrors(environment: Mapping[str, str], apt: Path = _APT) -> list[str]:
    """Give where the packages are asked for: SCENARIO_DEBIAN_MIRROR, this machine's own, Debian's, its archives.

    SCENARIO_DEBIAN_MIRROR may name several, separated by spaces; what it names is asked alone.
    """
    named = environment.get("SCENARIO_DEBIAN_MIRROR", "").split()
    found = named or [*_apt_mirrors(apt), *MIRRORS]
    return list(dict.fromkeys(url.rstrip("/") + "/" for url in found))


def _apt_mirrors(apt: Path) -> Iterator[str]:
    """Give the Debian mirrors that this machine's apt uses, if it has an apt."""
    lists = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*"))]
    for path in lists:
        if path.suffix not in (".list", ".sources"):
            continue
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(("deb ", "URIs:")):
                yield from re.findall(r"\bhttps?://\S+/debian/?(?=\s|$)", line)


def fetch(
    cache: Path,
    environment: Mapping[str, str],
    events: Events,
    packages: tuple[KnownFile, ...] = PACKAGES,
    what: str = "a Python 2.7",
) -> list[Path]:
    """Put the packages (of ``what``) into the cache unless they are there; give their paths.

    Raises:
        RequirementError: no mirror gave them; names each, and the ways out.
    """
    folder = cache / _FOLDER
    with only_one(folder, events):
        try:
            fetch_known(packages, mirrors(environment), folder, events)
        except RequirementError as trouble:
            raise RequirementError(
                f"{what} could not be fetched: {trouble.message}",
                f"Name a Debian mirror with SCENARIO_DEBIAN_MIRROR, or put these files into {folder}.",
            ) from None
    return [folder / package.name for package in packages]


def bytes_to_fetch(cache: Path, packages: tuple[KnownFile, ...] = PACKAGES) -> int:
    """Say how many bytes of the packages are not in the cache."""
    return missing_bytes(packages, cache / _FOLDER)


def unpack(packages: list[Path], prefix: Path, program: str = "python2.7") -> Path:
    """Unpack the packages below ``prefix``, which is made; give the interpreter, ``PREFIX/bin/python2.7``.

    What the packages have in ``/usr/bin`` and ``/usr/lib`` comes to ``bin`` and ``lib``, nothing else does.

    Raises:
        RequirementError: a package is no Debian package, or this Python cannot read xz.
    """
    for package in packages:
        with package.open("rb") as stream:
            _unpack_package(stream, package.name, prefix)
    python = prefix / "bin" / program
    for name in ("python", program.partition(".")[0]):
        (python.parent / name).symlink_to(python.name)
    return python


def _unpack_package(stream: IO[bytes], name: str, prefix: Path) -> None:
    data = next((data for member, data in ar_members(stream, name) if member.startswith("data.tar")), None)
    if data is None:
        raise RequirementError(f"{name} holds no data.tar, so it is no Debian package")
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                _unpack_member(archive, member, prefix)
    except tarfile.ReadError as error:
        raise RequirementError(
            f"{name} cannot be unpacked: {error}",
            "The Python that runs this needs its module lzma: use your system's python3.",
        ) from None


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, prefix: Path) -> None:
    parts = PurePosixPath(member.name).parts  # of "./usr/lib": usr, lib
    if parts[:1] != ("usr",) or parts[1:2] not in (("bin",), ("lib",)) or ".." in parts:
        return
    target = prefix.joinpath(*parts[1:])
    if member.issym() and not member.linkname.startswith("/") and ".." not in member.linkname:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(member.linkname)
    elif member.isreg() and (content := archive.extractfile(member)) is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read())
        target.chmod(0o755 if member.mode & 0o100 else 0o644)


def ar_members(stream: IO[bytes], name: str) -> Iterator[tuple[str, bytes]]:
    """Give the members of an ``ar`` archive: (name, content).

    Raises:
        RequirementError: it is none, or is cut off; ``name`` is in the message.
    """
    if stream.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise RequirementError(f"{name} is no ar archive")
    while header := stream.read(_AR_HEADER):
        size = header[48:58].decode(errors="replace").strip()
        if len(header) < _AR_HEADER or header[58:] != _AR_END or not size.isdigit():
            raise RequirementError(f"{name} is a damaged ar archive")
        content = stream.read(int(size))
        if len(content) < int(size):
            raise RequirementError(f"{name} is an ar archive that was cut off")
        stream.read(int(size) % 2)
        yield header[:16].decode(errors="replace").strip().rstrip("/"), content
