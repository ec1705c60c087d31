"""Which files are log files, and that each gets its reader."""

from pathlib import Path

import pytest

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.files import is_log_file, read_frames

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
