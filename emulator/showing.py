"""The page of an emulator, put together from its services when the first browser comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineUnavailable
from batchai_scenario.emulator.ui.actions import Actions
from batchai_scenario.emulator.ui.board import Board
from batchai_scenario.emulator.ui.folders import FolderBrowser
from batchai_scenario.emulator.ui.jobs import Details
from batchai_scenario.emulator.ui.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.services import Services
    from batchai_scenario.emulator.settings import EmulatorSettings


def make_page(
    services: Services, settings: EmulatorSettings, facts: Callable[[], dict[str, Any]], token: str
) -> Page:
    """Put together the page that shows the services; ``facts`` is what it says of the emulator."""
    window = None if services.clusters is None else services.clusters.controller.window
    return Page(
        token=token,
        facts=facts,
        engine=lambda: _looked_at(services),
        folders=FolderBrowser(services.accounts, services.volumes),
        board=None if window is None else Board(window),
        details=None if window is None else Details(window, services.volumes),
        actions=None if window is None else Actions(services.manager),
        runs=settings.runs,
    )


def _looked_at(services: Services) -> dict[str, Any]:
    """Say which engine new clusters get, and what keeps it from working."""
    told: dict[str, Any] = {"name": "", "version": "", "notes": [], "problem": "", "remedy": ""}
    if services.clusters is None:
        return told
    engines = services.clusters.engines
    try:
        found = engines("").info()
    except EngineUnavailable as error:
        told.update(problem=error.problem.message, remedy=error.remedy)
    else:
        told.update(name=found.name, version=found.version)
    return {**told, "notes": list(engines.notes)}
