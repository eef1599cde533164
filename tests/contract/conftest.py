"""What the tests of the contract share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def contract_image(docker_reason: str, request: pytest.FixtureRequest) -> str:
    """The image that jobs of the checks run in where there is Docker."""
    return "" if docker_reason else str(request.getfixturevalue("docker_image"))
