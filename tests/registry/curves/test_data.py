"""Windows of curves: every format, units, grids, bins, streams, and windows that are none."""

import io
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataforge_registry.core.curves.model import Index

from ..v2.conftest import Answer, Registry
from .conftest import frame, pushed, smooth

ROWS = 150_000  # in 0.1 m steps from 1000 m: three parts


@pytest.fixture(scope="module")
def gr(open_registry: Registry) -> str:
    values = smooth(ROWS)
    values[500:510] = np.nan
    pushed(open_registry, "data/w1/run1/gr", frame(values, step=0.1), "v1", "latest")
    return "/api/v1/curves/data/w1/run1/gr"


def ask(registry: Registry, path: str, **headers: str) -> Answer:
    answer = registry.send("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    assert answer.status == 200, answer.body
    return answer


def refused(registry: Registry, path: str) -> str:
    answer = registry.send("GET", path)
    assert answer.status == 400, answer.body[:200]
    return str(json.loads(answer.body)["errors"][0]["message"])


def test_a_window_in_every_format(registry: Registry, gr: str) -> None:
    expected = [(1010.0, pytest.approx(smooth(ROWS)[100])), (1010.1, pytest.approx(smooth(ROWS)[101]))]
    window = f"{gr}/data?from=1010&to=1010.1"
    body = json.loads(ask(registry, window).body)
    assert body["index"] == {"kind": "MD", "mnemonic": "DEPT", "unit": "m"}
    assert body["curves"][0]["unit"] == "gAPI"
    assert [tuple(row) for row in body["data"]] == expected
    lines = ask(registry, f"{window}&format=csv").body.decode().splitlines()
    assert lines[0] == "MD [m],GR [gAPI]"
    assert lines[1].startswith("1010.0,")
    table = pq.read_table(io.BytesIO(ask(registry, f"{window}&format=parquet").body))
    assert [str(each) for each in table["MD"].to_pylist()] == ["1010.0000", "1010.1000"]
    stream = pa.ipc.open_stream(ask(registry, f"{window}&format=arrow").body).read_all()
    assert stream["GR"].to_pylist() == table["GR"].to_pylist()
    assert table["GR"].to_pylist() == [pytest.approx(row[1]) for row in body["data"]]
    las = ask(registry, f"{window}&format=las").body.decode()
    assert "~A" in las
    assert "STRT" in las
    assert json.loads(ask(registry, f"{window}&format=jwlf").body)
    for kind, accept in (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet;q=0.9, text/html;q=1.0")):
        answer = ask(registry, window, Accept=accept)
        assert answer.body == ask(registry, f"{window}&format={kind}").body
        assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("kind", ["json", "csv", "arrow"])
def test_a_long_answer_is_streamed_and_whole(registry: Registry, gr: str, kind: str) -> None:
    answer = ask(registry, f"{gr}/data?format={kind}")
    assert "content-length" not in answer.headers
    if kind == "json":
        found = [row[1] for row in json.loads(answer.body)["data"]]
    elif kind == "csv":
        found = [float(line.split(",")[1] or "nan") for line in answer.body.decode().splitlines()[1:]]
    else:
        found = pa.ipc.open_stream(answer.body).read_all()["GR"].to_pylist()
    numbers = np.array(found, dtype=float)
    expected = smooth(ROWS).astype(float)
    expected[500:510] = np.nan
    np.testing.assert_allclose(numbers, expected, rtol=1e-6)


def test_units_and_steps(registry: Registry, gr: str) -> None:
    body = json.loads(ask(registry, f"{gr}/data?from=3313.65&to=3314&unit=ft").body)
    assert body["index"]["unit"] == "ft"
    assert all(3313.65 <= row[0] <= 3314 for row in body["data"])
    assert len(body["data"]) == 1
    grid = json.loads(ask(registry, f"{gr}/data?from=1000&to=1001&step=0.25").body)["data"]
    assert [row[0] for row in grid] == [1000.0, 1000.25, 1000.5, 1000.75, 1001.0]


def test_bins(registry: Registry, gr: str) -> None:
    body = json.loads(ask(registry, f"{gr}/data?bins=10").body)
    values = smooth(ROWS).astype(float)
    values[500:510] = np.nan
    assert len(body["bins"]) == 10
    assert sum(row[3] for row in body["bins"]) == 10
    assert min(row[1] for row in body["bins"]) == pytest.approx(np.nanmin(values))
    assert max(row[2] for row in body["bins"]) == pytest.approx(np.nanmax(values))
    narrow = json.loads(ask(registry, f"{gr}/data?bins=2&from=1050&to=1050.9").body)["bins"]
    assert [row[3] for row in narrow] == [5, 5]
    assert narrow[0][1] is None


def test_an_answer_is_not_sent_twice(registry: Registry, gr: str) -> None:
    window = f"{gr}/data?from=1010&to=1011"
    etag = ask(registry, window).headers["etag"]
    assert registry.send("GET", window, headers={"If-None-Match": etag}).status == 304
    assert registry.send("GET", f"{window}&format=csv", headers={"If-None-Match": etag}).status == 200
    assert registry.send("GET", f"{gr}@v1/data?from=1010&to=1011").headers["etag"] == etag
    head = registry.send("HEAD", window)
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", etag)


def test_what_is_no_window(registry: Registry, gr: str) -> None:
    assert "upside down" in refused(registry, f"{gr}/data?from=1020&to=1010")
    assert "1000.0 to 15999.9 m" in refused(registry, f"{gr}/data?from=20000&to=20010")
    assert "1000.0 to 15999.9 m" in refused(registry, f"{gr}/data?from=1010.01&to=1010.02")
    assert "no depth" in refused(registry, f"{gr}/data?from=2020-01-01T00:00:00Z")
    for query in (
        "unit=gAPI",
        "unit=s",
        "from=NaN",
        "from=inf",
        "step=0",
        "step=-1",
        "step=nan",
        "step=1e-30",
        "bins=0",
    ):
        refused(registry, f"{gr}/data?{query}")
    for query in ("bins=-1", "bins=1e9", "bins=x", "format=xls", "format=dlis", "bins=5&format=csv", "from=1&from=2"):
        refused(registry, f"{gr}/data?{query}")
    for query in ("from=%00", "from=%F0%9F%9B%A2", "unit=%F0%9F%9B%A2", "from=" + "9" * 60, "step=" + "x" * 100):
        refused(registry, f"{gr}/data?{query}")
    assert "rows" in refused(registry, f"{gr}/data?step=0.0001&format=csv")
    assert registry.send("GET", "/api/v1/curves/data/w1/run1/nothing/data").status == 404


def test_times(registry: Registry) -> None:
    ticks = np.arange(0, 10 * 10**6, 10**6)
    index = Index("TIME", "TIME", "s", "S", ticks, None)
    pushed(registry, "data/w2/run1/x", frame(np.arange(10.0), mnemonic="X", index=index))
    path = "/api/v1/curves/data/w2/run1/x/data"
    body = json.loads(ask(registry, f"{path}?from=1970-01-01T00:00:03Z&to=1970-01-01T00:00:04Z").body)
    assert [row[1] for row in body["data"]] == [3.0, 4.0]
    assert "ISO 8601" in refused(registry, f"{path}?from=100&to=200")
    assert len(json.loads(ask(registry, f"{path}?bins=2").body)["bins"]) == 2


def spoilt(registry: Registry, well: str, role: str, layer: bytes) -> str:
    """A pushed curve whose index or value layer holds other bytes than its manifest would have it."""
    name = f"data/{well}/run1/gr"
    irregular = Index("MD", "DEPT", "m", "M", np.arange(100, dtype=np.int64) ** 2)
    packed = pushed(registry, name, frame(smooth(100), index=irregular))
    manifest = json.loads(packed.raw)
    spoilt_one = manifest["layers"][("index", "values").index(role)]
    spoilt_one |= {key: value for key, value in registry.blob(name, layer).items() if key != "mediaType"}
    answer = registry.put(name, "latest", manifest)
    assert answer.status == 201, answer.body
    return f"/api/v1/curves/{name}/data"


def parquet(column: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"MD": column}), sink)
    return sink.getvalue()


def decimals(numbers: Any) -> Any:
    return pa.array([Decimal(number) for number in numbers], pa.decimal128(14, 4))


def test_layers_that_are_none(registry: Registry) -> None:
    bad: dict[str, tuple[str, bytes]] = {
        "junk": ("values", b"PAR1 is what it says"),
        "empty": ("values", b""),
        "long": ("values", parquet(pa.array(np.zeros(5_000_000)))),
        "nan": ("index", parquet(pa.array(np.full(100, np.nan)))),
        "null": ("index", parquet(pa.array([None] * 100, pa.decimal128(14, 4)))),
        "falling": ("index", parquet(decimals(range(100, 0, -1)))),
        "short": ("index", parquet(decimals(range(7)))),
        "words": ("values", parquet(pa.array(["x"] * 100))),
    }
    for well, (role, layer) in bad.items():
        path = spoilt(registry, well, role, layer)
        assert refused(registry, path)
        assert refused(registry, f"{path}?bins=5")
        assert refused(registry, f"/api/v1/files/data/{well}/run1/gr.parquet")
    assert registry.send("GET", "/api/v1/openapi.json").status == 200


def test_rights(door: Registry) -> None:
    ann = door.by("ann")
    for project in ("wells", "open"):
        pushed(ann, f"{project}/d1/run1/gr", frame(smooth(100)))
    found = {
        user: [
            (door.by(user) if user else door).send("GET", f"/api/v1/curves/{project}/d1/run1/gr/data").status
            for project in ("wells", "open", "nowhere")
        ]
        for user in ("ann", "guy", "eve", "")
    }
    assert found == {"ann": [200, 200, 403], "guy": [200, 200, 403], "eve": [403, 200, 403], "": [401, 200, 401]}
