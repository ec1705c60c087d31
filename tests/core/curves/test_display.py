"""Scales, directions and tracks of curves, told from their headers."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.display import automatic, style_of
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import Config, Stats
from dataforge_registry.core.curves.tracks import BLOCKS, IMAGE, depth_position, lay_out, overview


def config(mnemonic: str, unit: str, values: Any, decimals: int | None = None, kind: Any = None) -> Config:
    array = pa.array(values, kind or (pa.string() if isinstance(values[0], str) else pa.float32()))
    curve = Curve(mnemonic, unit, array, text_decimals=decimals)
    index = Index("MD", "DEPT", "m", "M", pa.array(range(len(values)), pa.int64()).to_numpy())
    frame = Frame(Well("W"), "log", index, (curve,))
    return pack(frame, curve, "x", pack_index(index, "log")).config


@pytest.mark.parametrize(
    ("mnemonic", "unit", "value", "left", "right", "track"),
    [
        ("GR", "GAPI", 80, 0, 150, "correlation"),
        ("GR", "", 80, 0, 150, "correlation"),
        ("CALI", "IN", 8.5, 6, 16, "correlation"),
        ("CALI", "MM", 216, 150, 400, "correlation"),
        ("ILD", "OHMM", 5, 0.2, 2000, "resistivity"),
        ("SGRD", "OHMM", 5, 0.2, 2000, "resistivity"),  # by its unit, though no family knows it
        ("RHOB", "G/C3", 2.5, 1.95, 2.95, "porosity"),
        ("RHOB", "K/M3", 2500, 1950, 2950, "porosity"),
        ("NPHI", "V/V", 0.2, 0.45, -0.15, "porosity"),
        ("NPHI", "DECP", 0.2, 0.45, -0.15, "porosity"),
        ("NPHI", "%", 20, 45, -15, "porosity"),
        ("DT", "US/F", 80, 140, 40, "sonic"),
        ("DT", "US/M", 260, 500, 100, "sonic"),
        ("SP", "MV", -30, -80, 20, "correlation"),
        ("SP", "MV", 48, 0, 100, "correlation"),  # it has no zero: moved to where the curve is
    ],
)
def test_scale_and_direction(mnemonic: str, unit: str, value: float, left: float, right: float, track: str) -> None:
    style = style_of(config(mnemonic, unit, [value] * 5))
    assert (style.left, style.right, style.track) == (pytest.approx(left), pytest.approx(right), track)


def test_a_unit_that_the_family_cannot_have_is_scaled_by_its_values() -> None:
    style = style_of(config("RHOB", "CPS", [900.0, 1000.0, 1150.0]))
    assert style.track == "other" and (style.left, style.right) == (900, 1000)  # of so few samples p99 is the second
    percent = style_of(config("NPHI", "", [20.0, 30.0, 25.0]))
    assert percent.track == "other"  # no unit, and its values are not on the scale


@given(st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=30))
def test_an_automatic_scale_holds_the_percentiles(values: list[float]) -> None:
    header = config("XYZ", "", values)
    left, right = automatic(header)
    stats = header.stats
    assert stats.p01 is not None and stats.p99 is not None
    assert left < right and left <= stats.p01 + 1e-9 * abs(stats.p01) and stats.p99 - 1e-9 * abs(stats.p99) <= right


def test_a_curve_without_a_sample_has_a_scale() -> None:
    assert automatic(config("XYZ", "", [1.0])) == (0.0, 2.0)
    assert Stats(count=0, nulls=0).p01 is None
    assert style_of(config("XYZ", "", [float("nan")])).right == 1.0


def test_tracks_from_left_to_right() -> None:
    configs = [
        config("LITH", "", ["sand", "sand", "shale"]),
        config("IMG", "", [[1.0, 2.0]] * 3, kind=pa.list_(pa.float32(), 2)),
        config("DT", "US/F", [80.0] * 3),
        config("NPHI", "V/V", [0.2] * 3),
        config("RHOB", "G/C3", [2.5] * 3),
        config("ILD", "OHMM", [2.0] * 3),
        config("GR", "GAPI", [50.0] * 3),
        *[config(f"X{number}", "", [1.0, 2.0, 3.0]) for number in range(4)],
        config("FACIES", "", [1.0, 2.0, 2.0], decimals=0),
    ]
    tracks = lay_out(configs)
    assert [(track.kind, [lane.config.mnemonic for lane in track.lanes]) for track in tracks] == [
        ("correlation", ["GR"]),
        ("resistivity", ["ILD"]),
        ("porosity", ["RHOB", "NPHI"]),
        ("sonic", ["DT"]),
        ("other", ["X0", "X1", "X2"]),
        ("other", ["X3"]),
        ("other", ["LITH"]),
        ("other", ["IMG"]),
        ("other", ["FACIES"]),
    ]
    assert [track.how for track in tracks[-3:]] == [BLOCKS, IMAGE, BLOCKS]
    assert depth_position(tracks) == 1 and tracks[1].log and not tracks[2].log
    assert len({lane.style.colour for lane in tracks[4].lanes}) == 3
    assert depth_position(lay_out(configs[:3])) == 0


def test_an_overview_has_one_good_curve_of_each_family() -> None:
    configs = [
        config("GR3", "", [50.0] * 20),
        config("GR", "GAPI", [50.0] * 19 + [float("nan")]),
        config("SGR", "GAPI", [50.0] * 20),
        config("ILD", "OHMM", [float("nan")] * 20),
        config("TENS", "LB", [900.0] * 20),
    ]
    assert [configs[at].mnemonic for at in overview(configs)] == ["GR"]
    assert overview(configs[-1:]) == [0]
