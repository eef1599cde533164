"""How containers are named among the records of shares."""

from __future__ import annotations

CONTAINERS = "/_blob/"
"""Stands between account and container in the names of records; no share's name has it."""


def container_key(account: str, container: str) -> str:
    """Name a container among the records."""
    return f"{account}{CONTAINERS}{container}"
