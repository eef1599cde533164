"""The library: every scenario can be planned, and its expectations fail a model that has learnt nothing."""

from __future__ import annotations

import re

import pytest

from batchai_scenario.backends.bodies import check
from batchai_scenario.backends.errors import UserError
from batchai_scenario.scenarios.definition.bodies import with_user_account
from batchai_scenario.scenarios.definition.discovery import LIBRARY, find
from batchai_scenario.scenarios.definition.expect import limits_of, metric_values
from batchai_scenario.training.toolkits.registry import delivered

NAMES = sorted(folder.name for folder in LIBRARY.iterdir())
TRAINING = [name for name in NAMES if name.endswith("mnist") or name.startswith(("cifar", "batch"))]
GUESSED = 90.0
"""Percent of ten classes that a model which learnt nothing takes for another."""


@pytest.mark.parametrize("name", NAMES)
def test_its_bodies_are_the_services(name: str) -> None:
    resolved = find(name).resolve({})
    check("Cluster", with_user_account(resolved.cluster))
    for body in resolved.jobs.values():
        check("Job", dict(body))


@pytest.mark.parametrize("name", TRAINING)
def test_a_model_that_learnt_nothing_fails_it(name: str) -> None:
    resolved = find(name).resolve({})
    limits = [
        limit
        for section in resolved.expect.values()
        for metric, one in section.metrics.items()
        if "error" in metric
        for limit in limits_of(one, resolved.parameters)
    ]
    assert any(not limit.met(GUESSED) for limit in limits)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("keras-mnist", {"backend": "theano"}, "backend"),
        ("pytorch-mnist", {"nodes": "0"}, "nodes"),
        ("pytorch-mnist", {"nodes": "9"}, "nodes"),
        ("pytorch-mnist", {"epochs": "none"}, "epochs"),
        ("pytorch-mnist", {"backend": "nccl"}, "backend"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(name: str, values: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        find(name).resolve(values)


def test_keras_runs_in_the_toolkit_of_its_back_end() -> None:
    for backend, settings, log in (
        ("cntk", "cntkSettings", "stdout.txt"),
        ("tensorflow", "tensorFlowSettings", "stdout-wk-0.txt"),
    ):
        resolved = find("keras-mnist").resolve({"backend": backend})
        (job,) = resolved.jobs.values()
        check("Job", dict(job))
        assert [name for name in delivered().names if name in job] == [settings]
        assert {metric.from_ for metric in resolved.expect["train"].metrics.values()} == {log}
        assert backend in job["containerSettings"]["imageSourceRegistry"]["image"]


def test_a_current_pytorch_has_its_image_and_is_demanded() -> None:
    for chosen, image, python, limits in (
        ({}, "pytorch/pytorch:0.4_cuda9_cudnn7", "python", []),
        ({"pytorch": "current"}, "pytorch/pytorch:2.", "python3", [(1.13, False), (2.0, True), (2.6, True)]),
        (
            {"pytorch": "current", "python": "/venv/bin/python", "image": "mine:1"},
            "mine:1",
            "/venv/bin/python",
            [],
        ),
    ):
        resolved = find("pytorch-mnist").resolve(chosen)
        job = resolved.jobs["train"]
        check("Job", dict(job))
        assert job["containerSettings"]["imageSourceRegistry"]["image"].startswith(image)
        assert job["pyTorchSettings"]["pythonInterpreterPath"] == python
        version = resolved.expect["train"].metrics["version"]
        assert list(metric_values(version.pattern, "PyTorch 2.6.0+debian on cpu")) == [2.6]
        for value, is_met in limits:
            assert all(limit.met(value) for limit in limits_of(version, resolved.parameters)) is is_met


def test_mnists_loss_and_error_fall_within_an_epoch() -> None:
    found = find("mnist").resolve({}).expect["train"].metrics
    lines = (
        "  epoch 1:  9984 of 60000, loss 1.395333, error 47.671 %",
        "  epoch 1: 20032 of 60000, loss 0.887273, error 29.697 %",
        "Epoch 1 of 2: loss 0.298715, error 9.423 %, 60000 samples in 22.1 s",
        "Test error: 2.10 %",
    )
    for metric, values in (
        ("training_loss", [1.395333, 0.887273, 0.298715]),
        ("training_error_percent", [47.671, 29.697, 9.423]),
        ("epoch_seconds", [22.1]),
        ("test_error_percent", [2.1]),
    ):
        assert [value for line in lines for value in metric_values(found[metric].pattern, line)] == values
