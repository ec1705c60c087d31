"""New versions from a person's samples: what is sent, what is kept, and who is told."""

import asyncio
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dataforge_registry
from dataforge_registry import VersionConflict
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.schema import parse_manifest
from dataforge_registry.registry.client.wells import WellImport, open_las

from .proxy import proxied

WRITERS = 16


async def bring(url: str, project: str, content: bytes) -> None:
    async with dataforge_registry.connect_async(url, cache=None) as registry:
        await WellImport(registry.remote, project).push(open_las(content, "x.las"))


@pytest.fixture
def curve(open_server: Any, logs: Any, request: pytest.FixtureRequest) -> Any:
    """A curve GR of 4,000 rows in a project of this test."""
    project = f"commit-{abs(hash(request.node.name)) % 10**9}"
    asyncio.run(bring(open_server.url, project, logs.las("Edited 1", {"GR": logs.smooth(4_000)})))
    with dataforge_registry.connect(open_server.url, cache=None) as registry:
        yield registry.curve(f"{project}/edited-1/log/gr")


def test_one_interval_is_edited_and_the_rest_stays(curve: Any) -> None:
    before = curve.read()["GR"].copy()
    frame = curve.read(depth=(1500, 1510)).to_pandas()
    frame["GR"] = frame["GR"] + 1
    done = curve.commit(
        frame, interval=(1500, 1510), operation="despike", message="bad cable", parameters={"window": 5}
    )
    assert (done.version, done.changed) == (2, True)
    after = curve.read()
    expected = before.copy()
    expected[1000:1021] += 1
    assert np.array_equal(after["GR"], expected, equal_nan=True)
    assert after["GR"].dtype == np.float32
    new, old = curve.history()
    assert (new.number, old.number, new.parent) == (2, 1, old.digest)
    assert new.lineage.operation == "despike" and new.lineage.parameters == {"window": 5}
    assert [(each.role, each.ref) for each in new.lineage.inputs] == [("parent", f"{curve.reference}@{old.digest}")]
    assert new.created.endswith("Z")


def test_a_window_that_was_read_is_its_own_interval(curve: Any) -> None:
    window = curve.read(depth=(1500, 1510))
    assert curve.commit(window, operation="nothing").changed is False
    assert len(curve.versions()) == 1


def as_pandas(depth: Any, values: Any) -> Any:
    return pd.DataFrame({"GR": values}, index=pd.Index(depth, name="DEPT"))


def as_columns(depth: Any, values: Any) -> Any:
    return pd.DataFrame({"other": values, "dept": depth}).rename(columns={"other": "GR"})


def as_series(depth: Any, values: Any) -> Any:
    return pd.Series(values, index=depth)


def as_polars(depth: Any, values: Any) -> Any:
    return pl.DataFrame({"MD": depth, "GR": values})


def as_arrow(depth: Any, values: Any) -> Any:
    return pa.table({"MD": depth, "GR": values, "NOTE": ["x"] * len(depth)})


def as_arrays(depth: Any, values: Any) -> Any:
    return depth[::-1], values[::-1]


@pytest.mark.parametrize("make", [as_pandas, as_columns, as_series, as_polars, as_arrow, as_arrays])
def test_frames_of_every_kind(curve: Any, make: Any) -> None:
    log = curve.read()
    values = log["GR"].astype(np.float64)
    values[10] = np.nan
    values[20] = 12.5
    depth = log.index.copy()
    done = curve.commit(make(depth + 1e-9, values), operation="edit")
    assert (done.version, done.blobs) == (2, 2)  # the one segment and the config: the index is the parent's
    assert np.array_equal(curve.read()["GR"], values.astype(np.float32), equal_nan=True)
    config = curve.config
    assert (config.dtype, config.text_decimals) == ("float32", 3)


def test_an_edit_of_one_interval_costs_a_few_kilobytes(open_server: Any, logs: Any) -> None:
    asyncio.run(bring(open_server.url, "commit-cost", logs.las("Cost 1", {"GR": logs.smooth(65_000)})))

    async def edit() -> tuple[int, int, int]:
        async with (
            proxied(open_server.url) as proxy,
            dataforge_registry.connect_async(proxy.url, cache=None) as registry,
        ):
            curve = registry.curve("commit-cost/cost-1/log/gr")
            log = await curve.read(depth=(9_000, 9_010))
            frame = log.to_pandas() * 2
            proxy.reset()
            done = await curve.commit(frame, interval=(9_000, 9_010), operation="scale", tag="edited")
            assert done.sent == proxy.sent
            assert [method for method, _ in proxy.requests].count("PUT") == 1, "all tags in one, and no well index"
            layers = parse_manifest(
                (await registry.remote.repository(curve.reference.repository).get_manifest("v2"))[1]
            )
            return proxy.sent, done.blobs, len(layers.layers)

    sent, blobs, layers = asyncio.run(edit())
    assert layers > 10
    assert blobs <= 3  # one segment, or two where the edit moves a cut, and the config
    assert sent < 40_000  # 65,000 values are 260,000 bytes


def test_the_version_read_is_the_one_that_is_followed(open_server: Any, curve: Any) -> None:
    with dataforge_registry.connect(open_server.url, cache=None) as registry:
        rival = registry.curve(curve.reference)
        mine, theirs = curve.read(), rival.read()
        rival.commit((theirs.index, theirs["GR"] + 1), operation="shift")
        with pytest.raises(
            VersionConflict, match=r"v2 is the latest, while this edit was made on v1.*Read the curve again"
        ):
            curve.commit((mine.index, mine["GR"] + 2), operation="shift")
        assert [version.number for version in curve.versions()] == [1, 2]
        again = curve.read()
        assert curve.commit((again.index, again["GR"] + 2), operation="shift").version == 3
        assert rival.read()["GR"][1] == pytest.approx(mine["GR"][1] + 3)


def test_a_status_moves_with_the_version(curve: Any) -> None:
    log = curve.read()
    curve.commit((log.index, log["GR"] + 1), operation="shift", tag="edited")
    curve.commit((log.index, log["GR"] + 2), operation="shift", tag="edited")
    assert {version.number: version.tags for version in curve.versions()} == {1: (), 2: (), 3: ("edited", "latest")}
    curve.commit(curve.read(), operation="approve", tag="approved")
    assert curve.versions()[-1].tags == ("approved", "edited", "latest")


def test_a_frame_that_covers_a_part_is_no_whole_curve(curve: Any) -> None:
    part = curve.read(depth=(1500, 1510)).to_pandas()
    with pytest.raises(CurveError, match=r"interval=\(1500\.0, 1510\.0\)"):
        curve.commit(part, operation="trim")
    assert curve.commit(part, operation="trim", whole=True).version == 2
    assert len(curve.read()) == 21


def test_a_curve_grows(curve: Any) -> None:
    log = curve.read()
    depth = np.append(log.index, log.index[-1] + [0.5, 1.0])
    curve.commit((depth, np.append(log["GR"], [1.0, 2.0])), operation="append")
    assert curve.read(depth=(2999.9, None))["GR"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (([1.0, 2.0], [1.0]), "1 values on an index of 2 rows"),
        (([], []), "no rows|holds null"),
        (([1.0, float("nan")], [1.0, 2.0]), "without a value"),
        (([1.00001, 2.0], [1.0, 2.0]), "more than the 4 decimals"),
        ((["a", "b"], [1.0, 2.0]), "not depths"),
        (([1.0, 2.0], ["a", "b"]), "the curve holds float"),
        (([1.0, 2.0], [1.0, "b"]), "mixed"),
        (7, "holds no samples"),
        (pd.DataFrame({"GR": [1.0]}), "no depths"),
        (pl.DataFrame({"MD": [1.0], "A": [1.0], "B": [1.0]}), "which is GR"),
    ],
)
def test_what_is_no_frame_is_said(curve: Any, frame: Any, said: str) -> None:
    with pytest.raises(CurveError, match=said):
        curve.commit(frame, operation="edit", whole=True)
    assert len(curve.versions()) == 1


def test_an_operation_has_a_name(curve: Any) -> None:
    with pytest.raises(CurveError, match="operation="):
        curve.commit(curve.read(), operation=" ")


def test_a_new_curve_from_others(open_server: Any, curve: Any) -> None:
    log = curve.read()
    vsh = np.clip((log["GR"] - 20) / 100, 0, 1)
    project = curve.reference.partition("/")[0]
    with dataforge_registry.connect(open_server.url, cache=None) as registry:
        well = registry.well(f"{project}/edited-1")
        done = well.add_curve(
            "VSH", (log.index, vsh), like="GR", unit="v/v", operation="vsh", parameters={"clean": 20, "shale": 120}
        )
        assert (done.version, done.blobs) == (1, 3)
        listed = {each.mnemonic: each for each in well.curves()}
        assert (listed["VSH"].unit, listed["VSH"].family, listed["VSH"].digest) == ("v/v", "shale_volume", done.digest)
        new = registry.curve(f"{project}/edited-1/log/vsh")
        assert np.array_equal(new.read()["VSH"], vsh, equal_nan=True)
        assert new.config.dtype == "float32"
        assert new.config.index.index_id == curve.config.index.index_id
        assert [each.ref for each in new.config.lineage.inputs] == [f"{curve.reference}@{curve.digest}"]
        assert well.read(["GR", "VSH"]).to_arrow().num_rows == 4_000
        with pytest.raises(CurveError, match=r"there already.*commit"):
            well.add_curve("VSH", (log.index, vsh), like="GR", operation="vsh")


def test_the_well_is_read_in_its_newest_versions_and_its_index_written_where_it_would_say_something_else(
    open_server: Any, curve: Any
) -> None:
    log = curve.read()
    with dataforge_registry.connect(open_server.url, cache=None) as registry:
        well = registry.well("/".join(curve.reference.split("/")[:2]))
        (before,) = well.curves()
        curve.commit((log.index, log["GR"] + 1), operation="shift")
        assert well.curves() == [before]
        assert np.array_equal(well.read(["GR"])["GR"], log["GR"] + 1, equal_nan=True)
        done = curve.commit((log.index[:-1], log["GR"][:-1]), operation="trim", whole=True)
        (line,) = well.curves()
        assert (line.digest, line.rows) == (done.digest, before.rows - 1)


@pytest.mark.asyncio
async def test_a_lost_answer_is_no_conflict(open_server: Any, logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataforge_registry.registry.client.transport._FIRST_PAUSE", 0.001)
    await bring(open_server.url, "commit-lost", logs.las("Lost 1", {"GR": logs.smooth(100)}))
    async with (
        proxied(open_server.url) as proxy,
        dataforge_registry.connect_async(proxy.url, cache=None) as registry,
    ):
        curve = registry.curve("commit-lost/lost-1/log/gr")
        log = await curve.read()
        proxy.drop_puts = 1
        done = await curve.commit((log.index, log["GR"] + 1), operation="shift")
        assert done.version == 2
        assert [version.number for version in await curve.versions()] == [1, 2]


@pytest.mark.asyncio
async def test_many_writers_lose_no_version_and_leave_no_gap(open_server: Any, logs: Any) -> None:
    """Each adds one to its own sample; who is told of a conflict reads again. All of it is there in the end."""
    project, name = "commit-many", "commit-many/many-1/log/gr"
    await bring(open_server.url, project, logs.las("Many 1", {"GR": np.full(200, 10.0)}))
    told = 0

    async def write(number: int) -> int:
        nonlocal told
        async with dataforge_registry.connect_async(open_server.url, cache=None) as registry:
            curve = registry.curve(name)
            while True:
                log = await curve.read()
                values = log["GR"].copy()
                values[number] += 1
                try:
                    done = await curve.commit((log.index, values), operation="edit", message=str(number))
                    assert done.version is not None
                    return done.version
                except VersionConflict as error:
                    assert "v" in str(error) and error.detail["read"] != error.detail["latest"]
                    told += 1

    numbers = await asyncio.gather(*(write(number) for number in range(WRITERS)))
    assert sorted(numbers) == list(range(2, WRITERS + 2))
    assert told > 0
    async with dataforge_registry.connect_async(open_server.url, cache=None) as registry:
        curve = registry.curve(name)
        values = (await curve.read())["GR"]
        assert values.tolist() == [11.0] * WRITERS + [10.0] * (200 - WRITERS)
        history = await curve.history()
        assert [version.number for version in history] == list(range(WRITERS + 1, 0, -1))
        assert (await registry.well("commit-many/many-1").read())["GR"].tolist() == values.tolist()


def test_an_edit_rounded_as_the_file_prints_keeps_its_decimals(open_server: Any, curve: Any) -> None:
    def edited(digits: int | None) -> int | None:
        log = curve.read()
        values = log["GR"].copy()
        values[5:9] = np.interp(log.index[5:9], [log.index[4], log.index[9]], [1.0, np.pi])
        curve.commit((log.index, values if digits is None else values.round(digits)), operation="interpolate")
        decimals: int | None = curve.info().text_decimals
        return decimals

    assert edited(curve.info().text_decimals) == 3
    assert edited(None) is None
