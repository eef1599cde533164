"""The XML that clients send."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from batchai_scenario.emulator.storage.errors import failure


def parse_xml(data: bytes, root: str) -> ET.Element:
    """Read an XML document of a client.

    Raises:
        StorageError: InvalidXmlDocument if it is none, or its root has another name.
    """
    try:
        if b"<!" in data:  # neither entities nor document types: nothing that could grow
            raise failure("InvalidXmlDocument")
        found = ET.fromstring(data.decode("utf-8-sig"))  # noqa: S314 - no entity can be declared, see above
    except (ET.ParseError, UnicodeDecodeError, ValueError):
        raise failure("InvalidXmlDocument") from None
    if found.tag != root:
        raise failure("InvalidXmlDocument")
    return found
