"""What the operations of Blob work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import asyncio

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.storage.accounts import Accounts
    from batchai_scenario.emulator.storage.bearer import TokenReader
    from batchai_scenario.emulator.storage.blob.blocks import Blocks
    from batchai_scenario.emulator.storage.blob.containers import Containers
    from batchai_scenario.emulator.storage.records import Records
    from batchai_scenario.emulator.storage.remembered import FolderNames


class BlobContext(NamedTuple):
    """What operations work on; ``committing`` lets one block list at a time become a blob."""

    accounts: Accounts
    containers: Containers
    blocks: Blocks
    records: Records
    committing: asyncio.Lock
    clock: Clock
    tokens: TokenReader
    names: FolderNames
