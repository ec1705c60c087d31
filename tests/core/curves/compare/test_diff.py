"""What differs between two versions: told from segments, and the same as a plain comparison of everything."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.packed import Packed
from dataforge_registry.core.curves.compare.diff import MOST_INTERVALS, Version, assemble, plan
from dataforge_registry.core.curves.compare.differences import CurveDiff
from dataforge_registry.core.curves.errors import ContentMismatch, CurveError
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well

ROWS = 65_617
GENTLE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def version(packed: Packed) -> Version:
    return Version(packed.digest, packed.manifest, packed.config, packed.raw)


def diff(old: Packed, new: Packed, most: int = MOST_INTERVALS) -> tuple[CurveDiff, list[str]]:
    """The comparison, and what had to be fetched for it; a blob that was not asked for is not there."""
    wanted = plan(version(old), version(new))
    blobs = old.blobs | new.blobs
    return assemble(wanted, {digest: blobs[digest] for digest in wanted.digests}, most), wanted.digests


def plain(old: tuple[list[int], list[Any]], new: tuple[list[int], list[Any]], shift: int = 0) -> dict[str, Any]:
    """The oracle: dictionaries by (tick, which of equal ticks), without segments, numpy or content ids."""

    def keyed(ticks: list[int], values: list[Any], by: int) -> dict[tuple[int, int], Any]:
        seen: dict[int, int] = {}
        rows = {}
        for tick, value in zip(ticks, values, strict=True):
            seen[tick] = seen.get(tick, -1) + 1
            rows[tick + by, seen[tick]] = None if isinstance(value, float) and value != value else value
        return rows

    before, after = keyed(*old, shift), keyed(*new, 0)
    common = [key for key in before if key in after]
    changed = [key for key in common if before[key] != after[key]]
    steps = [abs(after[key] - before[key]) for key in changed if _finite(before[key]) and _finite(after[key])]
    return {
        "changed": len(changed),
        "added": len(after) - len(common),
        "removed": len(before) - len(common),
        "nulled": sum(after[key] is None for key in changed),
        "filled": sum(before[key] is None for key in changed),
        "largest": max(steps, default=None),
        "mean": sum(steps) / len(steps) if steps else None,
    }


def _finite(value: Any) -> bool:
    return isinstance(value, float) and abs(value) != float("inf")


def check(found: CurveDiff, expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        told = getattr(found, name)
        assert told == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), name
    kinds = {
        kind: sum(i.samples for i in found.intervals if i.kind == kind) for kind in ("changed", "added", "removed")
    }
    assert kinds == {kind: expected[kind] for kind in kinds}
    assert found.interval_count == len(found.intervals)


FLOATS = st.none() | st.floats(-1e6, 1e6, width=32) | st.sampled_from([float("inf"), float("-inf"), float("nan"), -0.0])
TEXTS = st.none() | st.sampled_from(["sand", "shale", "", "öl"])


@st.composite
def edits(draw: st.DrawFn, values: st.SearchStrategy[Any], regular: bool) -> Any:
    """Two lists of (tick, value), the second made of the first by what people do to curves."""
    rows = draw(st.integers(1, 40))
    steps = [5] * rows if regular else draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    ticks = [1000 + sum(steps[:row]) for row in range(rows)]
    old = list(zip(ticks, draw(st.lists(values, min_size=rows, max_size=rows)), strict=True))
    new = list(old)
    for _ in range(draw(st.integers(0, 3))):
        edit = draw(st.sampled_from(["set", "cut", "append", "trim"]))
        at = draw(st.integers(0, len(new) - 1))
        if edit == "set":
            new[at : at + 3] = [(tick, draw(values)) for tick, _ in new[at : at + 3]]
        elif edit == "append":
            new += [(new[-1][0] + 5 * step, draw(values)) for step in (1, 2)]
        elif edit == "trim" and len(new) > at + 1:
            new = new[at:]
        elif not regular and len(new) > 1:
            del new[at]
    return old, new


@GENTLE
@given(data=st.data(), text=st.booleans(), regular=st.booleans())
def test_any_edit_is_told_as_a_plain_comparison_tells_it(make: Any, data: Any, text: bool, regular: bool) -> None:
    old, new = data.draw(edits(TEXTS if text else FLOATS, regular))
    kind = pa.string() if text else pa.float32()
    packed = [
        make.pack(make.frame(pa.array([v for _, v in rows], kind), index([tick for tick, _ in rows])))
        for rows in (old, new)
    ]
    found, _ = diff(*packed)
    lists = [([tick for tick, _ in rows], [v for _, v in rows]) for rows in (old, new)]
    if lists[0][1] == lists[1][1] and packed[0].config.values_id == packed[1].config.values_id:
        assert (found.changed, found.added, found.removed) == (0, 0, 0)
        assert (found.index is None) == (lists[0][0] == lists[1][0])
        return
    shift = round(float(found.index.shift) * 10_000) if found.index and found.index.shift else 0
    expected = plain(*lists, shift)
    check(found, expected)
    unshifted = plain(*lists)
    assert sum(expected[k] for k in ("changed", "added", "removed")) <= sum(
        unshifted[k] for k in ("changed", "added", "removed")
    )


def index(ticks: list[int], unit: str = "m", kind: str = "MD", scale: int | None = 4) -> Index:
    return Index(kind, "DEPT", unit, unit, np.array(ticks, dtype=np.int64), scale)


@settings(GENTLE, max_examples=25)
@given(data=st.data())
def test_large_curves_are_told_exactly_from_the_segments_that_differ(make: Any, data: Any) -> None:
    """As above on a curve of many segments, whose parent's layers are reused."""
    rows = 20_000
    values = make.smooth(rows)
    first = make.pack(make.frame(pa.array(values), make.index(rows)))
    edited, offset = values.copy(), data.draw(st.sampled_from([0, 0, 1_524, -5_000]))
    for _ in range(data.draw(st.integers(1, 4))):
        at, length = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(1, 300))
        edited[at : at + length] += 1
    cut, tail = data.draw(st.sampled_from([0, 0, 700])), data.draw(st.sampled_from([0, 0, 900]))
    edited = np.concatenate([edited[cut:], make.smooth(tail, seed=7)])
    moved = make.index(len(edited), start=10_000_000 + cut * 1_524 + offset)
    second = make.pack(make.frame(pa.array(edited), moved), first)
    found, fetched = diff(first, second_with(first, second))
    shift = round(float(found.index.shift) * 10_000) if found.index and found.index.shift else 0
    assert shift == offset
    expected = plain((make.index(rows).ticks.tolist(), values.tolist()), (moved.ticks.tolist(), edited.tolist()), shift)
    check(found, expected)
    if not cut and not tail:
        assert len(fetched) < len(first.manifest.layers) + len(second.manifest.layers)


def second_with(first: Packed, second: Packed) -> Packed:
    """A child whose blobs are all at hand: its own and the parent's."""
    return Packed(second.manifest, second.raw, second.digest, second.config, first.blobs | second.blobs)


def test_one_interval_costs_its_segments(make: Any) -> None:
    values = make.smooth(ROWS)
    first = make.packed(values)
    values[30_000:30_010] += 2.5
    found, fetched = diff(first, make.packed(values, first))
    assert len(fetched) <= 4
    (interval,) = found.intervals
    assert (interval.kind, interval.samples, interval.largest) == ("changed", 10, 2.5)
    assert (interval.start, interval.stop) == (make.index(ROWS).text(30_000), make.index(ROWS).text(30_009))
    assert (found.changed, found.largest, found.mean, found.largest_at) == (10, 2.5, 2.5, interval.start)
    assert not found.equal and not found.values_equal and found.index is None and found.header == []
    assert found.segments.old - 2 <= found.segments.shared < found.segments.new
    assert 0 < found.new_bytes < sum(layer.size for layer in first.manifest.layers) / 4


def test_a_shift_is_told_without_fetching_anything(make: Any) -> None:
    values = pa.array(make.smooth(ROWS))
    first = make.pack(make.frame(values))
    shifted = make.pack(make.frame(values, make.index(ROWS, start=10_005_000)), first)
    found, fetched = diff(first, shifted)
    assert fetched == [] and found.values_equal and not found.equal
    assert found.index and (found.index.shift, found.index.said) == ("+0.5", "shifted by +0.5 m")
    back, _ = diff(shifted, first)
    assert back.index and back.index.said == "shifted by -0.5 m"


def test_an_irregular_index_that_is_shifted(make: Any) -> None:
    values = pa.array([1.0, 2.0, 3.0], pa.float32())
    packed = [make.pack(make.frame(values, index([start, start + 3, start + 50]))) for start in (100, 20_100)]
    found, fetched = diff(*packed)
    assert len(fetched) == 2 and found.index and found.index.said == "shifted by +2.0 m"
    edited = make.pack(make.frame(pa.array([1.0, 2.0, 4.0], pa.float32()), index([20_100, 20_103, 20_150])))
    found, _ = diff(packed[0], edited)
    assert found.index and found.index.shift == "+2.0" and (found.changed, found.added, found.removed) == (1, 0, 0)
    stretched = make.pack(make.frame(values, index([100, 104, 150])))
    found, _ = diff(packed[0], stretched)
    assert found.index and found.index.said == "the same values at other places, moved by +0.0 to +0.0001 m"


def test_a_small_curve_that_rolls_on_is_no_shift(make: Any) -> None:
    """One segment tells nothing of a shift: what explains more samples is taken."""
    values = [1.0, 5.0, 2.0, 8.0, 3.0, 9.0]
    first = make.pack(make.frame(pa.array(values, pa.float32()), index(list(range(0, 60, 10)))))
    rolled = make.pack(make.frame(pa.array([*values[1:], 7.0], pa.float32()), index(list(range(10, 70, 10)))))
    found, _ = diff(first, rolled)
    assert (found.changed, found.added, found.removed) == (0, 1, 1)
    assert found.index and found.index.shift is None and "0.0 to 0.005 m" in found.index.said
    moved = make.pack(
        make.frame(pa.array([1.0, 5.0, 2.0, 8.5, 3.0, 9.0], pa.float32()), index(list(range(10, 70, 10))))
    )
    found, _ = diff(first, moved)
    assert found.index and found.index.said == "shifted by +0.001 m" and (found.changed, found.largest) == (1, 0.5)


def test_times_shift_in_seconds(make: Any) -> None:
    values = pa.array([1.0, 2.0], pa.float32())
    packed = [make.pack(make.frame(values, index([at, at + 10**6], "s", "TIME", None))) for at in (0, 90 * 10**6)]
    found, _ = diff(*packed)
    assert found.index and found.index.said == "shifted by +90.0 s"
    assert found.index.new.start == "1970-01-01T00:01:30Z"


def test_feet_and_metres_are_the_same_places(make: Any) -> None:
    feet = make.pack(make.frame(pa.array([1.0, 2.0, 3.0], pa.float32()), index([0, 5_000, 10_000], "ft")))
    metres = make.pack(make.frame(pa.array([1.0, 2.5, 3.0], pa.float32()), index([0, 1_524, 3_048])))
    found, _ = diff(feet, metres)
    assert (found.changed, found.added, found.removed, found.largest_at) == (1, 0, 0, "0.1524")
    assert found.index and found.index.said == "the same places in another unit, ft -> m"


def test_nothing_in_common(make: Any) -> None:
    depths = make.pack(make.frame(pa.array([1.0, 2.0, 3.0], pa.float32())))
    times = make.pack(make.frame(pa.array([1.0, 2.0], pa.float32()), index([0, 10**6], "s", "TIME", None)))
    found, _ = diff(depths, times)
    assert (found.changed, found.added, found.removed) == (0, 2, 3)
    vertical = make.pack(make.frame(pa.array([1.0, 2.5, 3.0], pa.float32()), index([7, 8, 9], kind="TVD")))
    found, _ = diff(depths, vertical)  # as many rows: the k-th is compared with the k-th
    assert (found.changed, found.added, found.removed, found.largest_at) == (1, 0, 0, "0.0008")


def test_the_header_field_by_field() -> None:
    packed = []
    for unit, uwi, direction in (("GAPI", "", "down"), ("API", "42-303", "up")):
        place = Index("MD", "DEPT", "m", "M", np.arange(3), direction=direction)
        curve = Curve("GR", unit, pa.array([1.0, 2.0, 3.0], pa.float32()))
        packed.append(pack_one(Frame(Well("W", uwi=uwi), "run 1", place, (curve,))))
    found, fetched = diff(*packed)
    assert fetched == [] and found.values_equal and not found.equal
    assert [(change.field, change.old, change.new) for change in found.header] == [
        ("unit", "GAPI", "API"),
        ("index.recorded_direction", "down", "up"),
        ("well.uwi", None, "42-303"),
    ]


def pack_one(frame: Frame) -> Packed:
    from dataforge_registry.core.curves.artifact.pack import pack, pack_index

    return pack(frame, frame.curves[0], "gr", pack_index(frame.index, frame.name))


def test_numbers_are_compared_as_they_print(make: Any) -> None:
    """76.33 as float32 and as float64 is one number; a digit more is another."""
    first = make.pack(make.frame(pa.array([76.33, 1e10, None], pa.float32())))
    same = make.pack(make.frame(pa.array([76.33, 1e10, None], pa.float64())))
    found, _ = diff(first, same)
    assert found.values_equal and [change.field for change in found.header] == ["dtype"]
    other = make.pack(make.frame(pa.array([76.330001, 1e10, None], pa.float64())))
    found, _ = diff(first, other)
    assert found.changed == 1 and found.largest == pytest.approx(1e-6)


def test_the_same_is_equal_and_another_text_has_no_size(make: Any) -> None:
    first = make.pack(make.frame(pa.array(["sand", None, "shale"], pa.string())))
    found, fetched = diff(first, first)
    assert found.equal and found.new_bytes == 0 and fetched == []
    other = make.pack(make.frame(pa.array(["sand", "silt", None], pa.string())))
    found, _ = diff(first, other)
    assert (found.changed, found.nulled, found.filled, found.largest, found.mean) == (2, 1, 1, None, None)
    assert [(interval.start, interval.samples, interval.largest) for interval in found.intervals] == [
        (make.index(3).text(1), 2, None)
    ]


def test_only_the_longest_intervals_are_listed(make: Any) -> None:
    values = np.zeros(100, dtype=np.float32)
    first = make.packed(values)
    values[[1, 3, 5, 20, 21, 22, 60, 61]] = 1
    found, _ = diff(first, make.packed(values, first), most=2)
    assert found.interval_count == 5 and found.changed == 8
    assert [interval.start for interval in found.intervals] == [make.index(100).text(row) for row in (20, 60)]


def test_a_config_that_tells_of_other_segments_is_refused(make: Any) -> None:
    one, many = make.packed([1.0, 2.0]), make.packed(make.smooth(20_000))
    wrong = Version(one.digest, one.manifest, many.config, one.raw)
    with pytest.raises(CurveError, match="its config tells of other segments"):
        plan(version(one), wrong)


def test_an_array_curve_row_by_row(make: Any) -> None:
    images = [[float(row), float(row) + 0.5, None] for row in range(50)]
    kind = pa.list_(pa.float32(), 3)
    first = make.pack(make.frame(pa.array(images, kind)))
    images[20][1] = 99.0
    images[21] = [None, None, None]
    second = make.pack(make.frame(pa.array(images, kind)), first)
    found, _ = diff(first, second)
    assert (found.rows_old, found.rows_new, found.changed, found.nulled) == (50, 50, 2, 1)
    assert (found.largest, found.largest_at) == (78.5, make.index(50).text(20))
    assert [interval.samples for interval in found.intervals] == [2]


def test_layers_of_another_type_than_the_config_says(make: Any) -> None:
    texts, numbers = make.pack(make.frame(pa.array(["a", "b"], pa.string()))), make.packed([1.0, 2.0])
    wrong = Version(numbers.digest, texts.manifest, numbers.config, texts.raw)
    wanted = plan(version(make.packed([1.0, 3.0])), wrong)
    with pytest.raises(ContentMismatch, match="holds string, not float32"):
        assemble(wanted, make.packed([1.0, 3.0]).blobs | texts.blobs)
