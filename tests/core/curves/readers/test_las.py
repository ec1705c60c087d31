"""LAS files read exactly, and refused with line and reason where they would not be."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.errors import CurveError, LasRefused
from dataforge_registry.core.curves.model import Frame
from dataforge_registry.core.curves.readers.las.columns import narrow
from dataforge_registry.core.curves.readers.las.reader import read_las

HEADER = """~Version
VERS. 2.0 : CWLS LOG ASCII STANDARD - VERSION 2.0
WRAP. {wrap} : one line per depth step
{extra}~Well
STRT.M 100.0 : start
STOP.M {stop} : stop
STEP.M 0.5 : step
NULL. -999.25 : null
WELL. Somewhere 1 : well
UWI. 0012345 : id
DATE. 13-DEC-1986 : date
~Curve
DEPT.M : depth
GR.GAPI 00 310 01 00 : gamma ray
LITH. : lithology
~A
"""
ROWS = "100.0 55.10 SAND\n100.5 -999.25 SHALE\n101.0 57.3 -999.25\n"


def las(rows: str = ROWS, wrap: str = "NO", stop: str = "101.0", extra: str = "") -> bytes:
    return (HEADER.format(wrap=wrap, stop=stop, extra=extra) + rows).encode()


def column(frame: Frame, at: int) -> list[object]:
    return frame.curves[at].values.to_pylist()


def refusal(content: bytes) -> LasRefused:
    with pytest.raises(LasRefused) as caught:
        read_las(content, "x.las")
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_plain_file() -> None:
    frame = read_las(las(), "x.las")
    assert [frame.index.text(row) for row in range(3)] == ["100.0", "100.5", "101.0"]
    assert [str(value) for value in frame.curves[0].values.to_numpy(zero_copy_only=False)] == ["55.1", "nan", "57.3"]
    assert frame.curves[0].values.null_count == 1
    assert column(frame, 1) == ["SAND", "SHALE", None]
    assert (frame.well.name, frame.well.uwi, frame.acquired, frame.name) == (
        "Somewhere 1",
        "0012345",
        "1986-12-13",
        "log",
    )
    assert frame.curves[0].text_decimals == 2 and frame.curves[0].definition.startswith("GR.GAPI 00 310")
    assert frame.original is not None and frame.original.findings == () and frame.original.format == "LAS 2.0"


def test_falling_depths_are_stored_rising_and_equal_neighbours_keep_their_order() -> None:
    frame = read_las(las("102.0 1 A\n101.5 2 B\n101.5 3 C\n101.0 4 D\n"), "x.las")
    assert frame.index.direction == "up"
    assert column(frame, 0) == [4, 2, 3, 1] and column(frame, 1) == ["D", "B", "C", "A"]


def test_a_wrapped_file() -> None:
    assert column(read_las(las("100.0\n55 SAND\n100.5\n56\nCLAY\n", "YES"), "x.las"), 1) == ["SAND", "CLAY"]


@pytest.mark.parametrize(
    ("extra", "rows"),
    [
        ("DLM. COMMA : \n", '100.0,55.5,"SAND, fine"\n100.5,,CLAY\n'),
        ("DLM. TAB : \n", "100.0\t55.5\tSAND, fine\n100.5\t\tCLAY\n"),
    ],
)
def test_delimiters(extra: str, rows: str) -> None:
    frame = read_las(las(rows, extra=extra), "x.las")
    assert column(frame, 0) == [55.5, None] and column(frame, 1) == ["SAND, fine", "CLAY"]


def test_commas_without_a_word_in_the_header_are_found() -> None:
    frame = read_las(las("100.0,55.5,SAND\n100.5,56.5,CLAY\n"), "x.las")
    assert column(frame, 0) == [55.5, 56.5]
    assert frame.original is not None and any("commas" in finding for finding in frame.original.findings)


def test_a_header_that_disagrees_is_a_finding() -> None:
    frame = read_las(las(stop="250.0"), "x.las")
    assert frame.original is not None and frame.original.findings == ("STOP is 250; the data have 101",)


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("06-21-97", "1997-06-21"), ("21/06/2009", "2009-06-21"), ("05/05/2009", "2009-05-05"),
        ("01/02/2001", None), ("31/31/2001", None), ("02.03.04", None), ("1986-12-13", "1986-12-13"), ("May", None),
    ],
)  # fmt: skip
def test_a_date_is_kept_where_it_reads_one_way_only(printed: str, kept: str | None) -> None:
    assert read_las(las().replace(b"13-DEC-1986", printed.encode()), "x.las").acquired == kept


def test_what_depths_are_measured_from() -> None:
    lines = b"DMF. GL : drilling measured from\nLMF. K.B. : log measured from\n"
    assert read_las(las().replace(b"~Curve", b"~Parameter\n" + lines + b"~Curve"), "x.las").index.datum == "KB"
    assert read_las(las().replace(b"~Curve", lines + b"~Curve"), "x.las").index.datum == "KB"
    assert read_las(las(), "x.las").index.datum is None


def test_a_time_index() -> None:
    frame = read_las(las("2020-01-01T00:00:00 1 A\n2020-01-01T00:00:10 2 B\n"), "x.las")
    assert frame.index.scale is None and frame.index.text(1) == "2020-01-01T00:00:10Z"


def test_las_3_with_one_log() -> None:
    content = las().decode().replace("VERS. 2.0", "VERS. 3.0").replace("~Curve", "~Log_Definition")
    content = content.replace("~A\n", "~Core_Data | Core_Definition\n1,2\n~Log_Data | Log_Definition\n")
    frame = read_las(content.encode(), "x.las")
    assert column(frame, 1) == ["SAND", "SHALE", None]
    assert frame.original is not None and frame.original.findings == (
        "section ~Core_Data | Core_Definition was not read: its definition defines no curve",
    )


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 0, "not a LAS file"),
        (b"%PDF-1.7 something", 0, "not a LAS file"),
        (b"\x00\x01RECORD", 0, "binary"),
        (b"\xff\xfe\x00", 0, "not a text file"),
        (las().partition(b"~A")[0], 0, "no ~A data"),
        (las(""), 16, "cut off or empty"),
        (las("100.0 55.1 SAND\n100.5 56.2"), 18, "2 values where 3 columns are defined"),
        (las("100.0 55.1 SAND\n100.5 56.2 SA", stop="900"), 18, "cut off in its last line"),
        (las("100.0\n55\nSAND\n100.5\n56\n", "YES"), 20, "cut off: its last row has 2 of 3"),
        (las("100.0 55.1 SAND 7\n"), 17, "4 values where 3 columns are defined"),
        (las("100.0 55.1 SAND\n-999.25 56.2 SAND\n"), 18, "index is NULL"),
        (las("100.0 55.1 SAND\nNaN 56.2 SAND\n"), 18, "index has no value"),
        (las("100.0 55.1 SAND\n101.0 1 A\n100.5 56.2 SAND\n102 1 A\n"), 19, "turns back"),
        (las("100.0 55.1 SAND\n100.0 1 A\n"), 17, "does not move"),
        (las("100.0 55.1 SAND\n100.5 5x6 A\n"), 18, "GR: '5x6' is no number"),
        (las("100.0 55.1 SAND\n100.5 1_0 A\n"), 18, "GR: '1_0' is no number"),
        (las("100.0 55.1 SAND\n100.5 12,5 A\n"), 18, "decimal comma"),
        (las("100.0 55.1 SAND\n100.5 1e999 A\n"), 18, "64-bit float"),
        (las("00:00:01 55.1 SAND\n"), 17, "neither a number nor an ISO 8601"),
        (las("100.12345678901234 55.1 SAND\n"), 17, "15 digits"),
        (las() + b"~A\n100 1 A\n", 20, "second log data section"),
        (las(extra="DLM. SEMICOLON : \n"), 0, "SPACE, TAB and COMMA"),
        (las().replace(b"VERS. 2.0", b"VERS. "), 0, "VERS is missing"),
        (las().replace(b"GR.GAPI 00 310 01 00 : gamma ray\nLITH. : lithology\n", b""), 0, "no curve on it"),
    ],
)
def test_refusals(content: bytes, line: int, reason: str) -> None:
    refused = refusal(content)
    assert reason in str(refused)
    assert refused.line == line


@given(st.integers(0, len(las()) - len(ROWS.splitlines()[-1]) - 1))
def test_a_file_cut_anywhere_never_gives_other_values(size: int) -> None:
    """Short of STOP a cut file is a row prefix of the whole or refused. (A cut inside its last row cannot be told.)"""
    whole = read_las(las(), "x.las")
    try:
        part = read_las(las()[:size], "x.las")
    except CurveError:
        return
    rows = len(part.index)
    assert column(part, 0) == column(whole, 0)[:rows] and column(part, 1) == column(whole, 1)[:rows]


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 8)), min_size=1, max_size=20))
def test_every_printed_number_can_be_had_back(numbers: list[tuple[int, int]]) -> None:
    texts = [f"{Decimal(digits).scaleb(-decimals):f}" for digits, decimals in numbers]
    most = max(decimals for _, decimals in numbers)
    values, decimals = narrow(np.array([float(text) for text in texts]), most)
    for text, value in zip(texts, values.to_numpy(), strict=True):
        printed = f"{value:.{decimals}f}" if decimals is not None else str(value)
        assert Decimal(printed) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "kind"), [("11.027", "float"), ("16777217", "double"), ("1234567.891", "double"), ("1e300", "double")]
)
def test_float32_only_where_nothing_is_lost(text: str, kind: str) -> None:
    decimals = None if "e" in text else len(text.partition(".")[2])
    assert str(narrow(np.array([float(text)]), decimals)[0].type) == kind


def test_float32_that_rounds_to_the_printed_digits() -> None:
    """The float32 nearest 8.0000019 has the shortest text 8.000002, but its seven decimals are what was printed."""
    values, decimals = narrow(np.array([8.0000019]), 7)
    assert str(values.type) == "float" and decimals == 7
    assert f"{values[0].as_py():.7f}" == "8.0000019" != str(np.float32(8.0000019))
