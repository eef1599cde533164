"""Credentials that every emulator knows: published on purpose, good for nothing anywhere else.

They are to this emulator what ``devstoreaccount1`` is to the storage emulators: a program's
placeholders are filled with them once, and then work on every machine.
"""

from __future__ import annotations

import base64

TENANT = "72f9a100-0000-4000-8000-ba7c4a100001"
"""Directory (tenant) id."""

CLIENT = "72f9a100-0000-4000-8000-ba7c4a100002"
"""Application (client) id of the service principal."""

SECRET = "batch-ai-development"  # noqa: S105 - a published development credential
"""The service principal's password."""

SUBSCRIPTION = "72f9a100-0000-4000-8000-ba7c4a100003"
"""A subscription id to use; the emulator serves any other as well."""

ACCOUNT = "batchaidevelopment"
"""Name of the storage account that always exists."""

ACCOUNT_KEY = base64.b64encode(b"batch ai emulator: a development account key for every machine!!").decode()
"""Its key: base64 of 64 bytes, as Azure's are."""
