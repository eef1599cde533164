"""The points of sweeps: grids, random ones, HyperBand; what cannot be one is refused by name."""

from __future__ import annotations

import random
from typing import Any

import pytest

from batchai_scenario.backends.errors import UserError
from batchai_scenario.scenarios.definition.scenario import Scenario
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.sweep.plan import SweepRequest, plan_sweep
from tests.scenarios.sweeping import LEARNS, Sweeps, empty


def test_random_points_differ_and_are_the_same_for_the_same_seed(sweeps: Sweeps) -> None:
    def points(seed: int) -> list[Any]:
        plan = plan_sweep(
            Scenario(sweeps.file), {}, SweepRequest(["rate=0.001:1:log", "epochs=1:9"], 20, seed)
        )
        return [tuple(point.items()) for point in plan.search.first()]

    assert points(1) == points(1) != points(2)
    assert len(set(points(1))) == 20
    rates = sorted(dict(point)["rate"] for point in points(1))
    assert 0.001 <= rates[0] < rates[len(rates) // 2] < 0.2, "half of three orders of magnitude is below 0.03"


def test_hyperband_lets_the_best_of_each_round_go_on(sweeps: Sweeps) -> None:
    event = sweeps.begin("rate=0:0.2", hyperband="epochs=9", nodes=3)
    assert event.exit_code == 0
    runs = [(float(c.environment["PARAM_RATE"]), int(c.environment["PARAM_EPOCHS"])) for c in sweeps.calls]
    assert sorted(epochs for _, epochs in runs) == [1] * 9 + [3] * 8 + [9] * 5
    once = sorted(rate for rate, epochs in runs if epochs == 1)
    assert set(once[:3]) <= {rate for rate, epochs in runs if epochs == 3}
    assert (once[0], 9) in runs


def test_hyperband_goes_on_where_it_was_cut_off(sweeps: Sweeps) -> None:
    dice = random.Random(3)
    moment = f"train-{dice.randint(10, 20):04d}"
    sweeps.kill_at(
        lambda event: isinstance(event, e.PointEnded) and event.job == moment,
        "rate=0:0.2",
        hyperband="epochs=9",
    )
    assert sweeps.resume().exit_code == 0
    assert sorted(call.job for call in sweeps.calls) == [f"train-{number:04d}" for number in range(1, 23)]


BAD: dict[str, tuple[list[str], dict[str, Any]]] = {
    "--over rat: the scenario has no parameter 'rat'": (["rat=1"], {}),
    "--over rate: 5.0 is above the maximum 1": (["rate=0.5,5"], {}),
    "--over epochs: '1.5' is not an integer": (["epochs=1.5"], {}),
    "--over rate: 0.1 stands twice": (["rate=0.1,0.1"], {}),
    "--over rate: it stands twice": (["rate=0.1", "rate=0.2"], {}),
    "--over: 'rate' is not NAME=VALUE": (["rate"], {}),
    "--over: a sweep goes over the values of a parameter": ([], {}),
    "--over rate: a range holds no end of points": (["rate=0.1:0.2"], {}),
    "--over rate: 0.2 is above 0.1": (["rate=0.2:0.1"], {"random": 2}),
    "--over rate: a range with :log begins above 0": (["rate=0:1:log"], {"random": 2}),
    "--over nodes: it changes the scenario's cluster": (["nodes=1,2"], {}),
    "--random: there are only 2 points": (["rate=0.1,0.2"], {"random": 3}),
    "--over: these are 122,500 points": (
        [
            f"{name}={','.join(map(str, values))}"
            for name, values in {"epochs": range(1, 51), "rate": [n / 2450 for n in range(2450)]}.items()
        ],
        {},
    ),
    "--minimize: the job has no metric 'los'": (["rate=0.1"], {"minimize": "los"}),
    "--hyperband epoch: the scenario has no parameter 'epoch'": (["rate=0:1"], {"hyperband": "epoch=9"}),
    "--hyperband epochs: 81 is above the maximum 50": (["rate=0:1"], {"hyperband": "epochs=81"}),
    "--hyperband epochs: --over has it, too": (["epochs=1,2"], {"hyperband": "epochs=9"}),
    "--hyperband: 'epochs' is not NAME=MOST": (["rate=0:1"], {"hyperband": "epochs"}),
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_swept_is_refused_by_name_before_anything_is_made(sweeps: Sweeps, text: str) -> None:
    over, asked = BAD[text]
    with pytest.raises(UserError) as caught:
        sweeps.begin(*over, **asked)
    assert text in str(caught.value)
    assert not (sweeps.home / "runs").exists()
    assert empty(sweeps)


def test_fewer_nodes_than_a_job_needs_are_refused(sweeps: Sweeps) -> None:
    sweeps.file.write_text(LEARNS.replace("nodeCount: 1", "nodeCount: 2").replace('"{{ nodes }}"', "2"))
    with pytest.raises(UserError, match="--nodes: a job needs 2 nodes"):
        sweeps.begin("rate=0.1", nodes=1)


def test_a_scenario_of_several_jobs_is_refused(sweeps: Sweeps) -> None:
    text = LEARNS.replace(
        "expect:", "  test: {nodeCount: 1, stdOutErrPathPrefix: x, customToolkitSettings: {}}\nexpect:"
    )
    sweeps.file.write_text(text)
    with pytest.raises(UserError, match="the jobs train, test"):
        sweeps.begin("rate=0.1")
