"""A job's own file of metrics: steps, times, and whatever else a program may write."""

from __future__ import annotations

import pytest

from batchai_scenario.schema import measured
from batchai_scenario.schema.measured import LONGEST_LINE, LONGEST_NAME, MOST_POINTS, LinesReader


def points(*lines: str | bytes) -> dict[str, list[list[object]]]:
    reader = LinesReader()
    reader.feed(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return {one["name"]: one["points"] for one in reader.series("f")}


def test_a_file_may_be_read_in_any_pieces() -> None:
    reader = LinesReader()
    for byte in b'{"loss": 2}\n{"loss": 1}\n{"lo':
        reader.feed(bytes([byte]))
    assert [point[2] for point in reader.series("f")[0]["points"]] == [2, 1]
    reader.feed(b'ss": 0.5}')
    assert [point[::2] for point in reader.series("f")[0]["points"]] == [[1, 2], [2, 1], [3, 0.5]]


def test_numbers_are_metrics_by_their_names_and_steps() -> None:
    found = points(
        '{"step": 10, "loss": 0.5, "time": 0}',
        '{"epoch": 2, "loss": 1, "word": "x", "done": true}',
        '{"loss": 2}',
    )
    assert found == {"loss": [[10, "1970-01-01T00:00:00+00:00", 0.5], [2, None, 1], [3, None, 2]]}


def test_what_is_no_finite_number_is_a_gap() -> None:
    huge = "9" * 400
    found = points(
        '{"loss": NaN}', '{"loss": Infinity}', f'{{"loss": {huge}}}', '{"loss": -1e400}', '{"loss": 1}'
    )
    assert [point[2] for point in found["loss"]] == [None, None, None, None, 1]


def test_lines_that_are_none_are_left_out() -> None:
    deep = "[" * 100_000
    assert points("", "{", "[1]", "null", b"\xff\xfe", "\0", deep, '{"a": {"b": 1}, "c": [1]}') == {}
    found = points(
        '{"a": 1, "time": "yesterday"}',
        '{"a": 1, "time": 1e300}',
        '{"a": 1, "step": NaN}',
        '{"a": 1, "time": null}',
    )
    assert [point[:2] for point in found["a"]] == [[1, None], [2, None], [3, None], [4, None]]
    dated = points('{"a": 1, "time": "2018-06-06T12:00:00Z"}')
    assert dated["a"][0][1] == "2018-06-06T12:00:00+00:00"


def test_very_many_are_thinned_and_the_last_stays() -> None:
    found = points(*(f'{{"a": {number}}}' for number in range(3 * MOST_POINTS)))
    assert len(found["a"]) <= MOST_POINTS + 1
    assert found["a"][-1][2] == 3 * MOST_POINTS - 1


def test_a_file_of_any_form_is_held_in_little(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = LinesReader()
    for _ in range(3):
        reader.feed(b'{"a": "' + b"x" * LONGEST_LINE)
    assert len(reader._pending) <= LONGEST_LINE
    reader.feed(b'", "b": 1}\n{"a": 3, "%s": 1}\n' % (b"n" * (LONGEST_NAME + 1)))
    assert [(one["name"], one["points"]) for one in reader.series("f")] == [("a", [[2, None, 3]])]
    monkeypatch.setattr(measured, "MOST_KEPT", 300)
    for _ in range(1000):
        reader.feed(b'{"a": 1, "b": 2, "c": 3}\n')
    assert reader.kept <= 300
    told = {one["name"]: one["points"] for one in reader.series("f")}
    assert [points[-1][0] for points in told.values()] == [1002] * 3


@pytest.mark.parametrize(
    "step", ["1e308", "-1e308", "9" * 300, "9" * 400, "NaN", "Infinity", "9223372036854775808"]
)
def test_where_no_step_can_be_lines_are_counted(step: str) -> None:
    assert points(f'{{"a": 1, "step": {step}}}') == {"a": [[1, None, 1]]}
