"""An HTML document as a test looks at it: its text, its tags, its attributes."""

from __future__ import annotations

from html.parser import HTMLParser


class Parsed(HTMLParser):
    """What stands in a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.metas: dict[str, str] = {}
        self.text = ""
        self.style = ""
        self._in_style = False

    @classmethod
    def of(cls, text: str) -> Parsed:
        made = cls()
        made.feed(text)
        made.close()
        return made

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        given = dict(attrs)
        if tag == "meta" and given.get("http-equiv"):
            self.metas[str(given["http-equiv"]).lower()] = str(given.get("content"))
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data
        else:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
