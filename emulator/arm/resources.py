"""The resources of a deployment template: what they are called, and their order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a template: ``body`` is what is put, with its expressions; ``index`` its copy's number.

    ``depends`` are the entries of ``dependsOn``; ``loop`` is the name of its copies together, in lower case;
    ``meant`` is false if its condition is; ``names`` are those by which others depend on it.
    """

    type: str
    name: str
    api_version: str
    body: Mapping[str, Any]
    index: int
    depends: tuple[str, ...]
    loop: str
    meant: bool
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Work out its names."""
        object.__setattr__(self, "names", _names(self.type, self.name))

    def path(self, prefix: str) -> str:
        """Give its path below a resource group's (``prefix``)."""
        namespace, *types = self.type.split("/")
        pairs = "/".join(f"{kind}/{name}" for kind, name in zip(types, self.name.split("/"), strict=True))
        return f"{prefix}/providers/{namespace}/{pairs}"

    def is_meant(self, dependency: str) -> bool:
        """Tell whether a function's argument names it: by id, by ``type/name``, or by name."""
        return not self.names.isdisjoint(_keys(dependency))


def ordered(resources: list[Resource]) -> list[Resource]:
    """Put each after what it depends on; ServiceError for what is not there and for circles."""
    needs = _needs(resources)
    needed: list[list[int]] = [[] for _ in resources]
    for place, missing in enumerate(needs):
        for other in missing:
            needed[other].append(place)
    done: list[int] = []
    ready = [place for place, missing in enumerate(needs) if not missing]
    while ready:
        done += ready
        for place in ready:
            for other in needed[place]:
                needs[other].discard(place)
        ready = sorted({other for place in ready for other in needed[place] if not needs[other]})
    if len(done) < len(resources):
        names = ", ".join(one.name for one, missing in zip(resources, needs, strict=True) if missing)
        raise invalid_template(f"these resources wait for each other: {names}", "resources.dependsOn")
    return [resources[place] for place in done]


def _needs(resources: list[Resource]) -> list[set[int]]:
    """Give the places of what each depends on."""
    known: dict[str, set[int]] = {}
    for place, one in enumerate(resources):
        for name in (*one.names, one.loop):
            known.setdefault(name, set()).add(place)
    known.pop("", None)
    needs: list[set[int]] = []
    for place, one in enumerate(resources):
        needs.append(set())
        for text in one.depends:
            found = set().union(*(known.get(key, ()) for key in _keys(text)))
            if not found:
                told = f"the template has no resource '{text}', on which '{one.name}' depends"
                raise invalid_template(told, "resources.dependsOn")
            needs[place] |= found - {place}
    return needs


def _names(kind: str, name: str) -> frozenset[str]:
    """Give the names by which others depend on a resource, in lower case."""
    namespace, *types = kind.lower().split("/")
    parts = name.lower().split("/")
    path = f"{namespace}/" + "/".join(f"{one}/{other}" for one, other in zip(types, parts, strict=True))
    return frozenset({name.lower(), f"{kind}/{name}".lower(), path, f"providers/{path}"})


def _keys(dependency: str) -> tuple[str, str]:
    """Give the names that an entry of ``dependsOn`` may mean: its own, and the end of an id."""
    wanted = dependency.lower().strip("/")
    return wanted, wanted[max(wanted.rfind("providers/"), 0) :]


def invalid_template(why: str, target: str = "") -> ServiceError:
    """Say what is wrong with a template."""
    text = f"Deployment template validation failed: '{why}'."
    return ServiceError(400, "InvalidTemplate", text, f"properties.template.{target}" if target else "")
