"""What the operations of Files work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.storage.accounts import Accounts
    from batchai_scenario.emulator.storage.bearer import TokenReader
    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.deleted import DeletedShares
    from batchai_scenario.emulator.storage.leases import Leases
    from batchai_scenario.emulator.storage.pending import Copies
    from batchai_scenario.emulator.storage.remembered import FolderNames
    from batchai_scenario.emulator.storage.shares import Shares
    from batchai_scenario.emulator.storage.uploads import Drafts


class Context(NamedTuple):
    """What operations work on."""

    accounts: Accounts
    shares: Shares
    leases: Leases
    drafts: Drafts
    clock: Clock
    tokens: TokenReader
    copies: Copies
    deleted: DeletedShares
    names: FolderNames

    def root(self, call: Call) -> str:
        """Give the folder of the share, or of its snapshot, that a request names; StorageError if none."""
        return self.shares.root(call.account.name, call.share, call.snapshot)
