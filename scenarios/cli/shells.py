"""Writing variables down in the language of a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def assignments(variables: Mapping[str, str], removed: Iterable[str], shell: str) -> Iterator[str]:
    """Give the lines that set some variables and remove others.

    ``shell`` is ``bash``, ``fish`` or ``powershell``, or the path of a shell; what is none of these is
    taken for a relative of bash.
    """
    name = shell.rpartition("/")[2]
    for variable in removed:
        if name == "fish":
            yield f"set -e {variable}"
        elif name in ("powershell", "pwsh"):
            yield f"Remove-Item Env:{variable} -ErrorAction Ignore"
        else:
            yield f"unset {variable}"
    for variable, value in variables.items():
        if name == "fish":
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            yield f"set -gx {variable} '{escaped}'"
        elif name in ("powershell", "pwsh"):
            escaped = value.replace("'", "''")
            yield f"$env:{variable} = '{escaped}'"
        else:
            yield f"export {variable}={shlex.quote(value)}"
