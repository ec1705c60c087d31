"""Which files are log files, and that each gets its reader."""

from pathlib import Path

import pytest

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.readers.files import is_log_file, read_frames

LAS = """~Version
VERS. 2.0 :
WRAP. NO :
~Well
STRT.M 1 :
STOP.M 2 :
STEP.M 1 :
NULL. -999 :
WELL. A/1 :
~Curve
DEPT.M :
GR.GAPI :
~A
1 10
2 20
"""


def test_a_las_file_is_read_whatever_the_case_of_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "one.LAS"
    path.write_text(LAS)
    assert is_log_file(path)
    [frame] = read_frames(path, frame="run 2")
    assert (frame.well.name, frame.name, len(frame.index)) == ("A/1", "run 2", 2)
    assert frame.original is not None and frame.original.file == "one.LAS"


def test_another_file_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "one.pdf"
    path.write_bytes(b"%PDF")
    assert not is_log_file(path)
    with pytest.raises(CurveError, match=r"one\.pdf is no log file by its name; known endings are .*\.las"):
        read_frames(path)


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.las"
    with path.open("wb") as file:
        file.truncate(1 << 31)  # sparse: it takes no room
    with pytest.raises(CurveError, match=r"big\.las has 2,147,483,648 bytes; at most 1,073,741,824 are read"):
        read_frames(path)


@pytest.mark.parametrize("suffix", [".las", ".dlis", ".lis", ".csv", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"\0" * 300, b"\xff" * 300, b"PAR1" + b"\x15" * 60 + b"PAR1", b"~A\n1 2\n"])
def test_what_is_not_what_its_name_says_is_refused_in_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    if suffix in {".dlis", ".lis"}:
        pytest.importorskip("dlisio")
    path = tmp_path / f"odd{suffix}"
    path.write_bytes(content)
    with pytest.raises(CurveError) as caught:
        read_frames(path, well="W")
    assert str(caught.value) and "\n" not in str(caught.value)
