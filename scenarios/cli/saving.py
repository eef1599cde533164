"""Writing a file that an option names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def check_target(target: Path, option: str, example: str) -> None:
    """Refuse a file that cannot be one; ``example``: a file's name, for whoever named a folder.

    Raises:
        UserError: it is a folder, stands in none, or its name is not UTF-8.
    """
    from batchai_scenario.scenarios.report.text import is_utf8

    if not is_utf8(str(target)):
        raise UserError("its name is not UTF-8", option)
    if os.path.isdir(target):  # noqa: PTH112 - Path.is_dir() raises where a name is too long
        raise UserError(f"{target} is a folder", option, f"name a file: {target / example}")
    if not os.path.isdir(target.absolute().parent):  # noqa: PTH112 - likewise
        raise UserError(f"there is no folder {target.parent}", option, "make it first")


def save_to(text: str, target: Path, option: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    from batchai_scenario.scenarios.document.page import save

    try:
        save(text, target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}", option) from None
