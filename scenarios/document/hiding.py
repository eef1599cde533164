"""Secrets that a job may have printed: taken out of the lines that a report quotes."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchai_scenario.schema.secrets import is_placeholder, split_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from batchai_scenario.scenarios.record.model import RunRecord

_SIGNATURE = re.compile(r"(?i)\b(sig=)[^&\s\"']+")
_SHORTEST = 4
"""Characters below which a secret is a word like any other."""


def hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """Give what takes secrets, and signatures of links, out of a text."""
    texts = {part for text in secrets for part in (text, *text.splitlines()) if len(part) >= _SHORTEST}
    known = sorted({form for text in texts for form in _forms(text)}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def hide(text: str) -> str:
        text = _SIGNATURE.sub(r"\1<hidden>", text)
        return pattern.sub("<hidden>", text) if pattern else text

    return hide


def _forms(text: str) -> tuple[str, ...]:
    """Give a secret as programs write it: as it is, in addresses, and in JSON."""
    return text, quote(text, safe=""), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def known_secrets(
    record: RunRecord, environment: Mapping[str, str], own: Iterable[str]
) -> tuple[list[str], str]:
    """Collect what a job of a run may know and nobody else should.

    Args:
        record: The run: its scenario is read once more, as no record holds a secret.
        environment: Variables of which those of backends that are secrets count.
        own: What the home's emulator gives its jobs.

    Returns:
        The secrets, and a sentence that says what could not be found out; empty if all is well.
    """
    from batchai_scenario.backends.settings import SETTINGS
    from batchai_scenario.scenarios.definition.scenario import Scenario

    found = [*own, *(environment.get(it.variable, "") for it in SETTINGS if it.secret)]
    problem = "the scenario's file could not be read again: a secret of its own in a log would not be seen"
    with suppress(Exception):  # a scenario that is gone, changed, or whose hook fails
        scenario = Scenario(Path(record.file)).resolve(
            {name: str(value) for name, value in record.parameters.items()}
        )
        for body in (scenario.cluster, *scenario.jobs.values()):
            secrets = split_secrets(dict(body))[1].values()
            found += [str(value) for value in secrets if not is_placeholder(value)]
        problem = ""
    return found, problem
