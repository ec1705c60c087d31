"""Whatever bytes a LAS file has: frames whose values are in it, or one line that says why not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataforge_registry.core.curves.errors import CurveError, LasRefused
from dataforge_registry.core.curves.model import Frame
from dataforge_registry.core.curves.readers.las.data import numbers_of, split_line, table_of
from dataforge_registry.core.curves.readers.las.reader import las_frames
from dataforge_registry.core.curves.readers.limits import Limits

from .test_las3 import FILE

WELLS = Path(__file__).parents[5] / "shared" / "wells"
REAL = sorted(path for path in (WELLS / "lasio").rglob("*.las") if path.stat().st_size < 8192)
SEEDS = [FILE.encode(), *(path.read_bytes() for path in REAL)]
# What tells sections, lines and values apart, and what breaks them.
PIECES = [
    b"~",
    b"~A\n",
    b"~C\n",
    b"_Data[1] | ",
    b"[2]",
    b":",
    b".",
    b",",
    b"\t",
    b'"',
    b"\n",
    b"\r\n",
    b"#",
    b" ",
    b"{A",
]
PIECES += [b"}", b"|", b"-999.25", b"1e999", b"nan", b"-", b"YES", b"3.0", b"\xff", b"\xc2\xa0", b"\0", b"\x1a", b"1_0"]
PIECES += ["µ°Ω".encode(), "\U0001f600".encode(), b"\xb5", b"\x85", b"\xe2\x80\xa8"]


def read(content: bytes) -> list[Frame]:
    """The frames, or none with one line said."""
    try:
        frames = las_frames(content, "x.las")
    except CurveError as error:
        assert str(error) and "\n" not in str(error)
        return []
    assert frames
    for frame in frames:
        assert len(frame.index) and frame.curves and frame.well.name and frame.name
        for curve in frame.curves:
            assert len(curve.values) == len(frame.index)
    assert len({frame.name for frame in frames}) == len(frames)
    return frames


@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    read(content)


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 8192), st.integers(0, 12), st.sampled_from(PIECES)), max_size=6),
)
def test_files_with_pieces_cut_out_and_put_in(content: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for at, length, piece in edits:
        start = at % (len(content) + 1)
        content = content[:start] + piece + content[start + length :]
    read(content)


@given(st.sampled_from(SEEDS), st.data())
def test_a_file_cut_anywhere_has_no_other_values(content: bytes, data: st.DataObject) -> None:
    """Except in its very last value, what is left of a file reads as the file does, or not at all."""
    whole = {frame.name: frame for frame in read(content)}
    size = data.draw(st.integers(0, len(content)))
    for frame in read(content[:size]):
        if frame.name not in whole or not content[:size].endswith(b"\n"):
            continue
        known = {curve.mnemonic: curve.values for curve in whole[frame.name].curves}
        ticks = whole[frame.name].index.ticks
        first = int(np.searchsorted(ticks, frame.index.ticks[0], side="left"))
        for curve in frame.curves:
            part = known[curve.mnemonic].slice(first, len(curve.values))
            if part.type == curve.values.type:
                assert part.equals(curve.values), curve.mnemonic


@given(st.text(st.sampled_from('0123456789.eE+-_ ,\t"naNif\n'), max_size=60), st.sampled_from([None, ",", "\t"]))
@example("0\t1\n\t\n2\t3", "\t")
@example("0,1\n,\n2,3", ",")
def test_values_are_cut_as_line_by_line(text: str, delimiter: str | None) -> None:
    """The fast cut of whole blocks gives what splitting each line does."""
    lines = [values for line in text.split("\n") if (values := split_line(line, delimiter))]
    width = len(lines[0]) if lines else 1
    try:
        table = table_of(text, 0, width, delimiter, False, Limits())
    except LasRefused:
        assert not lines or any(len(values) != width for values in lines)
        return
    flat = [value for values in lines for value in values]
    assert table.texts.to_pylist() == flat and len(table.lines) == len(lines)
    for value, number in zip(flat, table.numbers, strict=True):
        try:
            # a quoted text may have spaces around what would be a number without them
            plain = "_" not in value and "n" not in value.casefold() and value == value.strip()
            expected = float(value) if plain else float("nan")
        except ValueError:
            expected = float("nan")
        assert np.array_equal(number, expected, equal_nan=True)


@given(
    st.lists(
        st.sampled_from(
            ["1", "+2.5", "-.5", "5.", "1e3", "1E-3", "nan", "inf", "", "-", "1_0", "0x1", "1e", "9" * 400]
        ),
        max_size=8,
    )
)
def test_a_number_is_what_las_calls_one(texts: list[str]) -> None:
    numbers = numbers_of(pa.array(texts, pa.large_string()))
    for text, number in zip(texts, numbers, strict=True):
        if text in {"nan", "inf", "", "-", "1_0", "0x1", "1e"}:
            assert np.isnan(number)
        else:
            assert number == float(text)


def test_what_is_too_much_is_refused_before_it_is_read() -> None:
    rows = "".join(f"{depth},1\n" for depth in range(1000))
    with pytest.raises(CurveError, match=r"1,000 rows of 2 values; at most 500"):
        table_of(rows, 7, 2, ",", False, Limits(samples=500))
    with pytest.raises(CurveError, match=r"big\.las has 2,147,483,648 bytes; at most 1,073,741,824 are read"):
        Limits().check_size(Path("big.las"), 1 << 31)


def test_zero_bytes_name_their_line() -> None:
    content = FILE.encode().replace(b"Colony", b"Col\0\0\0") + b"#" * 5000
    with pytest.raises(LasRefused, match="not a LAS file: it holds binary data"):
        las_frames(content, "x.las")
    with pytest.raises(LasRefused, match="zero bytes") as caught:
        las_frames(FILE.encode() + b"#" * 5000 + b"\n1,\0", "x.las")
    assert caught.value.line == len(FILE.splitlines()) + 2
