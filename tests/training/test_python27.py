"""A Python 2.7 that is fetched: from whom, how it is checked, and what an archive can give."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.lacking import skip_for
from training.support import machine, python27
from training.support.downloads import KnownFile, fetch_known, missing_bytes
from training.support.events import RequirementError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import Heard, Mirror


def ar(*members: tuple[str, bytes]) -> bytes:
    data = b"!<arch>\n"
    for name, content in members:
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        data += content + b"\n" * (len(content) % 2)
    return data


def package(folder: Path, *entries: tarfile.TarInfo) -> Path:
    """Write a Debian package whose files hold their own names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for entry in entries:
            content = entry.name.encode() if entry.isreg() else b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    path = folder / "some_1_amd64.deb"
    path.write_bytes(
        ar(("debian-binary", b"2.0"), ("control.tar.xz", b"odd"), ("data.tar.xz/", out.getvalue()))
    )
    return path


def entry(name: str, mode: int = 0o644, *, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.mode = mode
    if link:
        found.type, found.linkname = tarfile.SYMTYPE, link
    return found


def test_a_package_gives_programs_and_libraries_and_nothing_beside_its_folder(tmp_path: Path) -> None:
    path = package(
        tmp_path,
        entry("./usr/bin/python2.7", 0o755),
        entry("./usr/lib/python2.7/os.py"),
        entry("./usr/lib/libffi.so.7", link="libffi.so.7.1"),
        entry("./usr/lib/outside", link="../../../outside"),
        entry("./usr/lib/site.py", link="/etc/site.py"),
        entry("./usr/lib/../../../escaped"),
        entry("./usr/share/doc/copyright"),
        entry("./etc/python2.7/sitecustomize.py"),
        entry("/usr/bin/absolute"),
    )
    prefix = tmp_path / "deep" / "prefix"
    python = python27.unpack([path], prefix)
    found = sorted(str(item.relative_to(tmp_path / "deep")) for item in (tmp_path / "deep").rglob("*"))
    assert [name for name in found if not (tmp_path / "deep" / name).is_dir() or "python" in name] == [
        "prefix/bin/python",
        "prefix/bin/python2",
        "prefix/bin/python2.7",
        "prefix/lib/libffi.so.7",
        "prefix/lib/python2.7",
        "prefix/lib/python2.7/os.py",
    ]
    assert os.access(python, os.X_OK)
    assert not os.access(prefix / "lib" / "python2.7" / "os.py", os.X_OK)
    assert (prefix / "lib" / "libffi.so.7").readlink().name == "libffi.so.7.1"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MZ", "no ar archive"),
        (ar(("data.tar.xz", b"abcd"))[:-2], "cut off"),
        (b"!<arch>\n" + b"x" * 60, "damaged"),
        (ar(("debian-binary", b"2.0\n")), "no Debian package"),
        (ar(("data.tar.xz", b"not a tar")), "cannot be unpacked"),
    ],
)
def test_what_is_no_package_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(data)
    with pytest.raises(RequirementError, match=rf"x\.deb.*{message}"):
        python27.unpack([path], tmp_path / "prefix")


def test_a_named_mirror_is_asked_alone_else_the_machines_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.example/debian old main\n"
        "deb [signed-by=/x.gpg] http://own.example/debian trixie main\n"
        "deb http://own.example/debian-security trixie-security main\n"
    )
    (tmp_path / "sources.list.d" / "b.sources").write_text(
        "Types: deb\nURIs: https://second.example/debian/\n"
    )
    (tmp_path / "sources.list.d" / "c.list.save").write_text("deb http://saved.example/debian x main\n")
    own = ["http://own.example/debian/", "https://second.example/debian/"]
    assert python27.mirrors({}, tmp_path) == [*own, *python27.MIRRORS]
    named = {"SCENARIO_DEBIAN_MIRROR": "https://a.example/debian https://b.example/debian/"}
    assert python27.mirrors(named, tmp_path) == ["https://a.example/debian/", "https://b.example/debian/"]
    assert python27.mirrors({}, tmp_path / "no apt") == list(python27.MIRRORS)


def known(name: str, content: bytes, path: str = "") -> KnownFile:
    return KnownFile(name, len(content), hashlib.sha256(content).hexdigest(), path)


def test_other_bytes_are_refused_and_the_next_mirror_is_asked(
    tmp_path: Path, mirror: Mirror, heard: Heard
) -> None:
    mirror.files = {"bad/a.deb": b"evil", "good/a.deb": b"true", "bad/b.deb": b"true", "good/b.deb": b"true"}
    files = [known("a.deb", b"true"), known("b.deb", b"true")]
    mirrors = [f"{mirror.url}{place}/" for place in ("missing", "bad", "good")]
    assert fetch_known(files, mirrors, tmp_path, heard) == mirrors[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.deb", "b.deb"]
    assert (tmp_path / "a.deb").read_bytes() == b"true"
    mirror.requests.clear()
    assert fetch_known(files, mirrors, tmp_path, heard) == "", "what is there is not asked for"
    assert mirror.requests == []


def test_a_mirror_that_never_ends_is_left_at_the_known_size(
    tmp_path: Path, mirror: Mirror, heard: Heard
) -> None:
    mirror.files = {"a.deb": b"x" * 1_000_000}
    with pytest.raises(RequirementError, match="wrong SHA-256"):
        fetch_known([known("a.deb", b"x" * 1000)], [mirror.url], tmp_path, heard)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_it_says_what_could_not_be_fetched_and_from_where(
    tmp_path: Path, heard: Heard
) -> None:
    environment = {"SCENARIO_DEBIAN_MIRROR": "http://127.0.0.1:9/debian"}
    with pytest.raises(RequirementError) as caught:
        python27.fetch(tmp_path, environment, heard)
    for package_ in python27.PACKAGES:
        assert package_.name in caught.value.message
    assert "http://127.0.0.1:9/debian/: not reachable" in caught.value.message
    assert "SCENARIO_DEBIAN_MIRROR" in caught.value.remedy
    assert str(tmp_path / "debian") in caught.value.remedy
    assert python27.bytes_to_fetch(tmp_path) == sum(item.size for item in python27.PACKAGES)


def test_bytes_that_are_missing_are_counted(tmp_path: Path) -> None:
    files = [known("a", b"12345"), known("b", b"123")]
    assert missing_bytes(files, tmp_path) == 8
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"456")
    assert missing_bytes(files, tmp_path) == 3


def test_a_place_without_room_is_named_before_anything_is_fetched(tmp_path: Path) -> None:
    machine.check_place(tmp_path / "not" / "yet", 1)
    with pytest.raises(RequirementError, match=r"MB free, and .* MB are needed"):
        machine.check_place(tmp_path / "not" / "yet", 1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_program_can_run_is_named(tmp_path: Path) -> None:
    noexec = next((path for path in ("/dev/shm", "/sys", "/proc") if os.statvfs(path).f_flag & 8), "")
    if not noexec:
        skip_for("a noexec file system", "no file system here is mounted noexec")
    with pytest.raises(RequirementError, match=r"noexec|may not be written"):
        machine.check_place(type(tmp_path)(noexec), 1)


def test_another_kind_of_machine_is_told_in_a_sentence() -> None:
    with pytest.raises(
        RequirementError,
        match=r"CNTK's wheels are for Linux with glibc on x86-64; this machine is Linux aarch64",
    ):
        machine.check_platform("CNTK's wheels are", ("Linux", "aarch64", "glibc"))
    with pytest.raises(RequirementError, match="Linux x86_64 without glibc"):
        machine.check_platform("CNTK's wheels are", ("Linux", "x86_64", ""))
    machine.check_platform("CNTK's wheels are", ("Linux", "x86_64", "glibc"))
