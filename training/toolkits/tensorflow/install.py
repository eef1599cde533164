"""Puts TensorFlow's wheels into a folder tree: of an environment, or of an image."""

from __future__ import annotations

from pathlib import Path

from training.support.wheels import add_pip

_SHARED = ("google", "backports")  # packages of which several wheels bring parts, and none the beginning


def finish(site: Path, programs: Path, major: int) -> None:
    """Complete what the wheels leave to an installer, once they are unpacked."""
    for name in _SHARED:
        if (site / name).is_dir() and not (site / name / "__init__.py").exists():
            (site / name / "__init__.py").touch()
    add_pip(programs, major)
