"""LAS 3.0: several data sets in a file, formats, arrays, dates, and header lines with formats and associations."""

import pyarrow as pa
import pytest

from dataforge_registry.core.curves.errors import LasRefused
from dataforge_registry.core.curves.model import Curve, Frame
from dataforge_registry.core.curves.readers.las.header import item_of
from dataforge_registry.core.curves.readers.las.reader import las_frames

FILE = """# made for this test
~Version
VERS. 3.0 : CWLS LOG ASCII STANDARD - VERSION 3.0
WRAP. NO : ONE LINE PER DEPTH STEP
DLM. COMMA : DELIMITING CHARACTER
~Well
STRT.M 1660.125 : First
STOP.M 1660.375 : Last
STEP.M 0.125 : Step
NULL. -999.25 : Null
COMP. Some Operator : Company
WELL. Three-1 : Well
DATE. 02/12/1986 : Service date {DD/MM/YYYY}
UWI. 100 : Id
API. 42-1 : Api
LATI. 45° 12' 36" : Latitude
LONG. -13.5 : Longitude
~Parameter
RUN. 2 : Run
DREF. K.B. : Depth reference
MDEN[1].KG/M3 2650 : Density {F} | DMAT_Depth[1]
~Curve
DEPT.M : Depth {F}
DT.US/M 123 456 : Sonic {F} | MDEN[1],MDEN[2]
YME.PA : Young {E0.00E+00}
CDES. : Description {S}
NO. : Count {I}
NMR[1].mv : Echo {AF;0ms}
NMR[2].mv : Echo {AF;5ms}
NMR[3].mv : Echo {AF;10ms}
GR[1].gAPI : first pass {F}
GR[2].gAPI : second pass {F}
~Drilling_Parameter
RIG. BIG : Rig
~Drilling_Definition
DEPT.ft : Depth {F}
ROP.ft/hr : Rate {F}
~Drilling_Data | Drilling_definition
322.02,24.0
323.05,37.5
~Core_Definition[1]
CORT.M : Top {F}
CORB.M : Base {F}
CDES. : Text {S}
~Core_Data[1] | Core_Definition[1]
13178.00,13179.00,
13180.00,13181.00,"shale, grey"
~Core_Definition[2]
CORT.M : Top {F}
PERM.md : Permeability {F}
~Core_Data[2] | Core_Definition[2]
13178.00, -999.25
13180.00, 5.5
~Tops_Definition
TOPN. : Name {S}
TOPT.M : Top {F}
~Tops_Data | Tops_Definition
Viking,1545.5
Colony,1603.0
~Zones_Definition
ZONE.M : Top {F}
NAME. : Name {S}
~Zones_Data | Zones_Definition
10,a
5,b
20,c
~Notes
free text
~Ascii
1660.125,123.450,1.45E+12,"SANDSTONE, SHALE",7,10.0,12.0,14.0,1,2
1660.250,-999.25,2.85E+12,LOST,-999.25,12.5,-999.25,21.0,1,2
1660.375,123.455,2.85E+12,5,9,18.0,25.0,10.0,1,2
"""


def frames(text: str = FILE) -> dict[str, Frame]:
    return {frame.name: frame for frame in las_frames(text.encode(), "three.las")}


def curve(frame: Frame, mnemonic: str) -> Curve:
    return next(curve for curve in frame.curves if curve.mnemonic == mnemonic)


def test_each_data_set_is_a_frame() -> None:
    found = frames()
    assert list(found) == ["drilling", "core 1", "core 2", "tops", "run 2"]
    assert {frame.well.name for frame in found.values()} == {"Three-1"}
    assert [len(frame.index) for frame in found.values()] == [2, 2, 2, 2, 3]
    assert found["drilling"].index.unit == "ft" and found["run 2"].index.unit == "m"
    assert curve(found["core 1"], "CDES").values.to_pylist() == [None, "shale, grey"]
    assert curve(found["core 2"], "PERM").values.to_pylist() == [None, 5.5]


def test_a_data_set_is_indexed_by_its_depth_wherever_that_stands() -> None:
    tops = frames()["tops"]
    assert (tops.index.mnemonic, tops.index.text(1)) == ("TOPT", "1603.0")
    assert curve(tops, "TOPN").values.to_pylist() == ["Viking", "Colony"]


def test_what_is_no_frame_is_a_finding() -> None:
    for frame in frames().values():
        assert frame.original is not None
        findings = " ".join(frame.original.findings)
        assert "section ~Zones_Data | Zones_Definition was not read: line 65: the index" in findings
        assert "section ~Notes was not read" in findings


def test_formats_say_what_a_column_is() -> None:
    log = frames()["run 2"]
    assert curve(log, "CDES").values.to_pylist() == ["SANDSTONE, SHALE", "LOST", "5"]
    count = curve(log, "NO")
    assert count.values.type == pa.int32() and count.values.to_pylist() == [7, None, 9] and count.text_decimals == 0
    assert curve(log, "YME").values.to_pylist() == pytest.approx([1.45e12, 2.85e12, 2.85e12])
    assert curve(log, "DT").description == "Sonic" and curve(log, "DT").definition.endswith("| MDEN[1],MDEN[2]")


def test_numbered_lines_with_an_array_format_are_one_curve() -> None:
    log = frames()["run 2"]
    echo = curve(log, "NMR")
    assert echo.values.type == pa.list_(pa.float32(), 3) and echo.text_decimals == 1
    assert echo.values.to_pylist() == [[10, 12, 14], [12.5, None, 21], [18, 25, 10]]
    assert len(echo.definition.split("\n")) == 3
    assert [c.mnemonic for c in log.curves][-2:] == ["GR[1]", "GR[2]"], "two passes are no array"


def test_numbered_log_sections_share_a_definition() -> None:
    head, rows = FILE.split("~Ascii\n")
    text = head.replace("~Curve", "~Log_Definition") + "~Log_Data[1] | Log_Definition\n" + rows
    found = frames(text + "~Log_Data[2] | Log_Definition\n" + rows.replace("1660.", "1770."))
    assert found["run 2 1"].index.text(0) == "1660.125" and found["run 2 2"].index.text(0) == "1770.125"


def test_a_log_section_that_cannot_be_read_refuses_the_file() -> None:
    with pytest.raises(LasRefused, match="DT: 'x' is no number"):
        frames(FILE.replace("1660.375,123.455", "1660.375,x"))
    with pytest.raises(LasRefused, match="a second drilling data section") as caught:
        frames(FILE + "~Drilling_Data | Drilling_Definition\n1,2\n")
    assert caught.value.line == len(FILE.splitlines()) + 1


def test_what_the_header_says_of_the_well() -> None:
    log = frames()["run 2"]
    well = log.well
    assert (well.uwi, well.api, well.operator) == ("100", "42-1", "Some Operator")
    assert (well.latitude, well.longitude) == (45.21, -13.5)
    assert (log.acquired, log.index.datum, log.run) == ("1986-12-02", "KB", "2")


@pytest.mark.parametrize(
    ("index", "rows", "first"),
    [
        ("TIME. : {DD/MM/YYYY hh:mm:ss}", ("31/01/2020 23:59:58,1", "31/01/2020 23:59:59,2"), "2020-01-31T23:59:58Z"),
        ("DATE. : Day {YYYY-MMM-D}", ("2020-Feb-1,1", "2020-Feb-2,2"), "2020-02-01T00:00:00Z"),
        ("TIME.S : Time {F}", ("0.5,1", "1.0,2"), "0.5"),
        ("TIME.MS : Time {I}", ("5,1", "10,2"), "5.0"),
    ],
)  # fmt: skip
def test_an_index_of_times(index: str, rows: tuple[str, str], first: str) -> None:
    head = FILE[: FILE.index("~Parameter")] + f"~Curve\n{index}\nGR.gAPI : Gamma {{F}}\n~Ascii\n"
    [frame] = las_frames((head + "\n".join(rows) + "\n").encode(), "x.las")
    assert frame.index.kind == "TIME" and frame.index.text(0) == first


def test_a_day_and_a_time_of_day_are_one_index() -> None:
    head = (
        FILE[: FILE.index("~Parameter")] + "~Curve\nDATE. : Day {DD/MM/YYYY}\nTIME. : Hour {hh:mm:ss}\nGR. : {F}\n~A\n"
    )
    [frame] = las_frames((head + "02/03/2020,00:00:01,5\n02/03/2020,00:00:02,6\n").encode(), "x.las")
    assert frame.index.text(1) == "2020-03-02T00:00:02Z"
    with pytest.raises(LasRefused, match="state the format"):
        las_frames((head.replace(" {DD/MM/YYYY}", "") + "02/03/2020,00:00:01,5\n").encode(), "x.las")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("DEPT.M 1 : depth", ("DEPT", "M", "1", "depth", "")),
        ("DEPT  ..1IN  12 : x", ("DEPT", ".1IN", "12", "x", "")),
        ("Res..OHMM : x", ("Res.", "OHMM", "", "x", "")),
        (".OHMM : x", ("UNKNOWN", "OHMM", "", "x", "")),
        (".GR.GAPI : x", ("GR", "GAPI", "", "x", "")),
        ("PRES.1000 psi 5 : x", ("PRES", "1000 psi", "5", "x", "")),
        ("GR.[GAPI] : x", ("GR", "GAPI", "", "x", "")),
        ("TIME. 12:30:05 : start: now", ("TIME", "", "12:30:05 : start", "now", "")),
        ("TIME. 12:30 : logged at 13:45", ("TIME", "", "12:30", "logged at 13:45", "")),
        ("DATE. x : y {DD/MM/YYYY hh:mm:ss} | A[1]", ("DATE", "", "x", "y", "DD/MM/YYYY hh:mm:ss")),
        ("NAME: value", ("NAME", "", "value", "", "")),
        ("VERS.\t2.0", ("VERS", "", "2.0", "", "")),
        ("DEPT.M: depth", ("DEPT", "M", "", "depth", "")),
    ],
)
def test_a_header_line(text: str, parts: tuple[str, ...]) -> None:
    item = item_of(text, 1)
    assert item is not None
    assert (item.mnemonic, item.unit, item.value, item.description, item.format) == parts


def test_the_well_section_of_las_1_2_has_the_value_last() -> None:
    item = item_of("COMP.  COMPANY:  ANY: LTD.", 1, swapped=True)
    assert item is not None and (item.value, item.description) == ("ANY: LTD.", "COMPANY")
    kept = item_of("STRT.M  5.0: start", 1, swapped=True)
    assert kept is not None and kept.value == "5.0"
