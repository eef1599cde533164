"""Proving GPUs in a throw-away container of the job's own image, and keeping the proof.

It is kept for the image, the engine, the driver and the devices, and made anew where one of them changes. One
that fails is not kept: what was amiss may have been mended.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.docker.containers import run_briefly
from batchai_scenario.emulator.engines.docker.gpuways import ALL, REMEDY, ways_of, why_none
from batchai_scenario.emulator.engines.gpu import LIST, Gpu, Proof, machine_gpus, read_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.engines.docker.api import Api, Facts
    from batchai_scenario.emulator.engines.docker.gpuways import GpuWay
    from batchai_scenario.emulator.state.home import Home

_DRIVER = Path("/proc/driver/nvidia/version")
_LAST_WORDS = 200
"""Characters of what a proof printed that stand in the reason."""


def prove_gpus(
    api: Api, facts: Facts, home: Home, *, image: str, devices: Sequence[str] | None, marks: Mapping[str, str]
) -> Proof:
    """Tell which GPUs a container of an image gets of the engine, trying its ways in turn.

    Args:
        api: the engine.
        facts: what it says of itself.
        home: where proofs are kept.
        image: the image's id.
        devices: the node's GPUs; None: all that there are.
        marks: labels of the container.
    """
    if devices is not None and not devices:
        return Proof(why="its node has no GPU")
    machine = machine_gpus()
    ways = ways_of(facts.info, [gpu.index for gpu in machine])
    if not ways:
        return Proof(why=why_none(facts.info), remedy=REMEDY)
    driver = machine[0].driver if machine else _driver()
    whys = []
    for way in ways:
        wanted = tuple(devices if devices is not None else way.devices)
        if not set(wanted) <= set(way.devices):
            whys.append(f"{way.how}: it has no {', '.join(sorted(set(wanted) - set(way.devices)))}")
            continue
        request = way.request(wanted)
        file = home.cache / "gpus" / f"{_key(facts, image, driver, way, wanted)}.json"
        gpus = _kept(file)
        why = ""
        if not gpus:
            gpus, why = _tried(api, facts, image, request, marks)
            if ALL not in wanted and len(gpus) > len(wanted):
                why = f"nvidia-smi lists {len(gpus)} in the container, which was given {len(wanted)}"
                gpus = ()
        if gpus:
            _keep(file, gpus)
            return Proof(gpus, way.how, request=request)
        whys.append(f"{way.how}: {why}")
    return Proof(why="; ".join(whys), remedy=REMEDY)


def _tried(
    api: Api, facts: Facts, image: str, request: object, marks: Mapping[str, str]
) -> tuple[tuple[Gpu, ...], str]:
    from docker.errors import APIError

    try:
        code, text = run_briefly(api, facts, image, ["/bin/sh", "-c", LIST], marks=marks, gpus=request)
    except APIError as error:
        return (), str(error.explanation or error).strip()
    gpus = read_gpus(text) if code == 0 else ()
    said = " ".join(text.split())[-_LAST_WORDS:]
    return gpus, "" if gpus else f"nvidia-smi ended with {code} in the container: {said}"


def _key(facts: Facts, image: str, driver: str, way: GpuWay, devices: Sequence[str]) -> str:
    parts = [image, facts.info.get("ID", ""), facts.version, driver, way.kind, way.mark, *devices]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _driver() -> str:
    try:
        return _DRIVER.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return ""


def _kept(file: Path) -> tuple[Gpu, ...]:
    try:
        return tuple(Gpu(**entry) for entry in json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ()


def _keep(file: Path, gpus: Sequence[Gpu]) -> None:
    with suppress(OSError):  # it is proven anew the next time
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps([dataclasses.asdict(gpu) for gpu in gpus]), encoding="utf-8")
        draft.replace(file)
