"""Faults that a backend can be told to make: their names, their rules, and when a rule strikes."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from batchai_scenario.backends.base import BatchAIError
from batchai_scenario.backends.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAULTS = {
    "allocation": "the cluster gets no nodes: the allocation is refused",
    "quota": "the cluster gets no nodes: the account's core quota is reached",
    "nodeprep": "the cluster's nodes are unusable: their preparation fails",
    "mount": "the job fails before its command: a file share cannot be mounted",
    "image": "the job fails before its command: its container image cannot be pulled",
    "nodelost": "the job fails while it runs: its node is lost",
    "preempt": "the job fails while it runs: its low-priority node is taken away",
    "429": "a request is refused because there were too many (files: 503 ServerBusy)",
    "500": "a request fails on the service's side",
    "cut": "a connection breaks, before a request arrives or before its answer does",
}
"""Every fault and what it is."""

PROBLEMS = {
    "allocation": BatchAIError("AllocationFailed", "The nodes could not be allocated"),
    "quota": BatchAIError("AccountCoreQuotaReached", "The specified account has reached core quota"),
    "nodeprep": BatchAIError("NodePreparationFailed", "The preparation of the node failed"),
    "mount": BatchAIError("AZFMountError", "Unable to mount Azure File"),
    "image": BatchAIError("FailedStartingContainer", "unable to start docker container"),
    "nodelost": BatchAIError("NodeLost", "The node that ran the job was lost"),
    "preempt": BatchAIError("NodePreempted", "The low-priority node that ran the job was pre-empted"),
}
"""What the service says. ``quota``, ``mount``, ``image`` are known from users' reports; else our decision."""

CLUSTER = ("allocation", "quota", "nodeprep")
START = ("mount", "image")
MIDDLE = ("nodelost", "preempt")
REQUEST = ("429", "500", "cut")

KEYS = {
    **dict.fromkeys((*CLUSTER, *START), ("times", "rate")),
    **dict.fromkeys(MIDDLE, ("after", "times")),
    **dict.fromkeys(REQUEST, ("times", "rate")),
}
RATE_OF_REQUESTS = 0.1
"""The share of requests that a request's fault strikes if no rate is given."""


@runtime_checkable
class TellsFaults(Protocol):
    """A backend that knows which faults it made."""

    def injected(self) -> list[str]:
        """Give a line for each fault that was made, oldest first."""
        ...


@dataclass
class FaultRule:
    """A fault that was asked for. ``times``: how often at most; ``rate``: how likely; ``after``: seconds."""

    kind: str
    times: float
    rate: float
    after: float
    text: str

    @classmethod
    def parse(cls, text: str) -> FaultRule:
        """Read ``KIND[:key=value[,key=value]...]``.

        Raises:
            UserError: there is no such fault or key, or a value cannot be.
        """
        kind, _, rest = text.strip().partition(":")
        if kind not in FAULTS:
            close = get_close_matches(kind, FAULTS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(FAULTS)}"
            raise UserError(f"there is no fault {kind!r}", field="--fault", hint=hint)
        values: dict[str, str] = {}
        for part in filter(None, rest.split(",")):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if key not in KEYS[kind] or not equals:
                known = ", ".join(f"{name}=..." for name in KEYS[kind])
                raise UserError(f"the fault {kind!r} knows {known}, not {part!r}", field="--fault")
            values[key] = value
        request = kind in REQUEST
        return cls(
            kind,
            times=_number(values.get("times", "inf" if request else "1"), text),
            rate=_number(values.get("rate", str(RATE_OF_REQUESTS) if request else "1"), text, most=1.0),
            after=_seconds(values.get("after", "0s"), text),
            text=text.strip(),
        )


def _number(value: str, text: str, most: float = float("inf")) -> float:
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found <= most:
        raise UserError(f"{value!r} in {text!r} is not a number that can be", field="--fault")
    return found


def _seconds(value: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", value)
    if match is None:
        raise UserError(f"{value!r} in {text!r} is no time", field="--fault", hint="write 5s, 500ms or 2m")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}[match[2]]


@dataclass
class Rules:
    """Rules and their dice: the same seed and the same calls strike alike."""

    rules: list[FaultRule]
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - faults, not secrets

    @classmethod
    def parse(cls, texts: Iterable[str], seed: int = 0) -> Rules:
        """Read rules; UserError for what cannot be."""
        return cls([FaultRule.parse(text) for text in texts], seed)

    @property
    def texts(self) -> list[str]:
        """The rules as they were written."""
        return [rule.text for rule in self.rules]

    def strike(self, kinds: Iterable[str], elapsed: float = 0.0) -> str:
        """Throw the dice: the kind of the first rule that strikes, empty if none does."""
        wanted = tuple(kinds)
        with self._lock:
            for rule in self.rules:
                due = rule.kind in wanted and rule.times >= 1 and elapsed >= rule.after
                if due and self._random.random() < rule.rate:
                    rule.times -= 1
                    return rule.kind
        return ""

    def coin(self) -> bool:
        """Toss a coin."""
        with self._lock:
            return self._random.random() < 0.5  # noqa: PLR2004 - a coin

    def has(self, kinds: Iterable[str]) -> bool:
        """Tell whether any of these faults was asked for."""
        wanted = tuple(kinds)
        return any(rule.kind in wanted for rule in self.rules)


def listed() -> Mapping[str, str]:
    """Give every fault with a sentence."""
    return dict(FAULTS)
