"""Curves side by side: exact joins, grids, units of index and values, and envelopes for plots."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.read import Window, read
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import Config
from dataforge_registry.core.curves.units import UNITS, conversion, convert
from dataforge_registry.core.curves.windows.aligned import align
from dataforge_registry.core.curves.windows.envelope import envelope
from dataforge_registry.core.curves.windows.index_units import own_window, reading_window

Series = tuple[Config, pa.Table]


def series(
    mnemonic: str,
    depths: Sequence[str] | Sequence[int],
    values: Any,
    *,
    unit: str = "m",
    kind: str = "MD",
    scale: int | None = 4,
    window: Window | None = None,
    value_unit: str = "GAPI",
    decimals: int | None = 1,
) -> Series:
    """A curve as it is packed and read back."""
    ticks = np.array([int(Decimal(depth).scaleb(scale or 0)) for depth in depths], dtype=np.int64)
    array = values if isinstance(values, pa.Array) else pa.array(values, pa.float32())
    curve = Curve(mnemonic, value_unit, array, text_decimals=decimals)
    frame = Frame(Well("W"), "run", Index(kind, "DEPT", unit, unit, ticks, scale), (curve,))
    packed = pack(frame, curve, "x", pack_index(frame.index, "run"))
    return packed.config, read(packed.raw, packed.blobs.__getitem__, window or Window())


def rows(aligned: Any) -> list[tuple[str, ...]]:
    """The table as tuples of index text and values."""
    columns = [column.values.to_pylist() for column in aligned.columns]
    return list(zip(aligned.index_texts(), *columns, strict=True))


def test_curves_of_one_index_stand_side_by_side_untouched() -> None:
    depths = ["1", "2", "3.5"]
    gr, rhob = series("GR", depths, [1, None, 3]), series("RHOB", depths, [4, 5, 6])
    together = align([gr, rhob])
    assert rows(together) == [("1.0", 1, 4), ("2.0", None, 5), ("3.5", 3, 6)]
    assert [column.decimals for column in together.columns] == [1, 1]
    assert together.table.column_names == ["MD", "GR", "RHOB"]
    assert together.table.schema.field("MD").type == pa.decimal128(14, 4)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("outer", [("1.0", 1, None), ("1.5", None, 7), ("2.0", 2, 8), ("3.0", None, 9)]),
        ("inner", [("2.0", 2, 8)]),
        ("left", [("1.0", 1, None), ("2.0", 2, 8)]),
    ],
)
def test_other_indexes_join_where_values_are_equal(how: str, expected: list[tuple[str, float, float]]) -> None:
    pair = [series("GR", ["1", "2"], [1, 2]), series("DT", ["1.5", "2", "3"], [7, 8, 9], scale=6)]
    together = align(pair, how=how)
    assert rows(together) == expected
    assert together.scale == 6


def test_a_repeated_depth_joins_in_order() -> None:
    pair = [series("A", ["1", "2", "2", "3"], [1, 2, 3, 4]), series("B", ["2", "2", "2"], [5, 6, 7])]
    assert rows(align(pair)) == [
        ("1.0", 1, None), ("2.0", 2, 5), ("2.0", 3, 6), ("2.0", None, 7), ("3.0", 4, None),
    ]  # fmt: skip
    assert rows(align(pair, how="inner")) == [("2.0", 2, 5), ("2.0", 3, 6)]


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=20).map(sorted), min_size=1, max_size=4))
def test_an_outer_join_loses_and_invents_nothing(indexes: list[list[int]]) -> None:
    many = [series(f"C{at}", index, [float(v) for v in index]) for at, index in enumerate(indexes)]
    together = align(many)
    for column, index in zip(together.columns, indexes, strict=True):
        pairs = zip(together.ticks.tolist(), column.values.to_pylist(), strict=True)
        found = [(tick // 10_000, value) for tick, value in pairs if value is not None]
        assert found == [(depth, float(depth)) for depth in index]
    assert not any(all(value is None for value in row[1:]) for row in rows(together))


def test_equal_names_are_told_apart() -> None:
    names = [column.name for column in align([series("GR", ["1", "2"], [1, 2])] * 3).columns]
    assert names == ["GR", "GR:2", "GR:3"]
    assert align([series("MD", ["1", "2"], [1, 2])]).table.column_names == ["MD", "MD:2"]


def test_kinds_do_not_mix() -> None:
    depth, time = series("GR", ["1"], [1]), series("ROP", ["1"], [1], kind="TIME", unit="s")
    stamps = series("GAS", ["1"], [1], kind="TIME", unit="s", scale=None)
    with pytest.raises(CurveError, match=r"run/GR on MD in m and run/ROP on TIME in s have no index in common"):
        align([depth, time])
    with pytest.raises(CurveError, match="run/GAS on dates and times"):
        align([time, stamps])
    with pytest.raises(CurveError, match="from m to s"):
        align([depth], unit="s")
    with pytest.raises(CurveError, match="no unit"):
        align([depth, series("X", ["1"], [1], unit="")])
    with pytest.raises(CurveError, match="cannot be read in ft"):
        align([stamps], unit="ft")


def test_feet_become_metres_exactly_and_back() -> None:
    feet = series("GR", ["1000.5", "1000.7501"], [1, 2], unit="ft")
    metres = align([feet], unit="m")
    assert metres.index_texts() == ["304.9524", "305.02863048"]
    assert (metres.unit, metres.notes) == ("m", ())
    # 0.1524 m are half a foot, whatever the decimals
    regular = series("GR", [str(Decimal("304.8") + Decimal("0.1524") * row) for row in range(4)], [1, 2, 3, 4])
    assert align([regular], unit="FEET").index_texts() == ["1000.0", "1000.5", "1001.0", "1001.5"]


def test_what_feet_cannot_say_is_rounded_and_noted() -> None:
    aligned = align([series("GR", ["1", "2.5"], [1, 2])], unit="ft")
    assert aligned.index_texts() == ["3.2808", "8.2021"]
    assert aligned.notes == ("the index of GR is rounded to 1e-4 ft",)


def test_mixed_units_join_in_the_first_ones() -> None:
    pair = [series("GR", ["3.048", "4"], [1, 2]), series("DT", ["10", "11"], [3, 4], unit="ft")]
    assert rows(align(pair)) == [("3.048", 1, 3), ("3.3528", None, 4), ("4.0", 2, None)]


LENGTHS = [name for name, unit in UNITS.items() if unit.dimension == "length"]


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20), st.sampled_from(LENGTHS), st.sampled_from(LENGTHS)
)
def test_any_conversion_is_exact_or_noted(ticks: list[int], given_unit: str, wanted: str) -> None:
    one = series("GR", [str(Decimal(tick).scaleb(-4)) for tick in sorted(ticks)], [1.0] * len(ticks), unit=given_unit)
    aligned = align([one], unit=wanted)
    factor = conversion(given_unit, wanted)[0]
    found = [Fraction(text) for text in aligned.index_texts()]
    wrong = [abs(Fraction(tick, 10_000) * factor - each) for tick, each in zip(sorted(ticks), found, strict=True)]
    assert max(wrong) <= (Fraction(1, 20_000) if aligned.notes else 0)


@given(
    st.integers(0, 200),
    st.integers(0, 200),
    st.sampled_from(["m", "ft", "in", None]),
    st.sampled_from(["m", "ft", "mm"]),
)
def test_a_window_in_another_unit_has_the_rows_that_lie_in_it(a: int, b: int, unit: str | None, own: str) -> None:
    depths = [str(Decimal("0.3048") * row) for row in range(100)]
    config, table = series("GR", depths, [1.0] * 100, unit=own)
    low, high = sorted((a, b))
    window = own_window(Window(str(low), str(high)), unit, config.index)
    factor = conversion(own, unit or own)[0]
    inside = [depth for depth in depths if low <= Fraction(depth) * factor <= high]
    config, table = series("GR", depths, [1.0] * 100, unit=own, window=window)
    assert [Decimal(depth) for depth in inside] == table["MD"].to_pylist()


def test_windows_that_cannot_be() -> None:
    config, _ = series("GR", ["1", "2"], [1, 2])
    with pytest.raises(CurveError, match="upside down"):
        own_window(Window("3", "2"), "ft", config.index)
    with pytest.raises(CurveError, match="'deep' is no depth"):
        own_window(Window("deep", None), "ft", config.index)
    with pytest.raises(CurveError, match="no way from m to degC"):
        own_window(Window("1", None), "degC", config.index)


def test_a_grid_interpolates_numbers_and_takes_the_nearer_text() -> None:
    depths = ["0", "1", "2", "3"]
    numbers = series("GR", depths, [0, 10, None, 30])
    texts = series("LITH", depths, pa.array(["a", "b", None, "d"]))
    counts = series("N", depths, pa.array([1, 2, 3, 4], pa.int32()))
    found = align([numbers, texts], step="0.25", window=Window("0", "3"))
    assert found.columns[0].values.to_pylist() == [
        0, 2.5, 5, 7.5, 10, None, None, None, None, None, None, None, 30,
    ]  # fmt: skip
    assert found.columns[1].values.to_pylist() == [
        "a", "a", "a", "b", "b", "b", "b", None, None, None, None, "d", "d",
    ]  # fmt: skip
    assert found.columns[0].decimals is None
    assert align([counts], step="0.5").columns[0].values.to_pylist() == [1, 1, 2, 2, 3, 3, 4]
    image = series("IMG", depths, pa.array([[1, 2], [3, 4], None, [5, 6]], pa.list_(pa.float32(), 2)))
    assert align([image], step="0.75").columns[0].values.to_pylist()[:3] == [[1, 2], [3, 4], [3, 4]]


def test_a_grid_draws_over_no_gap() -> None:
    depths = ["0", "1", "2", "4", "7", "8", "9", "10"]  # usual step 10/7
    found = align([series("GR", depths, [0, 1, 2, 4, 7, 8, 9, 10])], step="0.5", window=Window("3", "8"))
    assert rows(found) == [
        ("3.0", 3), ("3.5", 3.5), ("4.0", 4), ("4.5", None), ("5.0", None), ("5.5", None), ("6.0", None),
        ("6.5", None), ("7.0", 7), ("7.5", 7.5), ("8.0", 8),
    ]  # fmt: skip


def test_a_grid_on_the_samples_leaves_them_as_printed() -> None:
    column = align([series("GR", ["1", "2", "3"], [1, 2, 3])], step="1").columns[0]
    assert (column.values.to_pylist(), column.decimals) == ([1, 2, 3], 1)


@given(
    st.integers(0, 90), st.integers(1, 60), st.sampled_from(["0.5", "0.7", "3", "0.3333"]), st.sampled_from(["m", "ft"])
)
def test_a_window_of_a_grid_is_cut_from_the_grid_of_the_whole(at: int, long: int, step: str, unit: str) -> None:
    depths = [str(row) for row in range(30) if row % 7]
    values = [float(row) for row in range(len(depths))]
    whole = align([series("GR", depths, values)], step=step, unit=unit, window=Window("0"))
    start = Decimal(step) * at
    window = Window(str(start), str(start + long))
    config, _ = series("GR", depths, values)
    part = series("GR", depths, values, window=reading_window(config, window, unit, step))
    found = align([part], step=step, unit=unit, window=window)
    assert rows(found) == [row for row in rows(whole) if start <= Decimal(row[0]) <= start + long]


@pytest.mark.parametrize(
    ("step", "said"), [("0", "not above zero"), ("-1", "not above zero"), ("x", "'x' is no number"), ("1e-4", "rows")]
)
def test_steps_that_cannot_be(step: str, said: str) -> None:
    with pytest.raises(CurveError, match=said):
        align([series("GR", ["0", "200000"], [1, 2])], step=step)


def test_times_come_to_a_grid_of_seconds() -> None:
    gas = series("GAS", [0, 10_000_000, 20_000_000], [1, 2, 3], kind="TIME", unit="s", scale=None)
    found = align([gas], step="5", window=Window("1970-01-01T00:00:05Z", None))
    assert rows(found) == [
        ("1970-01-01T00:00:05Z", 1.5), ("1970-01-01T00:00:10Z", 2), ("1970-01-01T00:00:15Z", 2.5),
        ("1970-01-01T00:00:20Z", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given_unit", "wanted", "before", "after"),
    [
        ("G/CC", "kg/m3", 2.65, 2650),
        ("US/F", "us/m", 100, 100 / 0.3048),
        ("DEGF", "degC", 212, 100),
        ("degC", "degF", -40, -40),
        ("PU", "v/v", 45, 0.45),
        ("M", "ft", 0.3048, 1),
        ("in", "mm", 8.5, 215.9),
        ("psi", "kPa", 1, 6.894757293168),
    ],
)
def test_values_convert(given_unit: str, wanted: str, before: float, after: float) -> None:
    found = convert(pa.array([before, None]), given_unit, wanted).to_pylist()
    assert found == [pytest.approx(after, rel=1e-12), None]
    assert convert(pa.array([before], pa.float32()), given_unit, wanted).type == pa.float32()


def test_values_convert_by_name() -> None:
    pair = align([series("DT", ["1"], [100], value_unit="US/F"), series("DT", ["1"], [200], value_unit="US/F")])
    both, second = pair.in_units({"DT": "us/m"}), pair.in_units({"DT:2": "us/m"})
    assert [column.unit for column in both.columns] == ["us/m", "us/m"]
    assert [column.unit for column in second.columns] == ["US/F", "us/m"]
    assert second.columns[1].values.to_pylist() == [pytest.approx(656.168, abs=1e-3)]
    assert [column.decimals for column in second.columns] == [1, None]
    with pytest.raises(CurveError, match="no curve GR here"):
        pair.in_units({"GR": "gAPI"})
    with pytest.raises(CurveError, match="DT: there is no way from us/ft to degC: it converts to us/m, us/ft"):
        pair.in_units({"DT": "degC"})


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=200).map(sorted),
    st.integers(1, 17),
    st.none() | st.integers(0, 500),
    st.data(),
)
def test_an_envelope_is_the_extremes_of_each_bin(
    depths: list[int], bins: int, start: int | None, data: st.DataObject
) -> None:
    number = st.none() | st.floats(-1e6, 1e6, width=32)
    values = data.draw(st.lists(number, min_size=len(depths), max_size=len(depths)))
    table = align([series("GR", depths, values)]).table
    found = envelope(table, bins, Window(None if start is None else str(start), "1000" if start is not None else None))
    low, high = (depths[0], depths[-1]) if start is None else (start, 1000)
    edges = np.linspace(low * 10_000, high * 10_000, bins + 1)
    for at in range(bins):
        last = at == bins - 1
        inside = [
            value
            for depth, value in zip(depths, values, strict=True)
            if depth * 10_000 >= edges[at] and (depth * 10_000 <= edges[-1] if last else depth * 10_000 < edges[at + 1])
        ]
        there = [value for value in inside if value is not None]
        assert found["GR.min"][at].as_py() == min(there, default=None)
        assert found["GR.max"][at].as_py() == max(there, default=None)
        assert found["GR.nulls"][at].as_py() == len(inside) - len(there)


def test_envelopes_of_arrays_texts_and_times() -> None:
    depths = pa.array([0, 1, 2, 3]).cast(pa.timestamp("us", "UTC"))
    image = pa.array([[1, 2], [3, None], None, [-5, 9]], pa.list_(pa.float32(), 2))
    table = pa.table({"TIME": depths, "IMG": image, "LITH": pa.array(["a", None, "b", "c"])})
    found = envelope(table, 2)
    assert found["IMG.min"].to_pylist() == [1, -5]
    assert found["IMG.max"].to_pylist() == [3, 9]
    assert found["IMG.nulls"].to_pylist() == [0, 1]
    assert found["LITH.min"].to_pylist() == [None, None]
    assert found["LITH.nulls"].to_pylist() == [1, 0]
    assert found["TIME"].cast(pa.int64()).to_pylist() == [0, 2]
    with pytest.raises(CurveError, match="bins is from 1"):
        envelope(table, 0)
