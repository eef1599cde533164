"""Event files of TensorBoard, as far as they hold scalars: ``events.out.tfevents.*`` in an output directory.

A file is records: length (8 bytes, little endian), its checksum, the data, their checksum; checksums are
CRC-32C, masked. The data are an ``Event`` message of protocol buffers: 1 wall time, 2 step, 5 summary; a
summary is values (1): 1 tag, 2 a float, 8 a tensor, 9 metadata. TensorFlow 1 and PyTorch write floats,
TensorFlow 2 tensors of no dimension. All else, graphs, pictures and histograms, is passed over.
"""

from __future__ import annotations

import struct
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.measured import FILE, LinesReader, Measurements, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = ".tfevents."
_HEAD, _CHECKSUM = 12, 4
_LONGEST = 64 * 1024
"""Bytes of a record that is read: scalars are some hundred. Longer ones are passed over."""

_SCALARS = "scalars"
_FORMATS = {1: "f", 2: "d", 3: "i", 9: "q"}
"""Types of tensors that are read, and how ``struct`` reads one: float, double, int32, int64."""


def reader_of(path: str) -> LinesReader | EventsReader | None:
    """Give what reads a job's output file if that is one of metrics: by its name alone."""
    name = PurePosixPath(path).name
    if path == FILE:
        return LinesReader()
    return EventsReader() if _MARK in name else None


class EventsReader:
    """Reads an event file as it grows; one that is damaged is read as far as it is whole."""

    def __init__(self) -> None:
        self._measurements = Measurements()
        self._plugins: dict[str, str] = {}
        self._pending = bytearray()
        self._skipped = 0
        self._damaged = False

    @property
    def kept(self) -> int:
        """Count the points that are kept."""
        return self._measurements.kept

    def feed(self, data: bytes) -> None:
        """Take what was added to the file."""
        if self._damaged:
            return
        self._pending += data
        while self._skip() and len(self._pending) >= _HEAD:
            length, checksum = struct.unpack_from("<QI", self._pending)
            if checksum != _masked(self._pending[:8]):
                self._damaged = True
            elif length > _LONGEST:
                self._skipped = _HEAD + length + _CHECKSUM
            elif len(self._pending) < _HEAD + length + _CHECKSUM:
                return
            else:
                self._record(bytes(self._pending[_HEAD : _HEAD + length + _CHECKSUM]))
                del self._pending[: _HEAD + length + _CHECKSUM]
            if self._damaged:
                self._pending.clear()

    def series(self, file: str) -> list[dict[str, Any]]:
        """Give the metrics, by their tags."""
        return self._measurements.told(file)

    def _skip(self) -> bool:
        """Leave out what is left of a record that is too long; False if there is more of it to come."""
        now = min(self._skipped, len(self._pending))
        del self._pending[:now]
        self._skipped -= now
        return not self._skipped

    def _record(self, data: bytes) -> None:
        event = data[:-_CHECKSUM]
        if struct.unpack("<I", data[-_CHECKSUM:])[0] != _masked(event):
            self._damaged = True
            return
        try:
            self._event(event)
        except (ValueError, struct.error, IndexError):
            return  # whole, and of a form that we do not know

    def _event(self, event: bytes) -> None:
        step, at = 0, None
        summaries = []
        for number, value in _fields(event):
            if number == 1 and isinstance(value, bytes):
                at = moment_of(struct.unpack("<d", value)[0])
            elif number == 2 and isinstance(value, int):  # noqa: PLR2004 - the fields of an event
                step = value - (1 << 64) if value >> 63 else value
            elif number == 5 and isinstance(value, bytes):  # noqa: PLR2004
                summaries.append(value)
        for summary in summaries:
            for number, value in _fields(summary):
                if number == 1 and isinstance(value, bytes):
                    self._value(value, step, at)

    def _value(self, data: bytes, step: int, at: str | None) -> None:
        found = {number: value for number, value in _fields(data) if isinstance(value, bytes)}
        tag = found.get(1, b"").decode("utf-8", "replace")
        plugin = _plugin(found.get(9, b""))  # stands in the first event of a tag alone
        if plugin:
            self._plugins[tag] = plugin
        if 2 in found:  # noqa: PLR2004
            self._measurements.add(tag, step, at, struct.unpack("<f", found[2])[0])
        elif 8 in found and self._plugins.get(tag, _SCALARS) == _SCALARS:  # noqa: PLR2004
            number = _scalar(found[8])
            if number is not None:
                self._measurements.add(tag, step, at, number)


def _plugin(metadata: bytes) -> str:
    """Read whose data a tag's are: the name (1) in the plugin's data (1)."""
    for number, value in _fields(metadata):
        if number == 1 and isinstance(value, bytes):
            for inner, name in _fields(value):
                if inner == 1 and isinstance(name, bytes):
                    return name.decode("utf-8", "replace")
    return ""


def _scalar(tensor: bytes) -> float | None:
    """Read a tensor: 1 its type, 2 its shape, 4 its bytes, 5 and 6 its numbers; None if it is no scalar."""
    kind, shape, content = 0, b"", b""
    for number, value in _fields(tensor):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, bytes):  # noqa: PLR2004
            shape = value
        elif number in (4, 5, 6) and isinstance(value, bytes):
            content = value
    form = _FORMATS.get(kind)
    if shape or form is None or len(content) != struct.calcsize(f"<{form}"):
        return None
    return float(struct.unpack(f"<{form}", content)[0])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Take a message apart: the number of each field, and its value; numbers of fixed width stay bytes.

    Raises:
        ValueError, IndexError: it is no message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:  # noqa: PLR2004 - the wire types of protocol buffers
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"there is no wire type {kind}")
        if at + size > len(data):
            raise ValueError("the message is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value, at
        shift += 7
        if shift > 63:  # noqa: PLR2004 - ten bytes
            raise ValueError("a number is too long")


def _table() -> tuple[int, ...]:
    found = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = (value >> 1) ^ 0x82F63B78 if value & 1 else value >> 1
        found.append(value)
    return tuple(found)


_CRC = _table()


def _masked(data: bytes | bytearray) -> int:
    """Give the checksum of data as records have it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF
