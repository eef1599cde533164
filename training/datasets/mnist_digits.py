"""The MNIST digits in the forms in which they are passed around, all of them turned into plain bytes.

A part of the data set is ``Digits``: images of ``pixels`` bytes each, row by row, one after the other, and
one label byte (0 to 9) for each. Readers: idx (the original form), CNTK text, and a pickle of NumPy arrays.
"""

from __future__ import annotations

import array
import gzip
import hashlib
import io
import pickle
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any

PIXELS = 28 * 28
CLASSES = 10
_IDX_IMAGES = 0x00000803
_IDX_LABELS = 0x00000801


class NotDigits(Exception):
    """What was read is not what it should be; the text says why."""


@dataclass(frozen=True)
class Digits:
    """Images and their labels, as bytes."""

    images: bytes
    labels: bytes

    def digest(self) -> str:
        """Give the SHA-256 of images and labels, one after the other."""
        return hashlib.sha256(self.images + self.labels).hexdigest()


def from_idx(images: bytes, labels: bytes) -> Digits:
    """Read the original form, packed with gzip or not.

    Raises:
        NotDigits: a header or a length is wrong, or the packing is damaged.
    """
    images, labels = _unpack(images), _unpack(labels)
    if len(images) < 16 or len(labels) < 8:
        raise NotDigits("an idx file is cut short")
    magic, count, rows, columns = struct.unpack(">IIII", images[:16])
    label_magic, label_count = struct.unpack(">II", labels[:8])
    if (magic, label_magic) != (_IDX_IMAGES, _IDX_LABELS):
        raise NotDigits("not a pair of idx files with images and labels")
    if rows * columns != PIXELS or count != label_count:
        raise NotDigits(
            f"{count} images of {rows}x{columns} and {label_count} labels are not a part of MNIST"
        )
    if len(images) != 16 + count * PIXELS or len(labels) != 8 + count:
        raise NotDigits("an idx file is not as long as its header says")
    return Digits(images[16:], labels[8:])


def _unpack(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, ValueError) as error:
        raise NotDigits(f"a gzip file is damaged: {error}") from None


def from_text(lines: Iterable[bytes]) -> Digits:
    """Read CNTK's text form.

    Raises:
        NotDigits: a line is not ``|labels <10 numbers> |features <784 numbers>``.
    """
    images, labels = bytearray(), bytearray()
    for number, line in enumerate(lines, start=1):
        try:
            empty, label, features = line.split(b"|")
            name, *one_hot = label.split()
            other, *pixels = features.split()
            if (empty.strip(), name, other, len(one_hot), len(pixels)) != (
                b"",
                b"labels",
                b"features",
                CLASSES,
                PIXELS,
            ):
                raise ValueError
            labels.append(one_hot.index(b"1"))
            images += bytes(map(int, pixels))
        except ValueError:
            raise NotDigits(f"line {number} is not '|labels <10 numbers> |features <784 numbers>'") from None
    return Digits(bytes(images), bytes(labels))


def write_text(digits: Digits, out: IO[bytes], step: Callable[[int], None]) -> str:
    """Write CNTK's text form; ``step`` hears how many images are written. Gives the text's SHA-256.

    Two pixels at a time are looked up in a table of their text: 60,000 images take a second or two.
    """
    numbers = [b"%d" % value for value in range(256)]
    first, second = (0, 8) if sys.byteorder == "little" else (8, 0)
    pairs = [numbers[word >> first & 255] + b" " + numbers[word >> second & 255] for word in range(1 << 16)]
    heads = [
        b"|labels " + b" ".join(b"1" if i == label else b"0" for i in range(CLASSES)) + b" |features "
        for label in range(CLASSES)
    ]
    digest = hashlib.sha256()
    look_up = pairs.__getitem__
    words = memoryview(digits.images).cast("H")
    width, block = PIXELS // 2, 1000
    for start in range(0, len(digits.labels), block):
        lines = []
        for index in range(start, min(start + block, len(digits.labels))):
            lines.append(
                heads[digits.labels[index]]
                + b" ".join(map(look_up, words[index * width : (index + 1) * width]))
            )
        text = b"\n".join(lines) + b"\n"
        digest.update(text)
        out.write(text)
        step(start + len(lines))
    return digest.hexdigest()


def from_pickle(data: bytes, sizes: tuple[int, int]) -> tuple[Digits, Digits]:
    """Read a gzipped pickle of three (images, labels) pairs of NumPy arrays; ``sizes``: images in the results.

    The pairs one after the other are the training digits and then the test digits. Images are float32
    in steps of 1/256, labels int64. NumPy is not needed, and a pickle that asks for anything else than
    arrays is refused.

    Raises:
        NotDigits: the pickle holds something else.
    """
    try:
        pairs = _ArraysOnly(io.BytesIO(gzip.decompress(data)), encoding="bytes").load()
        images = b"".join(_pixels(pair[0].data) for pair in pairs)
        labels = b"".join(pair[1].data[::8] for pair in pairs)  # the low byte of each little-endian int64
    except NotDigits:
        raise
    except Exception as error:  # a pickle can go wrong in any way
        raise NotDigits(f"not a pickle of digits: {type(error).__name__}: {error}") from None
    count = sizes[0]
    return (
        Digits(images[: count * PIXELS], labels[:count]),
        Digits(images[count * PIXELS :], labels[count:]),
    )


def _pixels(data: bytes) -> bytes:
    """Turn little-endian float32 in steps of 1/256 into bytes.

    Such a number needs eight significant bits, so its upper sixteen bits hold all of it.
    """
    table = bytearray(1 << 16)
    for value in range(256):
        bits = struct.unpack("<I", struct.pack("<f", value / 256))[0]
        table[bits >> 16] = value
    words = array.array("H", data)
    if sys.byteorder == "big":
        words.byteswap()
    if any(words[::2]):
        raise NotDigits("pixels are not in steps of 1/256")
    return bytes(map(table.__getitem__, words[1::2]))


class _Array:
    """Stands for a NumPy array: keeps its bytes."""

    data = b""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.data = state[-1]


class _Type:
    """Stands for a NumPy dtype: takes what it is given and needs none of it."""

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that knows arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): lambda *_arguments: _Array(),
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Type,
        }
        if (module, name) not in known:
            raise NotDigits(f"the pickle asks for {module}.{name}, which is no array")
        return known[module, name]
