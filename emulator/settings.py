"""How an emulator serves a home: the one object that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.credentials import NO_CREDENTIALS, Credentials

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.emulator.ui.ports import RunBook


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """How to serve a home.

    ``port`` 0: the previous one if it is free, else any. ``engine``: ``auto``, ``docker``, ``process`` or
    ``slurm``; ``gpus``: ``auto``, ``none``, ``required`` or ``shared``; both can be chosen anew for each
    cluster.
    ``strict``: keep the service's pace (``Retry-After: 15``). ``training``: folder of training programs, by
    default the installed one. ``python``: the interpreter that CNTK environments are made from, empty: found.
    ``pull``: Docker images that are missing, ``missing`` or ``never``. ``credentials``: what is known
    besides the home's own and what is made through the resource manager. ``development_credentials``: the
    published ones are known, too, so that whoever reaches the emulator can do all that its user can.
    ``only``: ``files`` for storage alone, without clusters, engines and Batch AI; empty for everything.
    ``https``: on one more port, over TLS, with a certificate of the home's authority for this machine.
    ``copy_seconds``: how long copies of files stay pending. ``share_days``: how long deleted shares can be
    had back, where nobody set that for their account; 0: not at all. ``runs``: the home's runs, for the page.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 0
    engine: str = "auto"
    gpus: str = "auto"
    strict: bool = False
    training: Path | None = None
    python: str = ""
    pull: str = "missing"
    credentials: Credentials = NO_CREDENTIALS
    development_credentials: bool = False
    only: str = ""
    https: bool = False
    copy_seconds: float = 0.0
    share_days: int = 0
    runs: RunBook | None = None
