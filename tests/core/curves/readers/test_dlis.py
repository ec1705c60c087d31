"""DLIS and LIS files: every value as dlisio reads it, odd frames and channels told and left out."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.dtypes import elements_of
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Frame, Values
from dataforge_registry.core.curves.readers.columns import OutOfOrder, exact_ticks, order_of, values_of
from dataforge_registry.core.curves.readers.files import read_frames
from dataforge_registry.core.curves.readers.limits import Limits

dlisio = pytest.importorskip("dlisio")
from dlisio import dlis, lis  # noqa: E402  (after the skip)

WELLS = Path(__file__).parents[5] / "shared" / "wells" / "dlisio"
real = pytest.mark.skipif(not WELLS.exists(), reason="the folder of real wells is not beside the repository")


def same(values: Values, theirs: npt.NDArray[Any], absent: float) -> None:
    """Equal in type and in every value; null where theirs is absent."""
    flat = theirs.reshape(-1)
    ours = elements_of(values)
    assert np.dtype(ours.type.to_pandas_dtype()) == flat.dtype
    missing = flat == flat.dtype.type(absent) if flat.dtype.kind == "f" else np.zeros(len(flat), dtype=bool)
    assert np.array_equal(ours.is_null().to_numpy(zero_copy_only=False), missing)
    assert np.array_equal(ours.drop_null().to_numpy(zero_copy_only=False), flat[~missing])


def depths(frame: Frame) -> npt.NDArray[np.float64]:
    assert frame.index.scale is not None
    return np.array(frame.index.ticks / 10.0**frame.index.scale)


@real
def test_every_value_of_a_real_dlis_file() -> None:
    path = WELLS / "206_05a-_3_DWL_DWL_WIRE_258276498.DLIS"
    frames = read_frames(path)
    assert [(frame.name, len(frame.curves), len(frame.index)) for frame in frames] == [
        ("2000T", 3, 921),
        ("800T", 42, 2301),
    ]
    with dlis.load(str(path)) as files:
        for frame, source in zip(frames, files[0].frames, strict=True):
            data = source.curves(strict=False)
            names = data.dtype.names
            assert np.array_equal(depths(frame).astype(np.float32), data[names[1]])
            for curve, name in zip(frame.curves, names[2:], strict=True):
                same(curve.values, data[name], -999.25)
    well = frames[0].well
    assert (well.name, well.field, well.operator) == ("206/05a-3", "Fulla", "Faroe Petroleum")
    assert (well.latitude, well.longitude) == (60.861258333, 2.093020833)
    assert frames[1].index.kind == "TIME" and frames[1].index.unit == "ms"
    assert (frames[1].run, frames[1].service_company, frames[1].acquired) == ("1", "Schlumberger", "2011-08-21")
    assert frames[0].curves[0].unit == "0.1 in" and frames[0].curves[0].description == "1 second River Depth"
    assert {curve.mnemonic for curve in frames[1].curves if pa.types.is_integer(curve.values.type)} == {"SMSC"}


@real
def test_every_value_of_a_real_lis_file() -> None:
    path = WELLS / "MUD_LOG_1.LIS"
    [frame] = read_frames(path)
    with lis.load(str(path)) as files:
        spec = files[0].data_format_specs()[1]
        data = lis.curves(files[0], spec, sample_rate=1)
    rising = np.argsort(data["DEPT"], kind="stable")
    assert np.array_equal(depths(frame).astype(np.float32), data["DEPT"][rising])
    assert len(frame.curves) == len(data.dtype.names) - 1 == 43
    for curve, name in zip(frame.curves, data.dtype.names[1:], strict=True):
        assert curve.mnemonic == name.strip()
        same(curve.values, data[name][rising], -999.25)
    assert (frame.well.name, frame.well.operator, frame.service_company) == ("15/9-F-15", "StatoilHydro", "Geoservices")
    assert frame.original is not None and "it has no rows" in frame.original.findings[0]


@real
@pytest.mark.parametrize("name", ["206_05a-_3_DWL_DWL_WIRE_258276498.DLIS", "MUD_LOG_1.LIS"])
def test_a_file_cut_off_or_damaged_is_refused_or_told(name: str, tmp_path: Path) -> None:
    content = (WELLS / name).read_bytes()
    whole = {frame.name: len(frame.index) for frame in read_frames(WELLS / name)}
    path = tmp_path / name
    for size in (0, 10, 80, 200, 5_000, 100_000, len(content) // 2, len(content) - 3):
        path.write_bytes(content[:size])
        try:
            frames = read_frames(path)
        except CurveError as error:
            assert str(error) and "\n" not in str(error)
            continue
        for frame in frames:
            assert len(frame.index) == whole[frame.name] or (frame.original and frame.original.findings), size


def written(path: Path, frames: dict[str, dict[str, tuple[npt.NDArray[Any], str]]]) -> Path:
    """A DLIS file of frames of channels; the first of each is its index."""
    dliswriter = pytest.importorskip("dliswriter")
    file = dliswriter.DLISFile()
    logical = file.add_logical_file()
    logical.add_origin("O", file_set_number=80, well_name="Made/1", field_name="F", company="C", run_number=3)
    for name, channels in frames.items():
        made = [
            logical.add_channel(channel, data=data, units=unit or None, dataset_name=f"{name}-{channel}")
            for channel, (data, unit) in channels.items()
        ]
        logical.add_frame(name, channels=made, index_type="BOREHOLE-DEPTH")
    file.write(path, output_chunk_size=1 << 20)  # of 4 GiB unasked
    return path


def test_arrays_integers_and_upward_frames(tmp_path: Path) -> None:
    depth = np.array([2002.5, 2002.0, 2001.5], dtype=np.float64)
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    image[0, 1] = -999.25
    count = np.array([65535, 2, 3], dtype=np.uint16)
    path = written(tmp_path / "made.dlis", {"MAIN": {"DEPT": (depth, "m"), "IMG": (image, "mV"), "N": (count, "")}})
    [frame] = read_frames(path)
    assert [frame.index.text(row) for row in range(3)] == ["2001.5", "2002.0", "2002.5"]
    assert (frame.index.direction, frame.index.kind, frame.well.name) == ("up", "MD", "Made/1")
    img, n = frame.curves
    assert img.values.type == pa.list_(pa.float32(), 4)
    assert img.values.to_pylist() == [[8, 9, 10, 11], [4, 5, 6, 7], [0, None, 2, 3]]
    assert n.values.type == pa.uint16() and n.values.to_pylist() == [3, 2, 65535]


def test_a_frame_that_cannot_be_read_is_told_and_the_others_come(tmp_path: Path) -> None:
    good = np.array([1.0, 2.0, 3.0])
    turning = np.array([1.0, 3.0, 2.0, 4.0])
    frames = {
        "GOOD": {"DEPT": (good, "m"), "GR": (good, "gAPI")},
        "BAD": {"DEPTH2": (turning, "m"), "GR2": (turning, "gAPI")},
    }
    [frame] = read_frames(written(tmp_path / "two.dlis", frames))
    assert frame.name == "GOOD" and frame.original is not None
    assert any(
        "frame BAD of logical file 1 was not read: the index rises, but turns back" in told
        for told in frame.original.findings
    )
    del frames["GOOD"]
    with pytest.raises(CurveError, match="frame BAD of logical file 1 was not read"):
        read_frames(written(tmp_path / "one.dlis", frames))


def test_too_much_is_refused(tmp_path: Path) -> None:
    depth = np.arange(100.0)
    path = written(tmp_path / "big.dlis", {"MAIN": {"DEPT": (depth, "m"), "GR": (depth, "")}})
    with pytest.raises(CurveError, match="at most 50 values a frame"):
        read_frames(path, limits=Limits(samples=50))
    with pytest.raises(CurveError, match="at most 100 are read"):
        read_frames(path, limits=Limits(file_bytes=100))


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    wide = np.zeros((50, 200_000), np.uint8)
    frames = {"MAIN": {"DEPT": (np.arange(50.0), "m"), "IMG": (wide, "")}}
    path = written(tmp_path / "wide.dlis", frames)
    tracemalloc.start()
    with pytest.raises(CurveError, match="holds 50 rows of 50,003 values"):
        read_frames(path, limits=Limits(samples=1_000_000))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < wide.nbytes / 2


def test_an_index_is_what_its_shortest_text_says() -> None:
    findings: list[str] = []
    ticks, scale = exact_ticks(np.array([3171.09, 3171.48], np.float32), findings)
    assert (ticks.tolist(), scale) == ([31710900, 31714800], 4)
    ticks, scale = exact_ticks(np.array([0.00001, 1.5]), findings)
    assert (ticks.tolist(), scale) == ([1, 150000], 5)
    assert exact_ticks(np.array([7, 9], np.int16), findings)[0].tolist() == [70000, 90000]
    assert not findings
    ticks, scale = exact_ticks(np.array([2889.3999999999996, 2890.0]), findings)
    assert ticks[0] / 10.0**scale == pytest.approx(2889.4, abs=1e-11) and findings
    with pytest.raises(OutOfOrder, match="no value in row 2"):
        exact_ticks(np.array([1.0, np.nan]), findings)
    with pytest.raises(OutOfOrder, match="no depth or time"):
        exact_ticks(np.array([1.0, 1e300]), findings)
    with pytest.raises(OutOfOrder, match="turns back") as caught:
        order_of(np.array([1, 2, 1, 3]))
    assert caught.value.row == 2


def test_values_of_other_types() -> None:
    assert values_of(np.array([True, False])).to_pylist() == [1, 0]
    assert values_of(np.array([1.5, np.nan], ">f8")).to_pylist() == [1.5, None]
    with pytest.raises(CurveError, match="complex64"):
        values_of(np.array([1j], np.complex64))
