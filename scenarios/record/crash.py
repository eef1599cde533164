"""Keeping what is needed to find a bug of ours."""

from __future__ import annotations

import platform
import traceback
from datetime import datetime, timezone
from pathlib import Path

from batchai_scenario import __version__
from batchai_scenario.scenarios.record.home import make_private


def keep_traceback(error: BaseException, home: Path | str | None) -> Path | None:
    """Write an error's traceback to ``<home>/crashes/``; None if that cannot be done."""
    text = "".join(traceback.format_exception(error))
    moment = datetime.now(timezone.utc)
    file = Path(home or ".") / "crashes" / f"{moment:%Y%m%d-%H%M%S-%f}.txt"
    try:
        make_private(file.parent)
        file.write_text(
            f"{moment.isoformat()}\nscenario {__version__}, Python {platform.python_version()}, "
            f"{platform.platform()}\n\n{text}",
            encoding="utf-8",
        )
    except OSError:
        return None
    return file
