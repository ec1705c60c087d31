"""Few points that draw like many, and the places they are drawn at."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.display import OTHER, RESISTIVITY, Style
from dataforge_registry.registry.plot.sampling import POINTS, averaged, between, merged, polyline
from dataforge_registry.registry.plot.scales import across, depth_grid, vertical_lines
from dataforge_registry.registry.plot.terminal import bar, picture, raster

LINEAR = Style(0, 100, "", "#000000", OTHER)
LOG = Style(0.2, 2000, "ohm.m", "#000000", RESISTIVITY, log=True)
SAMPLES = st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=1, max_size=400)


@given(SAMPLES, st.integers(1, 12))
def test_a_reduced_line_reaches_what_the_whole_one_reaches(samples: list[float], rows: int) -> None:
    """In every row of pixels the same least and greatest value, and no more points than four a row and their breaks."""
    over, places = np.array(samples), np.arange(float(len(samples)))
    down, drawn = polyline(places, over, 0.0, float(len(samples)), rows)
    assert len(down) == len(drawn)
    if len(samples) > POINTS * rows:
        assert len(down) <= (POINTS + 1) * rows
    present = np.isfinite(over)
    row = (places / len(samples) * rows).astype(int)
    shown = (down / len(samples) * rows).astype(int)
    for at in set(row[present]):
        inside = np.isfinite(drawn) & (shown == at)
        assert drawn[inside].min() == over[present & (row == at)].min()
        assert drawn[inside].max() == over[present & (row == at)].max()


def test_the_pen_is_lifted_where_a_row_is_empty_and_at_holes_in_the_index() -> None:
    over = np.ones(1000)
    over[400:600] = np.nan
    _, drawn = polyline(np.arange(1000.0), over, 0, 1000, 10)
    assert np.isnan(drawn).sum() == 1
    places = np.array([0.0, 1, 2, 3, 50, 51, 52])
    down, drawn = polyline(places, np.ones(7), 0, 52, 100)
    assert np.isnan(drawn).tolist() == [False] * 4 + [True] + [False] * 3 and down[4] == 50


def test_a_window_keeps_one_sample_beyond_each_edge() -> None:
    down, _ = polyline(np.arange(100.0), np.ones(100), 10.5, 20.5, 50)
    assert (down[0], down[-1]) == (10, 21)


@given(SAMPLES)
def test_means_between_edges(samples: list[float]) -> None:
    places, grid = np.arange(float(len(samples))), np.linspace(0, len(samples), 8)
    found = averaged(places, np.array(samples), grid)
    for at in range(7):
        inside = [s for p, s in zip(places, samples, strict=True) if grid[at] <= p < grid[at + 1] and s == s]
        assert np.isnan(found[at]) if not inside else abs(found[at] - np.mean(inside)) < 1e-9


def test_nothing_between_absent_samples_and_beyond_the_ends() -> None:
    found = between(np.array([0.0, 1, 2, 3]), np.array([0.0, 1, np.nan, 3]), np.array([-1, 0.5, 1.5, 2.5, 3, 4]))
    assert np.isnan(found).tolist() == [True, False, True, True, False, True] and found[1] == 0.5
    assert np.isnan(between(np.empty(0), np.empty(0), np.array([1.0]))).all()


def test_spans_are_seen_and_join_where_they_touch() -> None:
    assert merged([(5, 6), (0, 1), (1, 2), (10, 10)], 1.0) == [(0, 2), (5, 6), (9.5, 10.5)]
    assert merged([], 1.0) == []


def test_across_a_track() -> None:
    with np.errstate(all="raise"):
        assert across(np.array([0.0, 50, 100, 150]), LINEAR).tolist() == [0, 0.5, 1, 1.5]
        found = across(np.array([0.2, 20.0, 2000.0, 0.0, -1.0]), LOG)
    np.testing.assert_allclose(found[:3], [0, 0.5, 1])
    assert np.isnan(found[3:]).all()
    reverse = Style(0.45, -0.15, "v/v", "#000000", OTHER)
    np.testing.assert_allclose(across(np.array([0.45, 0.15, -0.15]), reverse), [0, 0.5, 1])


def test_grid_lines_stand_at_round_values() -> None:
    grid = depth_grid(1500, 1600, 7.87, times=False)  # 1:500
    assert grid.heavy == tuple(range(1500, 1601, 10)) and grid.labels[:2] == ("1500", "1510")
    assert 1501 in grid.light and 1510 not in grid.light
    assert depth_grid(-3.0, 4.0, 10, times=False).labels[0] == "-3"
    times = depth_grid(3600, 7200, 10, times=True)
    assert times.labels[0] == "01:00" and times.heavy[1] - times.heavy[0] == 300
    heavy, light = vertical_lines(LOG)
    np.testing.assert_allclose(heavy, [np.log10(5 * 10**k) / 4 for k in range(4)])
    assert len(light) == 4 * 8 - 1 and vertical_lines(None)[0] == [0.5]  # 0.3 to 0.9, then 2 to 9 of each decade


@given(SAMPLES, st.integers(4, 30), st.integers(1, 20))
def test_dots_are_drawn_where_samples_are(samples: list[float], columns: int, rows: int) -> None:
    places, over = np.arange(float(len(samples))), np.array(samples)
    dots = raster(places, over, columns, rows)
    assert dots.shape == (rows, columns)
    row = np.minimum((places / max(len(samples) - 1, 1) * rows).astype(int), rows - 1)
    for at in range(rows):
        if np.isfinite(over[row == at]).any():
            assert dots[at].any()
    assert dots.any() == bool(np.isfinite(over).any())


def test_an_absent_interval_is_empty_in_the_terminal() -> None:
    values = np.full(100, 50.0)
    values[50:75] = np.nan
    texts = [str(at) for at in range(11)]
    lines = picture(np.arange(100.0), values, LINEAR, "GR gAPI", 40, 10, texts, fancy=False)
    assert lines[0].split("|")[0].strip().startswith("0-") and lines[0].endswith("100") and "GR gAPI" in lines[0]
    drawn = ["#" in line for line in lines[1:]]
    assert drawn == [True] * 5 + [False] * 2 + [True] * 3  # of two lines every sample is absent
    assert all(len(line) <= 40 for line in lines)
    fancy = picture(np.arange(100.0), values, LINEAR, "GR gAPI", 40, 10, texts, fancy=True)
    assert any(0x2800 < ord(char) < 0x2900 for char in "".join(fancy)) and all(len(line) <= 40 for line in fancy)


def test_a_bar_says_how_much_is_there() -> None:
    assert bar([0, 0.1, 0.5, 0.9, 1], True) == " ░▒██" and bar([0, 1], False) == " #"
