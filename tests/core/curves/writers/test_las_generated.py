"""Any curves to LAS and back: values, names, units and texts, within what LAS can say."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.model import Curve
from dataforge_registry.core.curves.readers.las.columns import ABSENT
from dataforge_registry.core.curves.readers.las.reader import read_las
from dataforge_registry.core.curves.windows.aligned import align
from dataforge_registry.core.curves.writers import Extent, Format, write
from dataforge_registry.core.curves.writers.las_layout import LINE, WRAPPED_LINE

calm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
plain = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cn"], exclude_characters="\x85\xa0")
words = st.text(plain, max_size=12)
ROWS = 5


def las(tables: Any, curves: Sequence[Curve], **index: Any) -> bytes:
    aligned = tables.of(curves, tables.index(len(curves[0].values), **index))
    return b"".join(write(Format.las, list(aligned.chunks(2)), extent=Extent.of([aligned])))


@calm
@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=ROWS, max_size=ROWS)
    | st.lists(
        st.none() | st.sampled_from([-999.25, -9999.0, 1e300, -1e300, 5e-324, 0.1]), min_size=ROWS, max_size=ROWS
    ),
    st.sampled_from(["down", "up"]),
)
def test_any_numbers_come_back(tables: Any, values: list[float | None], direction: str) -> None:
    array = pa.array(values, pa.float64())
    again = read_las(las(tables, [Curve("GR", "GAPI", array)], direction=direction), "x.las")
    assert again.index.direction == direction
    assert [float(str(value)) if value is not None else None for value in again.curves[0].values.to_pylist()] == [
        None if value is None else value if again.curves[0].values.type == pa.float64() else float(np.float32(value))
        for value in values
    ]


@calm
@given(st.lists(st.none() | st.integers(-(10**7), 10**7), min_size=ROWS, max_size=ROWS), st.integers(0, 9))
def test_any_decimals_come_back_with_their_digits(tables: Any, values: list[int | None], decimals: int) -> None:
    """As a file printed them: 12.500 stays 12.500."""
    numbers = [None if value is None else value / 10**decimals for value in values]
    text = las(tables, [Curve("GR", "GAPI", pa.array(numbers, pa.float64()), text_decimals=decimals)]).decode()
    again = read_las(text.encode(), "x.las").curves[0]
    printed = [line.split()[1] for line in text.split("~A\n")[1].splitlines()]
    for value, shown in zip(numbers, printed, strict=True):
        if value is not None:
            assert shown == f"{value:.{decimals}f}"
    found = again.values.cast(pa.float64()).to_pylist()
    assert [None if value is None else round(value, decimals) for value in found] == numbers


@calm
@example(values=[",", None, None, None, None])
@given(st.lists(st.none() | words, min_size=ROWS, max_size=ROWS))
def test_any_texts_come_back(tables: Any, values: list[str | None]) -> None:
    """But for what makes a text none: runs of white space, texts that read as numbers or as absent."""
    kept = [None if value is None else " ".join(value.split()) or None for value in values]
    first = next((value for value in kept if value is not None), None)
    assume(first is not None and first.casefold() not in ABSENT)
    assume(not any(value and re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", value, re.IGNORECASE) for value in kept))
    again = read_las(las(tables, [Curve("LITH", "", pa.array(values, pa.string()))]), "x.las").curves[0]
    assert again.values.to_pylist() == kept


@calm
@example(named=[("_", "", ""), ("_A_", "", "")], well="0")
@given(
    st.lists(st.tuples(words, words, words), min_size=1, max_size=4),
    words.filter(lambda name: name.strip()),
)
def test_any_names_leave_a_header_that_is_read(tables: Any, named: list[tuple[str, str, str]], well: str) -> None:
    """Whatever curves are called, the file has as many columns, with their values; plain names stay as they are."""
    curves = []
    taken: set[str] = set()
    for mnemonic, unit, description in named:
        if not mnemonic.strip() or mnemonic in taken:
            continue
        taken.add(mnemonic)
        values = pa.array(np.arange(ROWS, dtype=np.float32) + len(curves))
        curves.append(Curve(mnemonic, unit, values, description))
    assume(curves)
    again = read_las(las(tables, curves), "x.las")
    assert [curve.values.to_pylist() for curve in again.curves] == [curve.values.to_pylist() for curve in curves]
    assert again.well.name == "Hole 1"
    for before, after in zip(curves, again.curves, strict=True):
        if re.fullmatch(r"[A-Z0-9_]+", before.mnemonic):
            assert after.mnemonic == before.mnemonic
        if re.fullmatch(r"[A-Za-z0-9/%]*", before.unit):
            assert after.unit == before.unit
        if re.fullmatch(r"[A-Za-z0-9]*( [A-Za-z0-9]+)*", before.description):
            assert after.description == before.description


def test_infinities_are_null_and_null_is_no_value(tables: Any) -> None:
    values = pa.array([-np.inf, np.inf, None, -1.7976931348623157e308, -999.25], pa.float64())
    again = read_las(las(tables, [Curve("GR", "", values)]), "x.las").curves[0]
    assert again.values.to_pylist() == [None, None, None, -1.7976931348623157e308, -999.25]


def test_duplicates_come_back_as_they_were_told_apart(tables: Any) -> None:
    values = pa.array([1.0] * ROWS, pa.float32())
    names = ["GR", "GR:2", "GR:3", "SP:2", "LONG" * 20, "A.B"]
    again = read_las(las(tables, [Curve(name, "", values) for name in names]), "x.las")
    assert [curve.mnemonic for curve in again.curves] == ["GR", "GR:2", "GR:3", "SP_2", "LONG" * 20, "A_B"]


def test_many_curves_are_wrapped(tables: Any) -> None:
    curves = [Curve(f"C{at}", "", pa.array([at + 0.5] * ROWS, pa.float32()), text_decimals=4) for at in range(60)]
    for direction in ("down", "up"):
        data = las(tables, curves, direction=direction)
        text = data.decode()
        assert re.search(r"^WRAP \.\s+YES", text, re.MULTILINE)
        assert max(len(line) for line in text.splitlines()) <= WRAPPED_LINE
        again = read_las(data, "x.las")
        assert [curve.values[0].as_py() for curve in again.curves] == [at + 0.5 for at in range(60)]
        assert again.index.direction == direction
    narrow = las(tables, curves[:20]).decode()
    assert re.search(r"^WRAP \.\s+NO", narrow, re.MULTILINE)
    assert max(len(line) for line in narrow.splitlines()) <= LINE


def test_times_and_arrays(tables: Any) -> None:
    image = Curve("IMG", "dB", pa.array([[1, 2], [3, None]], pa.list_(pa.int16(), 2)))
    again = read_las(las(tables, [image], scale=None), "x.las")
    assert again.index.scale is None and again.index.text(1) == "1970-01-01T00:00:01.500000Z"
    assert [(curve.mnemonic, curve.values.to_pylist()) for curve in again.curves] == [
        ("IMG[0]", [1, 3]), ("IMG[1]", [2, None]),
    ]  # fmt: skip


def test_upward_logs_with_equal_depths_keep_their_order(tables: Any) -> None:
    index = tables.index(4, direction="up")
    object.__setattr__(index, "ticks", np.array([10_000, 20_000, 20_000, 30_000], dtype=np.int64))
    aligned = tables.of([Curve("GR", "", pa.array([1.0, 2.0, 3.0, 4.0], pa.float32()))], index)
    again = read_las(b"".join(write(Format.las, [aligned])), "x.las")
    assert again.curves[0].values.to_pylist() == [1, 2, 3, 4]
    assert align([(aligned.columns[0].config, aligned.table)]).index_texts() == ["1.0", "2.0", "2.0", "3.0"]
