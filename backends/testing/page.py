"""The conformance report as a page: one file without scripts, readable in light and dark, and on paper."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIGNS = {
    "passed": ("ok", "✓", "kept"),
    "failed": ("bad", "✗", "broken"),
    "expected failure": ("known", "!", "known to be broken"),
    "skipped": ("off", "–", "not held to"),  # noqa: RUF001 - the sign, not a minus
    "not run": ("none", "·", "not run"),
}


def render(data: Mapping[str, Any]) -> str:
    """Write the page of a report's JSON data."""
    style = files(__package__).joinpath("page.css").read_text("utf-8")
    versions = " · ".join(f"{name} {text}" for name, text in data["versions"].items())
    backends: Sequence[Mapping[str, Any]] = data["backends"]
    names = "".join(f"<th class=result scope=col>{escape(_short(item['name']))}</th>" for item in backends)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>Conformance of scenario backends</title><style>{style}</style>"
        "<h1>Conformance of scenario backends</h1>"
        f"<p class=when>{escape(data['date'].replace('T', ' '))} · {escape(versions)}</p>"
        f"<div class=cards>{''.join(_card(item, len(data['rules'])) for item in backends)}</div>"
        f"<table><thead><tr><th scope=col>rule</th><th scope=col></th>{names}</tr></thead>"
        f"<tbody>{_rows(data['rules'], backends)}</tbody></table></html>\n"
    )


def _short(name: str) -> str:
    """Write a target so that it can be broken into lines."""
    return name.replace(":", ": ").replace(",", ", ")


def _card(backend: Mapping[str, Any], total: int) -> str:
    counts: Mapping[str, int] = backend["counts"]
    bar = "".join(
        f'<span class={sign[0]} style="width:{100 * counts.get(result, 0) / total:.2f}%"></span>'
        for result, sign in _SIGNS.items()
    )
    said = ", ".join(
        f"<b>{counts[result]}</b> {sign[2]}" for result, sign in _SIGNS.items() if counts.get(result)
    )
    facts = {
        "engine": backend.get("engine", ""),
        "looked at": backend.get("probes", ""),
        "took": f"{backend['seconds']:.1f} s",
    }
    facts |= {name: text for name, text in backend.get("details", {}).items() if name not in facts and text}
    facts |= {"checked": backend.get("checked", "")}
    listed = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(str(text))}</dd>"
        for name, text in facts.items()
        if text
    )
    lacks = "".join(
        f"<li>{escape(name)}: {escape(why)}</li>" for name, why in backend.get("absent", {}).items()
    )
    absent = f"<p class=absent>declared absent</p><ul>{lacks}</ul>" if lacks else ""
    note = f"<p class=note>{escape(backend['note'])}</p>" if backend.get("note") else ""
    state = "bad" if counts.get("failed") else "good"
    return (
        f"<section class='card {state}'><h2>{escape(backend['name'])}</h2>{note}<div class=bar>{bar}</div>"
        f"<p class=counts>{said} of {total} rules</p><dl>{listed}</dl>{absent}</section>"
    )


def _rows(rules: Sequence[Mapping[str, str]], backends: Sequence[Mapping[str, Any]]) -> str:
    rows, chapter = [], ""
    for rule in rules:
        if rule["chapter"] != chapter:
            chapter = rule["chapter"]
            rows.append(f"<tr class=chapter><th colspan={2 + len(backends)}>{escape(chapter)}</th></tr>")
        results = [(item["name"], item["results"][rule["number"]]) for item in backends]
        cells = "".join(f"<td class=result>{_pill(result)}</td>" for _, result in results)
        rows.append(
            f"<tr><td class=number>{rule['number']}</td>"
            f"<td>{escape(rule['sentence'])}{_why(results)}</td>{cells}</tr>"
        )
    return "".join(rows)


def _pill(result: Mapping[str, Any]) -> str:
    kind, sign, words = _SIGNS[result["result"]]
    tip = escape(", ".join(result["checks"]) or words)
    short = {"known": "known", "off": "skipped", "none": "not run"}.get(kind, words)
    return f'<span class="{kind} pill" title="{tip}">{sign} {short}</span>'


def _why(results: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Say below a rule why a backend breaks it or is not held to it; alike reasons once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, result in results:
        if result["detail"] and result["result"] != "passed":
            reasons.setdefault((_SIGNS[result["result"]][0], result["detail"]), []).append(name)
    return "".join(
        f"<div class='why {kind}'><b>{escape(', '.join(names))}</b>: {escape(detail)}</div>"
        for (kind, detail), names in reasons.items()
    )
