"""Who a program is at an emulator: names that are the same everywhere, and secrets that are published.

The names are good in every home, with the secrets of that home (``emulator.state.own``). The published
secrets are to this emulator what ``devstoreaccount1`` is to the storage emulators: a program's placeholders
are filled with them once, and then work on every machine that was told to know them. Everybody can read them.
"""

from __future__ import annotations

import base64

from batchai_scenario.emulator.state.own import OwnCredentials

TENANT = "72f9a100-0000-4000-8000-ba7c4a100001"
"""Directory (tenant) id."""

CLIENT = "72f9a100-0000-4000-8000-ba7c4a100002"
"""Application (client) id of the service principal."""

SUBSCRIPTION = "72f9a100-0000-4000-8000-ba7c4a100003"
"""A subscription id to use; the emulator serves any other as well."""

ACCOUNT = "batchaidevelopment"
"""Name of the storage account that always exists."""

SECRET = "batch-ai-development"  # noqa: S105 - a published development credential
"""The service principal's published password, known with ``--development-credentials`` only."""

ACCOUNT_KEY = base64.b64encode(b"batch ai emulator: a development account key for every machine!!").decode()
"""The account's published key (base64 of 64 bytes, as Azure's are), known in the same case only."""

PUBLISHED = OwnCredentials(SECRET, ACCOUNT_KEY)
"""Both."""
