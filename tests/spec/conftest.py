"""Fixtures of the front, which these tests look at from the published descriptions' side."""

from __future__ import annotations

from tests.front.conftest import clock, front

__all__ = ["clock", "front"]
