"""HTTP as clients of Azure Files need it: names of metadata keep the case in which they were sent."""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PREFIX = b"x-ms-meta-"


class MetadataProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which lowers all names of headers, with one thing added.

    ``scope["metadata_names"]`` holds the names of ``x-ms-meta-*`` headers as they were sent, by lower-case
    name; it is missing if there are none.
    """

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header from the parser."""
        super().on_header(name, value)
        if name[:10].lower() == _PREFIX:
            names = cast("dict[str, Any]", self.scope).setdefault("metadata_names", {})
            text = name.decode("latin-1")
            names[text.lower()] = text
