"""Whole pages are drawn: what stands on them, in which place, and as the same bytes each time."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.registry.plot.model import Log, Page

pytest.importorskip("matplotlib")
from dataforge_registry.registry.plot.page import draw, save

ROWS = 400
PAGE = Page("Well 1", "field/well-1", "m", "MD", 1000, 1200, facts=[("frame", "run 1"), ("field", "Somewhere")], dpi=60)


def log(mnemonic: str, unit: str, values: Any, **more: Any) -> Log:
    array = values if isinstance(values, pa.Array) else pa.array(np.asarray(values, dtype=np.float32), from_pandas=True)
    ticks = 10_000_000 + 5_000 * np.arange(len(array), dtype=np.int64)
    index = Index("MD", "DEPT", "m", "M", ticks)
    curve = Curve(mnemonic, unit, array)
    frame = Frame(Well("Well 1"), "run 1", index, (curve,))
    config = pack(frame, curve, "x", pack_index(index, "run 1")).config
    drawn: Any = np.array(array.to_pylist(), dtype=float) if not pa.types.is_string(array.type) else array.to_pylist()
    return Log(config, ticks / 1e4, drawn, **more)


def wave(low: float, high: float) -> Any:
    return low + (high - low) * (0.5 + 0.5 * np.sin(np.arange(ROWS) / 20))


def words(path: Path) -> list[str]:
    return [node.text or "" for node in ElementTree.parse(path).iter() if node.tag.endswith("text")]


def test_a_log_has_headings_scales_and_depths(tmp_path: Path) -> None:
    logs = [
        log("GR", "GAPI", wave(20, 220)),
        log("RHOB", "G/C3", wave(2.0, 2.8)),
        log("NPHI", "V/V", wave(0.05, 0.4)),
        log("ILD", "OHMM", 10 ** wave(-0.5, 3)),
        log("LITH", "", pa.array(["sand"] * 200 + [None] * 50 + ["shale"] * 150)),
        log("IMG", "", pa.array([[float(row), 1.0, 2.0] for row in range(ROWS)], pa.list_(pa.float32(), 3))),
    ]
    path = tmp_path / "log.svg"
    save(draw(PAGE, logs), path)
    found = words(path)
    for word in ("Well 1", "field/well-1", "Somewhere", "GR gAPI", "150", "GR beyond", "300", "gas crossover"):
        assert word in found
    for word in (
        "RHOB g/cm3",
        "1.95",
        "2.95",
        "NPHI v/v",
        "0.45",
        "-0.15",
        "ILD ohm.m",
        "0.2",
        "2000",
        "sand",
        "shale",
    ):
        assert word in found
    assert {"MD", "m", "1020", "1100"} <= set(found)
    again = tmp_path / "again.svg"
    save(draw(PAGE, logs), again)
    assert again.read_bytes() == path.read_bytes()


def test_depth_runs_down_and_tracks_stand_in_order() -> None:
    figure = draw(PAGE, [log("DT", "US/F", wave(60, 90)), log("GR", "GAPI", wave(20, 100))])
    bodies = [axes for axes in figure.axes if axes.get_ylim() == (1200.0, 1000.0)]
    assert len(bodies) == 3  # GR, depths, DT
    lefts = [axes.get_position().x0 for axes in bodies]
    assert lefts == sorted(lefts)
    colours = [{line.get_color() for line in axes.lines} for axes in bodies]
    assert "#1b7f3b" in colours[0] and "#7b1fa2" in colours[2] and not {"#1b7f3b", "#7b1fa2"} & colours[1]
    sonic = next(line for line in bodies[2].lines if line.get_color() == "#7b1fa2")
    drawn = np.asarray(sonic.get_xdata())
    assert drawn[0] == pytest.approx((140 - 75) / 100, abs=0.01)  # 75 us/ft on 140 to 40


def test_the_pen_is_up_in_a_gap() -> None:
    values = wave(20, 100)
    values[100:150] = np.nan
    figure = draw(PAGE, [log("GR", "GAPI", values)])
    (line,) = [
        line
        for axes in figure.axes
        for line in axes.lines
        if line.get_color() == "#1b7f3b" and len(line.get_xdata()) > 2
    ]
    down, over = np.asarray(line.get_ydata()), np.asarray(line.get_xdata())
    assert not np.isfinite(over[(down > 1050.0) & (down < 1074.0)]).any()
    assert np.isfinite(over[(down < 1049.0)]).all()


def test_another_version_is_grey_and_what_changed_is_shaded() -> None:
    old, changed = log("GR", "GAPI", wave(20, 100), label="v1"), wave(20, 100)
    changed[40:60] += 20
    new = log("GR", "GAPI", changed, label="v2", before=old, changed=[(1020.0, 1029.5)])
    figure = draw(PAGE, [new])
    said = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"GR v1 gAPI", "GR v2 gAPI", "changed"} <= said
    shaded = [patch.get_extents().height for axes in figure.axes for patch in axes.patches]
    assert len(shaded) >= 3  # in the track, in the depth track, in the legend


def test_ten_million_samples_become_few_points() -> None:
    rows = 10_000_000
    values = np.sin(np.arange(rows) / 1e4) * 60 + 75
    header = log("GR", "GAPI", wave(20, 100)).config
    figure = draw(PAGE, [Log(header, np.linspace(1000, 1200, rows), values)])
    longest = max(len(line.get_xdata()) for axes in figure.axes for line in axes.lines)
    assert 1000 < longest < 5 * 60 * 12


def test_a_print_scale_is_kept(tmp_path: Path) -> None:
    page = Page("W", "", "m", "MD", 1000, 1100, ratio=200, dpi=60)
    figure = draw(page, [log("GR", "GAPI", wave(20, 100))])
    body = max(axes.get_position().height for axes in figure.axes) * figure.get_figheight()
    assert body == pytest.approx(100 / 200 / 0.0254, rel=1e-6)
    with pytest.raises(CurveError, match="draw less of it"):
        draw(Page("W", "", "m", "MD", 0, 10_000, ratio=20, dpi=100), [log("GR", "GAPI", wave(20, 100))])
    with pytest.raises(CurveError, match="has no scale of 1:200"):
        draw(Page("W", "", "", "TIME", 0, 100, times=True, ratio=200), [log("GR", "GAPI", wave(20, 100))])
    with pytest.raises(CurveError, match=r"written as \.svg, \.png or \.pdf"):
        save(figure, tmp_path / "x.gif")


def test_long_titles_and_times(tmp_path: Path) -> None:
    page = Page(
        "UNIVERSITY LANDS " * 9, "s" * 99, "", "TIME", 0, 200, times=True, facts=[("from", "A.LAS " * 40)], dpi=50
    )
    figure = draw(page, [log("GR", "GAPI", wave(20, 100))])
    figure.canvas.draw()
    width = figure.get_figwidth() * figure.dpi
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= width + 1
    assert any(text.get_text() == "00:01:00" for axes in figure.axes for text in axes.texts)
