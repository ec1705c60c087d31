"""DLIS as dlisio reads it back, what it cannot hold, and what writing it takes."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Curve
from dataforge_registry.core.curves.windows.aligned import Aligned
from dataforge_registry.core.curves.writers import Extent, Format, write

dlis = pytest.importorskip("dlisio").dlis
pytest.importorskip("dliswriter")

FLOATS = pa.array([1.5, None, -0.25, 1234.125], pa.float32())
WORDS = pa.array(["shale", None, 'a "b", c', ""])


def made(aligned: Aligned) -> bytes:
    return b"".join(write(Format.dlis, aligned.chunks(1000), extent=Extent.of([aligned])))


def test_dlis_is_read_by_dlisio(tables: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    curves = [
        Curve("GR", "GAPI", FLOATS, "gamma ray"),
        Curve("IMG", "dB", pa.array([[1, 2], [None, None], [3, None], [4, 5]], pa.list_(pa.float32(), 2))),
        Curve("N", "", pa.array([1, 2, None, 200], pa.uint8())),
        Curve("RÖHRE", "µs", pa.array([1.0, 2.0, 3.0, 4.0], pa.float64())),
        Curve("I", "", pa.array([1, 2, 3, 4], pa.int16())),
    ]
    aligned = tables.of(curves, tables.index(4, direction="up"))
    path = tmp_path / "x.dlis"
    path.write_bytes(made(aligned))
    with dlis.load(str(path)) as (file, *rest):
        assert not rest
        (frame,) = file.frames
        assert file.origins[0].well_name == "Hole 1"
        assert (frame.direction, frame.index_type, frame.spacing) == ("DECREASING", "BOREHOLE-DEPTH", -0.1524)
        assert [(channel.name, channel.units) for channel in frame.channels] == [
            ("DEPT", "m"), ("GR", "gAPI"), ("IMG", "dB"), ("N", None), ("R?HRE", "us"), ("I", None),
        ]  # fmt: skip
        found = frame.curves()
        assert found["DEPT"].tolist() == [1000.4572, 1000.3048, 1000.1524, 1000.0]
        assert found["GR"].tolist() == [1234.125, -0.25, -999.25, 1.5]
        assert found["IMG"].tolist() == [[4, 5], [3, -999.25], [-999.25, -999.25], [1, 2]]
        assert found["N"].tolist() == [200, -999.25, 2, 1]
        assert found["I"].dtype == np.int16
    assert made(aligned) == path.read_bytes()
    assert capfd.readouterr() == ("", "")


def test_dlis_of_many_rows_takes_little_memory(tables: Any, tmp_path: Path) -> None:
    values = np.arange(5000, dtype=np.float32)
    aligned = tables.of([Curve("GR", "GAPI", pa.array(values))])
    path = tmp_path / "long.dlis"
    tracemalloc.start()
    path.write_bytes(made(aligned))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 64 << 20
    with dlis.load(str(path)) as (file, *_):
        assert np.array_equal(file.frames[0].curves()["GR"], values)


@pytest.mark.parametrize(
    ("curve", "index", "said"),
    [
        (Curve("LITH", "", WORDS), {}, "LITH holds texts"),
        (Curve("GR", "", FLOATS), {"scale": None}, "dates and times"),
    ],
)
def test_what_dlis_cannot_hold_is_refused(tables: Any, curve: Curve, index: dict[str, Any], said: str) -> None:
    with pytest.raises(CurveError, match=said):
        made(tables.of([curve], tables.index(4, **index)))
