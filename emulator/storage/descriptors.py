"""Security descriptors as text (SDDL) and in binary form, self-relative, in base64 ([MS-DTYP] 2.4, 2.5).

What is known: owner, group, DACL and SACL with entries that allow, deny, audit or label; not those with
conditions, objects or callbacks.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct

_HEAD, _ACL, _ACE = struct.Struct("<BBHIIII"), struct.Struct("<BBHHH"), struct.Struct("<BBHI")
_SELF_RELATIVE, _DACL, _SACL = 0x8000, 0x0004, 0x0010
_FLAGS = {
    "D": {"P": 0x1000, "AI": 0x0400, "AR": 0x0100},
    "S": {"P": 0x2000, "AI": 0x0800, "AR": 0x0200},
}
_TYPES = {"A": 0, "D": 1, "AU": 2, "ML": 0x11}
_INHERIT = {"OI": 1, "CI": 2, "NP": 4, "IO": 8, "ID": 0x10, "SA": 0x40, "FA": 0x80}
_RIGHTS = {
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
    "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "CC": 1, "DC": 2, "LC": 4, "SW": 8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "NW": 1, "NR": 2, "NX": 4,
}  # fmt: skip
_SIDS = {
    "WD": "S-1-1-0", "CO": "S-1-3-0", "CG": "S-1-3-1", "NU": "S-1-5-2", "IU": "S-1-5-4", "SU": "S-1-5-6",
    "AN": "S-1-5-7", "PS": "S-1-5-10", "AU": "S-1-5-11", "RC": "S-1-5-12", "SY": "S-1-5-18",
    "LS": "S-1-5-19", "NS": "S-1-5-20", "BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "BG": "S-1-5-32-546",
    "PU": "S-1-5-32-547", "AO": "S-1-5-32-548", "SO": "S-1-5-32-549", "PO": "S-1-5-32-550",
    "BO": "S-1-5-32-551", "RE": "S-1-5-32-552", "RD": "S-1-5-32-555", "NO": "S-1-5-32-556",
    "AC": "S-1-15-2-1", "LW": "S-1-16-4096", "ME": "S-1-16-8192", "HI": "S-1-16-12288", "SI": "S-1-16-16384",
}  # fmt: skip
_SHORT = {sid: name for name, sid in _SIDS.items()}
_PARTS = re.compile(r"O:(?P<O>[^:()]+?)G:(?P<G>[^:()]+?)(?:D:(?P<D>[^:]*?))?(?:S:(?P<S>[^:]*))?")
_NO_ACL = "NO_ACCESS_CONTROL"
"""A list that is there and is none: in binary form it has no place."""

_ACES = re.compile(rf"(?P<flags>[A-Z]*?)(?P<aces>(?:\([^()]*\))*|{_NO_ACL})")
_SID = re.compile(r"S-1-(\d{1,15})((?:-\d{1,10}){1,15})")


def to_binary(sddl: str) -> str:
    """Write a descriptor in binary form, in base64; ValueError if it is no SDDL that is known here."""
    parts = _PARTS.fullmatch(sddl)
    if parts is None:
        raise ValueError(sddl)
    control, sacl, dacl = _SELF_RELATIVE, b"", b""
    if parts["S"] is not None:
        flags, sacl = _acl("S", parts["S"])
        control |= flags | _SACL
    if parts["D"] is not None:
        flags, dacl = _acl("D", parts["D"])
        control |= flags | _DACL
    body, places = b"", []
    for piece in (sacl, dacl, _sid(parts["O"]), _sid(parts["G"])):  # the service's order
        places.append(_HEAD.size + len(body) if piece else 0)
        body += piece
    return base64.b64encode(_HEAD.pack(1, 0, control, *places[2:], *places[:2]) + body).decode()


def to_sddl(text: str) -> str:
    """Write a descriptor as SDDL, from base64 of its binary form; ValueError if it is damaged or unknown."""
    try:
        data = base64.b64decode(text, validate=True)
        revision, _, control, owner, group, sacl, dacl = _HEAD.unpack_from(data)
        if revision != 1 or not control & _SELF_RELATIVE or not owner or not group:
            raise ValueError(text)
        written = f"O:{_read_sid(data, owner)}G:{_read_sid(data, group)}"
        for kind, bit, offset in (("D", _DACL, dacl), ("S", _SACL, sacl)):
            if control & bit:
                written += f"{kind}:" + _read_acl(data, offset, control, kind)
    except (binascii.Error, struct.error, IndexError, KeyError) as error:
        raise ValueError(text) from error
    return written


def _acl(kind: str, text: str) -> tuple[int, bytes]:
    found = _ACES.fullmatch(text)
    if found is None:
        raise ValueError(text)
    control = 0
    for name in _words(found["flags"], _FLAGS[kind]):
        control |= _FLAGS[kind][name]
    if found["aces"] == _NO_ACL:
        return control, b""
    aces = [_ace(ace) for ace in re.findall(r"\(([^()]*)\)", found["aces"])]
    body = b"".join(aces)
    return control, _ACL.pack(2, 0, _ACL.size + len(body), len(aces), 0) + body


def _ace(text: str) -> bytes:
    fields = text.split(";")
    if len(fields) != 6 or fields[3] or fields[4] or fields[0] not in _TYPES:  # noqa: PLR2004 - SDDL's
        raise ValueError(text)
    flags = sum(_INHERIT[name] for name in _words(fields[1], _INHERIT))
    if fields[2][:2].lower() == "0x":
        mask = int(fields[2], 16)
    else:
        mask = 0
        for name in _words(fields[2], _RIGHTS):
            mask |= _RIGHTS[name]
    sid = _sid(fields[5])
    return _ACE.pack(_TYPES[fields[0]], flags, _ACE.size + len(sid), mask & 0xFFFFFFFF) + sid


def _words(text: str, known: dict[str, int]) -> list[str]:
    """Cut a row of abbreviations; the longest that fits goes first."""
    words = []
    while text:
        word = next((text[:length] for length in (2, 1) if text[:length] in known), None)
        if word is None:
            raise ValueError(text)
        words.append(word)
        text = text[len(word) :]
    return words


def _sid(text: str) -> bytes:
    found = _SID.fullmatch(_SIDS.get(text, text))
    if found is None:
        raise ValueError(text)
    numbers = [int(word) for word in found[2][1:].split("-")]
    if int(found[1]) >= 1 << 48 or any(number >= 1 << 32 for number in numbers):
        raise ValueError(text)
    authority = int(found[1]).to_bytes(6, "big")
    return struct.pack("<BB", 1, len(numbers)) + authority + struct.pack(f"<{len(numbers)}I", *numbers)


def _read_sid(data: bytes, offset: int) -> str:
    if data[offset] != 1:
        raise ValueError("no SID of revision 1")
    count = data[offset + 1]
    authority = int.from_bytes(data[offset + 2 : offset + 8], "big")
    numbers = struct.unpack_from(f"<{count}I", data, offset + 8)
    sid = "-".join(["S-1", str(authority), *map(str, numbers)])
    return _SHORT.get(sid, sid)


def _read_acl(data: bytes, offset: int, control: int, kind: str) -> str:
    written = "".join(name for name, bit in _FLAGS[kind].items() if control & bit)
    if not offset:
        return written + _NO_ACL
    _, _, _, count, _ = _ACL.unpack_from(data, offset)
    types = {number: name for name, number in _TYPES.items()}
    masks = {
        _RIGHTS[name]: name for name in ("FA", "FR", "FW", "FX", "GA", "GR", "GW", "GX", "NW", "NR", "NX")
    }
    position = offset + _ACL.size
    for _ in range(count):
        number, flags, size, mask = _ACE.unpack_from(data, position)
        told = "".join(name for name, bit in _INHERIT.items() if flags & bit)
        label = types[number] == "ML"
        right = masks.get(mask, f"0x{mask:x}") if (mask > 4) != label else f"0x{mask:x}"  # noqa: PLR2004 - labels' own
        sid = _read_sid(data, position + _ACE.size)
        written += f"({types[number]};{told};{right};;;{sid})"
        position += size
    return written
