"""Logs of any shape: very long lines, lines that do not end, files that become shorter."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchai_scenario.backends.base import OutputFile
from batchai_scenario.scenarios.definition.expect import read_metric
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.text import clean
from batchai_scenario.scenarios.run.follow import Follower
from batchai_scenario.scenarios.run.pieces import Piece, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_lines_are_whole_however_their_blocks_come(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    blocks = [data[a:b] for a, b in itertools.pairwise(edges)]
    text = data.decode("utf-8", "replace")
    wanted = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    assert [piece.text for piece in pieces(blocks)] == wanted


@pytest.mark.parametrize("at", range(60, 76))
def test_a_metric_is_found_where_a_piece_is_cut(at: int) -> None:
    data = b"x" * at + b" loss 12.5e-3 " + b"y" * 40
    blocks = [data[i : i + 7] for i in range(0, len(data), 7)]
    assert read_metric("loss {number}", pieces(blocks, longest=64, overlap=32)) == 12.5e-3


def test_where_a_piece_is_cut_no_line_begins_or_ends() -> None:
    blocks = [b"7" * 50, b"a" * 50, b"b" * 50, b"\n"]
    assert read_metric(r"^(\d)", pieces(blocks, longest=64, overlap=32)) == 7
    assert read_metric(r"(\d)$", pieces(blocks, longest=64, overlap=32)) == r"nothing matches '(\\d)$'"


def test_a_line_of_any_length_takes_little_memory_and_each_byte_once() -> None:
    count = 400

    def blocks() -> Iterator[bytes]:
        for _ in range(count):
            yield b"x" * 65536
        yield b" loss 0.25\n"

    tracemalloc.start()
    try:
        seen = 0

        def counted() -> Iterator[Piece]:
            nonlocal seen
            for piece in pieces(blocks()):
                seen += len(piece.text)
                yield piece

        assert read_metric("loss {number}", counted()) == 0.25
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert seen < 1.05 * count * 65536


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5e-05", 1.5e-05),
        ("-3", -3.0),
        (".5", 0.5),
        ("2.", 2.0),
        ("1E6%", 1e6),
        ("0.25,", 0.25),
        ("+7", 7.0),
    ],
)
def test_numbers_are_read_in_every_spelling(text: str, value: float) -> None:
    assert read_metric("loss: {number}", [Piece(f"loss: {text}")]) == value
    assert read_metric("of {number} (?P<value>{number})", [Piece(f"of 9 {text}")]) == value


def test_a_number_that_is_none_is_told() -> None:
    assert read_metric("loss {number}", [Piece("loss 0.5"), Piece("loss nan")]) == "'nan' is no finite number"
    assert read_metric("loss {number}", [Piece("loss 0.5"), Piece("loss information")]) == 0.5


class Files:
    """One log whose content the test sets."""

    def __init__(self) -> None:
        self.data = b""
        self.bytes_read = 0
        self.is_there = True

    def list(self, directory: str, path: str = "") -> list[OutputFile]:
        return [OutputFile("stdout.txt", len(self.data))] if self.is_there else []

    def read(self, directory: str, path: str, offset: int = 0) -> Iterator[bytes]:
        self.bytes_read += len(self.data) - offset
        yield self.data[offset:]


class Followed:
    """A follower with a clock of its own, and the texts that it told."""

    def __init__(self, tail: int | None = None) -> None:
        self.now = 0.0
        self.files = Files()
        self.events: list[e.Event] = []
        self.follower = Follower(
            "job",
            self.files,  # type: ignore[arg-type]
            self.events.append,
            tail=tail,
            clock=lambda: self.now,
        )

    def look(self, seconds: float, added: bytes = b"", *, last: bool = False) -> list[str]:
        """Let time pass, add to the log, look; gives what was told."""
        self.now += seconds
        self.files.data += added
        self.events.clear()
        self.follower.look(last=last)
        return [event.text for event in self.events if isinstance(event, e.LogLine)]


def test_what_stands_without_an_end_is_shown_once() -> None:
    followed = Followed()
    assert followed.look(0, b"\r1/9") == []
    assert followed.look(1, b"\r2/9") == []
    assert followed.look(1.1) == ["2/9"]
    assert followed.look(5) == []
    assert followed.look(0, b"\r3/9\r4/9") == []
    assert followed.look(2) == ["4/9"]
    assert followed.look(0, b"\nnext\n") == ["next"]
    assert followed.look(0, b"Continue? ") == []
    assert followed.look(3) == ["Continue? "]
    assert followed.look(1, b"yes\n\n") == ["yes", ""]


def test_what_stood_is_not_told_again_at_the_end() -> None:
    followed = Followed()
    followed.look(0, b"50%")
    assert followed.look(2) == ["50%"]
    assert followed.look(0, last=True) == []


def test_a_file_that_becomes_shorter_is_read_from_its_beginning() -> None:
    followed = Followed()
    assert followed.look(0, b"one\ntwo") == ["one"]
    followed.files.data = b"3\n"
    assert followed.look(0) == ["two", "3"]
    assert followed.look(0, b"4\n") == ["4"]


@pytest.mark.parametrize("end", [b"", b"no end"])
@pytest.mark.parametrize("width", [0, 10, 70_000])
def test_the_last_lines_of_a_long_file_are_read_without_the_others(width: int, end: bytes) -> None:
    followed = Followed(tail=3)
    lines = [str(number).rjust(width, ".") for number in range(2_000_000 // (width + 8))]
    told = followed.look(0, "\n".join(lines).encode() + b"\n" + end, last=True)
    wanted = [clean(line) for line in ([*lines, end.decode()] if end else lines)]
    assert told[-3:] == wanted[-3:]
    assert told == wanted[-len(told) :]
    assert followed.files.bytes_read < 1_300_000
    assert followed.look(0, b" that comes\n")[-1].endswith(" that comes")


def test_a_file_that_comes_after_the_first_look_is_told_whole_whatever_tail_says() -> None:
    followed = Followed(tail=1)
    followed.files.is_there = False
    assert followed.look(0) == []
    followed.files.is_there = True
    assert len(followed.look(0, b"line\n" * 40_000)) == 40_000


def test_a_long_line_is_not_taken_to_memory_to_find_where_it_begins() -> None:
    class OneLine(Files):
        size, offsets = 1 << 40, set[int]()

        def list(self, directory: str, path: str = "") -> list[OutputFile]:
            return [OutputFile("stdout.txt", self.size)]

        def read(self, directory: str, path: str, offset: int = 0) -> Iterator[bytes]:
            self.offsets.add(offset)
            yield b"x" * 1000  # and so on

    followed = Followed(tail=1)
    files = OneLine()
    Follower("job", files, followed.events.append, tail=1).look()  # type: ignore[arg-type]
    assert {offset for offset in files.offsets if offset < files.size - 16 * 1024 * 1024} == {0}


@pytest.mark.parametrize("tail", [0, 1, 5])
def test_a_short_file_is_read_whole_for_its_last_lines(tail: int) -> None:
    assert Followed(tail=tail).look(0, b"one\ntwo\n", last=True) == ["one", "two"]
