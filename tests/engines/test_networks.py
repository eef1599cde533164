"""A cluster's network where other homes make theirs at the same moment, on an engine that is played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from batchai_scenario.emulator.engines.docker.networks import Networks
from batchai_scenario.emulator.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.state.home import Home


class CrowdedEngine:
    """Chooses one subnet after the other; others are so ``often`` faster to take what it chose."""

    def __init__(self, often: int) -> None:
        self.often = often
        self.chosen = 16
        self.made: dict[str, dict[str, Any]] = {}

    def networks(self, names: list[str]) -> list[dict[str, Any]]:
        return [self.made[name] for name in names if name in self.made]

    def create_network(self, name: str, *, driver: str, ipam: Any, labels: Mapping[str, str]) -> None:
        assert driver == "bridge"
        pools = (ipam or {}).get("Config") or []
        if not pools:
            self.chosen += 1
            subnet = f"172.{self.chosen}.0.0/16"
        else:
            subnet = pools[0]["Subnet"]
            if subnet.startswith("10.") or self.often:
                self.often -= not subnet.startswith("10.")
                self.refuse("Pool overlaps with other one on this address space")
        self.made[name] = {"Name": name, "Labels": dict(labels), "IPAM": {"Config": [{"Subnet": subnet}]}}

    def remove_network(self, name: str) -> None:
        del self.made[name]

    @staticmethod
    def refuse(why: str) -> None:
        from docker.errors import APIError  # type: ignore[import-untyped, unused-ignore]

        raise APIError(why, response=requests.Response(), explanation=why)


@pytest.mark.parametrize("often", [0, 1, 9])
def test_a_subnet_that_another_home_was_faster_to_take_is_chosen_anew(home: Home, often: int) -> None:
    engine = CrowdedEngine(often)
    assert Networks(engine, home).make("c") == f"172.{17 + often}.0.0/16"
    (made,) = engine.made.values()
    assert made["Labels"]["scenario.subnet"] == f"172.{17 + often}.0.0/16"
    assert Networks(engine, home).make("c") == f"172.{17 + often}.0.0/16", "it is found again"


def test_an_engine_without_a_free_subnet_is_told_in_its_words_and_leaves_nothing(home: Home) -> None:
    engine = CrowdedEngine(99)
    with pytest.raises(EngineError, match="cannot be made: Pool overlaps"):
        Networks(engine, home).make("c")
    assert engine.made == {}
