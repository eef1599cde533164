"""What environments are put together from: libraries made without a compiler, wheels, sources."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from training.support.openmpi import lead_to
from training.support.wheels import add_pip, unpack
from training.toolkits.cntk.elf import shared_library
from training.toolkits.cntk.install import add_mpi, add_python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# Libraries without a compiler ----------------------------------------------------------------------------


def test_a_library_defines_its_functions(tmp_path: Path) -> None:
    path = tmp_path / "libtraps.so"
    path.write_bytes(shared_library("libtraps.so", traps=("one", "two", "three")))
    library = ctypes.CDLL(str(path))
    for name in ("one", "two", "three"):
        assert getattr(library, name)
    with pytest.raises(AttributeError):
        library.four  # noqa: B018 - it is looked up


def test_calling_what_must_not_be_called_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "libtraps.so"
    path.write_bytes(shared_library("libtraps.so", traps=("one",)))
    code = f"import ctypes; ctypes.CDLL({str(path)!r}).one()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGILL


def test_a_library_brings_another_along(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "libnew.so.40").write_bytes(shared_library("libnew.so.40", traps=("work",)))
    path = tmp_path / "libold.so.12"
    path.write_bytes(shared_library("libold.so.12", needed=("libnew.so.40",), runpath="$ORIGIN/deep"))
    assert ctypes.CDLL(str(path)).work


def test_an_empty_library_loads(tmp_path: Path) -> None:
    (tmp_path / "site" / "cntk" / "libs").mkdir(parents=True)
    add_python(tmp_path / "site", "cp36m")
    ctypes.CDLL(str(tmp_path / "site" / "cntk" / "libs" / "libpython3.6m.so.1.0"))


# Wheels --------------------------------------------------------------------------------------------------


def test_a_wheel_is_unpacked_where_pip_would(tmp_path: Path) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pack/__init__.py", "x = 1")
        program_file = zipfile.ZipInfo("w-1.data/data/bin/tool")
        program_file.external_attr = 0o755 << 16
        archive.writestr(program_file, "#!/bin/sh\necho tool\n")
        archive.writestr("w-1.data/purelib/pure.py", "")
        archive.writestr("w-1.data/headers/h.h", "")
        archive.writestr("../outside", "")
        archive.writestr("/absolute", "")
    site, prefix = tmp_path / "env" / "lib" / "site", tmp_path / "env"
    unpack(wheel, site, prefix)
    assert sorted(str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file()) == [
        "bin/tool",
        "lib/site/pack/__init__.py",
        "lib/site/pure.py",
    ]
    assert os.access(prefix / "bin" / "tool", os.X_OK)
    assert not os.access(site / "pure.py", os.X_OK)
    assert not (tmp_path / "env" / "lib" / "outside").exists()


def test_sources_of_pure_python_are_unpacked_as_they_would_be_installed(tmp_path: Path) -> None:
    archive = tmp_path / "pack-1.2.tar.gz"
    with tarfile.open(archive, "w:gz") as sources:
        for name in (
            "pack/__init__.py",
            "pack/deep/x.py",
            "pack.egg-info/PKG-INFO",
            "setup.py",
            "pack/../out",
        ):
            entry = tarfile.TarInfo(f"pack-1.2/{name}")
            entry.size = len(name)
            sources.addfile(entry, io.BytesIO(name.encode()))
    unpack(archive, tmp_path / "site", tmp_path)
    found = {path.relative_to(tmp_path / "site") for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert {str(path) for path in found} == {
        "pack/__init__.py",
        "pack/deep/x.py",
        "pack-1.2.egg-info/PKG-INFO",
    }
    assert not (tmp_path / "out").exists()


def test_old_names_lead_to_the_mpi_of_the_tree(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.6" / "site-packages"
    (site / "cntk" / "libs").mkdir(parents=True)
    (tmp_path / "lib" / "libmpi.so.40").write_bytes(shared_library("libmpi.so.40", traps=("MPI_Init",)))
    add_mpi(site, tmp_path, "sys.prefix")
    assert ctypes.CDLL(str(site / "cntk" / "libs" / "libmpi.so.12")).MPI_Init
    assert ctypes.CDLL(str(site / "cntk" / "libs" / "libmpi_cxx.so.1")).ompi_mpi_cxx_op_intercept
    assert "single_copy_mechanism = none" in (tmp_path / "etc" / "openmpi-mca-params.conf").read_text()


@pytest.mark.parametrize("write", [add_mpi, lead_to])
def test_mpi_is_told_where_it_lies_as_its_own_programs_know_it(
    write: Callable[[Path, Path, str], None], tmp_path: Path
) -> None:
    """A rank behind a link that was told the link's name hung: mpirun had told it the real one."""
    site, link = tmp_path / "real" / "site", tmp_path / "link"
    (site / "cntk" / "libs").mkdir(parents=True)
    link.symlink_to(tmp_path / "real")
    write(site, tmp_path / "real", f"'{link}'")
    line = (site / "openmpi_prefix.pth").read_text()
    told = [sys.executable, "-c", f"{line}print(os.environ['OPAL_PREFIX'])"]
    said = subprocess.run(told, env={}, capture_output=True, text=True, check=True)
    assert said.stdout == f"{tmp_path / 'real'}\n"


def test_pip_is_the_trees_own(tmp_path: Path) -> None:
    add_pip(tmp_path, 3)
    (tmp_path / "python").write_text('#!/bin/sh\necho "python $@"\n')
    (tmp_path / "python").chmod(0o755)
    for name in ("pip", "pip3"):
        assert (
            subprocess.check_output([tmp_path / name, "install", "x"], text=True)
            == "python -m pip install x\n"
        )
