"""Puts CNTK's wheels, and the MPI that they want, into a folder tree: of an environment, or of an image."""

from __future__ import annotations

import os
from pathlib import Path

from training.support.openmpi import write_settings
from training.toolkits.cntk.elf import shared_library

# C++ functions of Open MPI 1.10 that CNTK's libraries are linked against and never call.
_CXX = ("_ZN3MPI3Win4FreeEv", "_ZN3MPI4CommC2Ev", "_ZN3MPI8Datatype4FreeEv", "ompi_mpi_cxx_op_intercept")


def add_mpi(site: Path, prefix: Path, prefix_expression: str) -> None:
    """Give CNTK the MPI libraries under the names that it wants, and tell Open MPI where it lives.

    ``prefix_expression`` is what a Python of the tree evaluates to find the prefix. Open MPI's own programs know
    theirs without links: a rank that is told another one hangs as it complains of that.
    """
    libraries = site / "cntk" / "libs"
    runpath = f"$ORIGIN/{os.path.relpath(prefix / 'lib', libraries)}"
    mpi = shared_library("libmpi.so.12", needed=("libmpi.so.40",), runpath=runpath)
    (libraries / "libmpi.so.12").write_bytes(mpi)
    (libraries / "libmpi_cxx.so.1").write_bytes(shared_library("libmpi_cxx.so.1", traps=_CXX))
    line = f"import os, sys; os.environ.setdefault('OPAL_PREFIX', os.path.realpath({prefix_expression}))\n"
    (site / "openmpi_prefix.pth").write_text(line)
    write_settings(prefix)


def add_python(site: Path, abi: str) -> None:
    """Let CNTK load in a Python that is linked statically, as Debian's and Ubuntu's are.

    CNTK's extension wants the shared library of Python itself. Where Python has one it is loaded already and
    serves; where it has none, the program holds everything and an empty library of that name will do.
    """
    name = {
        "cp27mu": "libpython2.7.so.1.0",
        "cp35m": "libpython3.5m.so.1.0",
        "cp36m": "libpython3.6m.so.1.0",
    }[abi]
    (site / "cntk" / "libs" / name).write_bytes(shared_library(name))
