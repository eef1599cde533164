"""Reads a URL as anybody can who was given it: without credentials, and without what the backend uses."""

from __future__ import annotations

import urllib.request

from batchai_scenario.backends.testing.verdicts import BrokenRuleError


def fetch_url(url: str, span: str) -> bytes:
    """Read a URL; ``span`` is the header ``Range``, empty for all of it."""
    if not url.startswith(("http://", "https://")):
        raise BrokenRuleError("the link is no http(s) address")
    request = urllib.request.Request(url, headers={"Range": span} if span else {})  # noqa: S310 - checked
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({})) if "//127." in url else None
    with (opener.open if opener else urllib.request.urlopen)(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content
