"""What an account's services are set to, as the resource manager reads and tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import read_all, together
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.storage.cors import LISTS, MOST_RULES, CorsRule, problems
from batchai_scenario.emulator.storage.properties import BLOB, FILE, MOST_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.storage.deleted import DeletedShares
    from batchai_scenario.emulator.storage.properties import ServiceProperties

_MAX_AGE = "maxAgeInSeconds"
_ELSEWHERE = "it cannot be changed here; what the service's own endpoint takes, works"


class FileSettings:
    """The file service's: CORS rules, and how long deleted shares are kept."""

    def __init__(self, properties: ServiceProperties, deleted: DeletedShares) -> None:
        self._properties = properties
        self._deleted = deleted

    def tell(self, account: str) -> dict[str, Any]:
        """Give ``properties`` of an account's service."""
        days = self._deleted.days(account)
        kept = {"enabled": True, "days": days} if days else {"enabled": False}
        rules = self._properties.rules(account, FILE)
        return {"cors": _write_cors(rules), "shareDeleteRetentionPolicy": kept}

    def change(self, account: str, properties: Mapping[str, Any]) -> None:
        """Set what ``properties`` name; ServiceError, and nothing is changed, if something of it is wrong."""
        rules, days = read_all(
            lambda: _read_cors(properties.get("cors")),
            lambda: _read_days(properties.get("shareDeleteRetentionPolicy")),
            lambda: _same(properties, self.tell(account), ("cors", "shareDeleteRetentionPolicy")),
        )[:2]
        if rules is not None:
            self._properties.set_rules(account, FILE, rules)
        if days is not None:
            self._deleted.set_days(account, days)


class BlobSettings:
    """The blob service's: CORS rules; blobs that are deleted are not kept."""

    def __init__(self, properties: ServiceProperties) -> None:
        self._properties = properties

    def tell(self, account: str) -> dict[str, Any]:
        """Give ``properties`` of an account's service."""
        rules = self._properties.rules(account, BLOB)
        return {"cors": _write_cors(rules), "deleteRetentionPolicy": {"enabled": False}}

    def change(self, account: str, properties: Mapping[str, Any]) -> None:
        """Set what ``properties`` name; ServiceError, and nothing is changed, if something of it is wrong."""
        rules = read_all(
            lambda: _read_cors(properties.get("cors")),
            lambda: _same(properties, self.tell(account), ("cors",)),
        )[0]
        if rules is not None:
            self._properties.set_rules(account, BLOB, rules)


def _write_cors(rules: Sequence[CorsRule]) -> dict[str, Any]:
    return {
        "corsRules": [
            {_camel(field): list(names) for field, names in rule.lists} | {_MAX_AGE: rule.max_age}
            for rule in rules
        ]
    }


def _read_cors(body: object) -> list[CorsRule] | None:
    """Read ``cors``; None if it is not there."""
    if body is None:
        return None
    if not isinstance(body, dict) or set(body) - {"corsRules"}:
        raise _wrong("cors", "it is an object that has corsRules alone")
    rows = body.get("corsRules") or []
    if not isinstance(rows, list) or len(rows) > MOST_RULES:
        raise _wrong("cors.corsRules", f"it is a list of at most {MOST_RULES} rules")
    return [_read_rule(f"cors.corsRules[{place}]", row) for place, row in enumerate(rows)]


def _read_rule(path: str, row: object) -> CorsRule:
    names = [_camel(field) for field in LISTS]
    if not isinstance(row, dict) or set(row) != {*names, _MAX_AGE}:
        raise _wrong(path, f"a rule has {', '.join(names)} and {_MAX_AGE}, and nothing else")
    for name in names:
        if not isinstance(row[name], list) or not all(isinstance(item, str) for item in row[name]):
            raise _wrong(f"{path}.{name}", "it is a list of texts")
    age = row[_MAX_AGE]
    if not isinstance(age, int) or isinstance(age, bool) or age < 0:
        raise _wrong(f"{path}.{_MAX_AGE}", "it is a number of seconds")
    origins, methods, headers, exposed = (tuple(row[name]) for name in names)
    rule = CorsRule(origins, methods, headers, exposed, age)
    for field, value in problems(rule):
        raise _wrong(f"{path}.{_camel(field)}", f"'{value}' is not what the service takes there")
    return rule


def _read_days(body: object) -> int | None:
    """Read ``shareDeleteRetentionPolicy`` as days, 0 if it is off; None if it is not there."""
    if body is None:
        return None
    name = "shareDeleteRetentionPolicy"
    if not isinstance(body, dict) or set(body) - {"enabled", "days"}:
        raise _wrong(name, "it is an object that has enabled and days alone")
    days = body.get("days")
    if not isinstance(body.get("enabled"), bool):
        raise _wrong(f"{name}.enabled", "it is true or false")
    is_days = isinstance(days, int) and not isinstance(days, bool) and 1 <= days <= MOST_DAYS
    if not is_days and (body["enabled"] or days is not None):
        raise _wrong(f"{name}.days", f"it is a number from 1 to {MOST_DAYS}")
    return int(days or 0) if body["enabled"] else 0


def _same(properties: Mapping[str, Any], told: Mapping[str, Any], read: tuple[str, ...]) -> None:
    """Let other properties be what they are; refuse what would have no effect."""
    wrong = [
        _wrong(name, _ELSEWHERE)
        for name, value in properties.items()
        if name not in read and value is not None and value != told.get(name)
    ]
    if wrong:
        raise together(wrong)


def _camel(field: str) -> str:
    return field[0].lower() + field[1:]


def _wrong(name: str, why: str) -> ServiceError:
    target = f"properties.{name}"
    return ServiceError(400, "InvalidValuesForRequestParameters", f"{target}: {why}.", target)
