"""CSV files as frames: names, units, delimiters, quotes, decimal commas, and what is refused."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Frame
from dataforge_registry.core.curves.readers.csv_files import read_csv
from dataforge_registry.core.curves.readers.files import read_frames
from dataforge_registry.core.curves.readers.limits import Limits
from dataforge_registry.core.curves.readers.tables import named_unit

PLAIN = "DEPT [ft],GR [gAPI],LITH\n100.5,55.10,SAND\n101.0,,SHALE\n101.5,57.30,\n"


def csv_frame(text: str, index: str | None = None, well: str | None = "W 1", **more: bool) -> Frame:
    [frame] = read_csv(Path("x.csv"), text.encode(), "0" * 64, index=index, well=well, **more)
    return frame


def columns(frame: Frame) -> dict[str, list[object]]:
    return {curve.mnemonic: curve.values.to_pylist() for curve in frame.curves}


def refusal(text: str, index: str | None = None, well: str | None = "W 1") -> str:
    with pytest.raises(CurveError) as caught:
        csv_frame(text, index, well)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "Some.CSV"
    path.write_text(PLAIN)
    [frame] = read_frames(path, well="A/1", frame="core")
    assert (frame.well.name, frame.name, frame.index.kind, frame.index.unit) == ("A/1", "core", "MD", "ft")
    assert [frame.index.text(row) for row in range(3)] == ["100.5", "101.0", "101.5"]
    gr, lith = frame.curves
    assert gr.values.type == pa.float32() and gr.text_decimals == 2 and gr.unit == "gAPI"
    assert [None if value is None else round(value, 2) for value in gr.values.to_pylist()] == [55.1, None, 57.3]
    assert lith.values.to_pylist() == ["SAND", "SHALE", None]
    assert frame.original is not None and (frame.original.file, frame.original.format) == ("Some.CSV", "CSV")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_delimiters_units_row_bom_and_line_ends(mark: str) -> None:
    rows = [["MD", "GR", "T"], ["m", "gAPI", "degC"], ["2", "20", "1"], ["1", "10", "2"]]
    text = "\ufeff# exported\r\n" + "\r\n".join(mark.join(row) for row in rows)
    frame = csv_frame(text)
    assert frame.index.direction == "up" and frame.index.unit == "m"
    assert columns(frame) == {"GR": [10, 20], "T": [2, 1]} and frame.curves[0].unit == "gAPI"


def test_quotes_hold_delimiters_quotes_and_line_breaks() -> None:
    frame = csv_frame('DEPTH,"CDES, full",GR\n1,"sand, ""fine""",5\n2,"two\nlines",6\n')
    assert columns(frame) == {"CDES, full": ['sand, "fine"', "two\nlines"], "GR": [5, 6]}
    assert refusal('DEPTH,C,GR\n1,"a\nb",5\n2,x\n').startswith("line 4: 2 values where 3 columns")


def test_decimal_commas_only_where_asked() -> None:
    text = "DEPTH;GR;C\n1,5;10,25;a,b\n2,0;11,00;12\n"
    assert columns(csv_frame(text, decimal_comma=True)) == {"GR": [10.25, 11], "C": ["a,b", "12"]}
    assert "'1,5'" in refusal(text)
    assert "GR: '10,25' has a decimal comma" in refusal("DEPTH;GR\n1;5\n2;10,25\n")


def test_which_column_is_the_index() -> None:
    assert csv_frame("GR,Depth\n5,1\n6,2\n").index.mnemonic == "Depth"
    assert csv_frame("DEPTH,TVD\n5,1\n6,2\n").index.mnemonic == "DEPTH"
    assert csv_frame("A,B\n5,1\n6,2\n", index="b").index.mnemonic == "B"
    assert "several columns could be the index" in refusal("GR,DEPTH,TVD\n5,1,1\n")
    assert refusal("A,B\n1,2\n").endswith("give --index COLUMN, one of A, B")
    assert refusal("A,B\n1,2\n", "C") == "x.csv has no column 'C'; it has A, B"


def test_an_index_of_times() -> None:
    frame = csv_frame("time,ROP\n2020-01-31T12:00:00Z,5\n2020-01-31 13:00:00+01:00,6\n2020-01-31T12:00:02,7\n")
    assert [frame.index.text(row) for row in range(3)] == ["2020-01-31T12:00:00Z"] * 2 + ["2020-01-31T12:00:02Z"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("DEPTH\n1\n", "parted by no comma"),
        ("DEPTH,GR\n", "no row below its names"),
        ("1,2\n3,4\n", "begins with numbers"),
        ("DEPTH,GR\n1,2\n3\n", "line 3: the row does not fill its columns: 1 values where 2"),
        ("DEPTH,GR\n1,2\n\n3,4,5\n", "line 4"),
        ("DEPTH,GR\n1,2\n3,x\n", "line 3: GR: 'x' is no number"),
        ("DEPTH,GR\n1,2\n,3\n", "line 3: the index has no value here"),
        ("DEPTH,GR\n1,2\nnan,3\n", "line 3: the index has no value here"),
        ("DEPTH,GR\n1,2\n3,3\n2,3\n5,3\n", "line 4: the index rises, but turns back"),
        ("DEPTH,GR\n1,2\n1,3\n", "does not move"),
        ('DEPTH,GR\n1,"2\n', "no CSV"),
        ('DEPTH,GR\n""\n', "line 2: no row below the names has a value"),
        ("DEPTH,GR\n1,\0\n", "binary"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    assert reason in refusal(text)


def test_a_table_says_whose_it_is_on_the_command_line_only() -> None:
    assert refusal(PLAIN, well=None) == "x.csv does not say which well it is of; give --well NAME"


def test_names_with_slashes_emoji_and_twice() -> None:
    frame = csv_frame("DEPT,GR/KGR,\U0001f600,GR/KGR,\n1,2,3,4,5\n2,3,4,5,6\n")
    assert list(columns(frame)) == ["GR/KGR", "\U0001f600", "GR/KGR:2", "column 5"]


def test_limits() -> None:
    rows = "".join(f"{depth},1\n" for depth in range(100))
    with pytest.raises(CurveError, match="at most 150 values"):
        read_csv(Path("x.csv"), ("MD,A\n" + rows).encode(), "", well="w", limits=Limits(samples=150))
    with pytest.raises(CurveError, match="in a CSV with quotes"):
        read_csv(Path("x.csv"), ('MD,A\n"0",1\n' + rows).encode(), "", well="w", limits=Limits(samples=320))


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("GR [gAPI]", ("GR", "gAPI")), ("GR[1]", ("GR[1]", "")), ("GR[1] [gAPI]", ("GR[1]", "gAPI")),
        ("DEPT (m)", ("DEPT", "m")), ("NEUT(N)", ("NEUT(N)", "")), (" a  b ", ("a b", "")),
        ("DT[us/ft]", ("DT", "us/ft")),
    ],
)  # fmt: skip
def test_units_in_names(header: str, named: tuple[str, str]) -> None:
    assert named_unit(header) == named


@given(
    st.text(st.sampled_from('DEPTGR019.,;\t"\n#-e [m]é'), max_size=80)
    | st.binary(max_size=80).map(lambda b: b.decode("latin-1"))
)
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for content in (text, PLAIN + text, "DEPT,GR\n" + text):
        try:
            frame = csv_frame(content)
        except CurveError as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert len(frame.index) and frame.curves
