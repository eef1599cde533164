"""How a body's faults are said on the wire.

One fault is the error itself. Of several, the first is, and ``details`` lists all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import invalid_content, together
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.schema.faults import FaultsFound
from batchai_scenario.schema.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchai_scenario.schema.body import Body
    from batchai_scenario.schema.faults import Fault

    Faults = Callable[[Mapping[str, Any]], Iterable[Fault]]


def invalid_value(path: str, why: str) -> ServiceError:
    """Say that a property's value is wrong. No such code was recorded; it is Azure Batch's (our decision)."""
    text = f"The value provided for the property '{path}' in the request body is invalid: {why}."
    return ServiceError(400, "InvalidPropertyValue", text, path)


def not_supported(path: str, what: str) -> ServiceError:
    """Refuse a property by name; the code is one of the service's own."""
    text = f"The property '{path}' is not supported by this emulator yet: {what}."
    return ServiceError(400, "PropertyNotSupported", text, path)


def refusal(faults: Sequence[Fault]) -> ServiceError:
    """Make the error of a body's faults, at least one."""
    return together([_said(fault) for fault in faults])


def _said(fault: Fault) -> ServiceError:
    if fault.kind == "unsupported":
        return not_supported(fault.path, fault.why)
    if fault.kind == "unknown":
        name = fault.path.rpartition(".")[2]
        return invalid_content(f"Could not find member '{name}'. Path '{fault.path}'", fault.path)
    return invalid_value(fault.path, fault.why)


def read_body(
    model: type[Body],
    body: Mapping[str, Any] | None,
    unsupported: Faults = lambda _: (),
    more: Faults = lambda _: (),
) -> dict[str, Any]:
    """Read a body's ``properties`` through its model.

    Args:
        model: the body's.
        body: the request's.
        unsupported: finds in its properties what the emulator does not do.
        more: finds in the properties as they were written what else is wrong.

    Raises:
        ServiceError: 400, with everything that is wrong: ``InvalidRequestContent`` for what is unknown,
            ``InvalidPropertyValue`` for what is missing or wrong, ``PropertyNotSupported``.
    """
    if body is None:
        raise invalid_content("the request needs a body")
    given = body.get("properties")
    written: Mapping[str, Any] = given if isinstance(given, dict) else {}
    try:
        definition = read(model, body, more(written))
    except FaultsFound as error:
        raise refusal([*error.faults, *unsupported(written)]) from None
    faults = list(unsupported(definition))
    if faults:
        raise refusal(faults)
    return definition
