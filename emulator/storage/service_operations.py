"""Operations on the service itself: its properties, and keys for its users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import bearer
from batchai_scenario.emulator.storage.call import XML, document
from batchai_scenario.emulator.storage.properties import FILE

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context


async def get_delegation_key(context: Context, call: Call) -> Response:
    """Make a key with which the bearer of a token signs for itself, for 7 days at most."""
    return await bearer.get_delegation_key(call, context.tokens, context.clock.now(), "f")


async def get_properties(context: Context, call: Call) -> Response:
    """Tell the service's properties as they were set; at first no metrics, no CORS rules, and plain SMB."""
    content = context.shares.records.properties.told(call.account.name, FILE, call.version)
    return call.answer(200, {}, document(content), content_type=XML)


async def set_properties(context: Context, call: Call) -> Response:
    """Set the service's properties: CORS rules hold at once; metrics and SMB settings are kept and told."""
    context.shares.records.properties.set_by(call.account.name, FILE, await call.body())
    return call.answer(202, {})
