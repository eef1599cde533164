"""Cross-origin requests of browsers: the rules of an account, and what answers say by them (service)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_RULES = 5
METHODS = frozenset({"DELETE", "GET", "HEAD", "MERGE", "POST", "OPTIONS", "PUT", "PATCH"})
_MOST_NAMES, _MOST_PREFIXES, _LONGEST = 64, 2, 256
_MOST_AGE = 2_147_483_647
LISTS = ("AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposedHeaders")
_FIELDS = (*LISTS, "MaxAgeInSeconds")
_BLANKS = re.compile(r"\s")


class CorsRule(NamedTuple):
    """Who may ask for what: ``origins`` and ``headers`` may be ``*``, headers also a beginning, ``x-ms-*``.

    ``exposed``: headers of answers that scripts may read. ``max_age``: seconds for which a browser may
    remember the answer to its preflight.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age: int

    @property
    def lists(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Give the names that it holds, by their elements."""
        return tuple(zip(LISTS, (self.origins, self.methods, self.headers, self.exposed), strict=True))


def read_rules(section: ET.Element) -> list[CorsRule]:
    """Read the element ``Cors``.

    Raises:
        StorageError: InvalidXmlDocument for too many rules or a rule without one of its elements,
            UnsupportedXmlNode, InvalidXmlNodeValue.
    """
    if len(section) > MOST_RULES:
        raise failure("InvalidXmlDocument")
    rules = []
    for row in section:
        if row.tag != "CorsRule":
            raise failure("UnsupportedXmlNode", XmlNodeName=row.tag)
        texts = {child.tag: (child.text or "").strip() for child in row}
        unknown = next((tag for tag in texts if tag not in _FIELDS), None)
        if unknown is not None:
            raise failure("UnsupportedXmlNode", XmlNodeName=unknown)
        if len(row) != len(_FIELDS) or texts.keys() != set(_FIELDS):
            raise failure("InvalidXmlDocument")
        origins, methods, headers, exposed = (_names(texts[field]) for field in LISTS)
        rule = CorsRule(origins, methods, headers, exposed, _age(texts["MaxAgeInSeconds"]))
        for tag, value in problems(rule):
            raise failure("InvalidXmlNodeValue", XmlNodeName=tag, XmlNodeValue=value)
        rules.append(rule)
    return rules


def problems(rule: CorsRule) -> Iterator[tuple[str, str]]:
    """Give what of a rule the service refuses: the name of its element, and the value."""
    yield from ((tag, "") for tag, names in rule.lists[:2] if not names)
    yield from (("AllowedMethods", method) for method in rule.methods if method not in METHODS)
    for tag, names in rule.lists[2:]:
        prefixes = [name for name in names if name.endswith("*") and name != "*"]
        if len(prefixes) > _MOST_PREFIXES:
            yield tag, ",".join(prefixes)[:_LONGEST]
    for tag, names in rule.lists:
        if len(names) > _MOST_NAMES + _MOST_PREFIXES:
            yield tag, ",".join(names)[:_LONGEST]
        odd = (name for name in names if len(name) > _LONGEST or _BLANKS.search(name) or not name.isascii())
        yield from ((tag, name[:_LONGEST]) for name in odd)


def write_rules(rules: Sequence[CorsRule]) -> str:
    """Write the element ``Cors``."""
    section = ET.Element("Cors")
    for rule in rules:
        row = ET.SubElement(section, "CorsRule")
        for field, names in rule.lists:
            ET.SubElement(row, field).text = ",".join(names)
        ET.SubElement(row, "MaxAgeInSeconds").text = str(rule.max_age)
    return ET.tostring(section, encoding="unicode")


def preflight(rules: Sequence[CorsRule], headers: Mapping[str, str]) -> dict[str, str]:
    """Give the headers that answer the request by which a browser asks whether it may ask.

    Raises:
        StorageError: InvalidHeaderValue (400) without origin or method, CorsPreflightFailure (403) if no rule
            allows it.
    """
    origin, method = headers.get("origin", ""), headers.get("access-control-request-method", "")
    for name, value in (("Origin", origin), ("Access-Control-Request-Method", method)):
        if not value:
            text = "A required CORS header is not present."
            raise failure("InvalidHeaderValue", text, HeaderName=name, MessageDetails=text)
    asked = headers.get("access-control-request-headers", "")
    for rule in rules:
        names = [name.lower() for name in _names(asked)]
        if _allows(rule, origin, method) and all(_covers(rule.headers, name) for name in names):
            told = {
                "access-control-allow-origin": origin,
                "access-control-allow-methods": method,
                "access-control-max-age": str(rule.max_age),
                "access-control-allow-credentials": "true",
            }
            return told | ({"access-control-allow-headers": asked} if asked else {})
    raise failure("CorsPreflightFailure")


def told(rules: Sequence[CorsRule], method: str, origin: str) -> list[tuple[bytes, bytes]]:
    """Give what an answer says to a browser, by the first rule that allows its request (service).

    Without an origin a rule for all of them counts; caches are told that others may get another answer.
    """
    varies = [(b"vary", b"Origin")] if method in ("GET", "HEAD") else []
    for rule in rules:
        if not _allows(rule, origin, method):
            continue
        said = [(b"access-control-expose-headers", ",".join(rule.exposed).encode())] if rule.exposed else []
        if "*" in rule.origins:
            return [(b"access-control-allow-origin", b"*"), *said]
        said += [(b"access-control-allow-credentials", b"true"), *varies]
        return [(b"access-control-allow-origin", origin.encode("latin-1")), *said]
    return varies


def _allows(rule: CorsRule, origin: str, method: str) -> bool:
    return method in rule.methods and any(_is_from(allowed, origin) for allowed in rule.origins)


def _is_from(allowed: str, origin: str) -> bool:
    """Tell whether an origin is the one that is allowed, or below ``https://*.example.org``."""
    if allowed in ("*", origin):
        return allowed == "*" or bool(origin)
    scheme, star, rest = allowed.partition("*")
    if not star or not scheme.endswith("://") or not rest.startswith("."):
        return False
    below = origin[len(scheme) : -len(rest)]
    return origin.startswith(scheme) and origin.endswith(rest) and bool(below) and "/" not in below


def _covers(allowed: Sequence[str], name: str) -> bool:
    return any(
        name == pattern.lower() or (pattern.endswith("*") and name.startswith(pattern[:-1].lower()))
        for pattern in allowed
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _age(text: str) -> int:
    if not is_number(text) or int(text[:11]) > _MOST_AGE:
        raise failure("InvalidXmlNodeValue", XmlNodeName="MaxAgeInSeconds", XmlNodeValue=text)
    return int(text)
