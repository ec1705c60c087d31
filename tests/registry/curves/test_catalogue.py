"""The catalogue over HTTP: wells, curves, versions, search, pages, and who sees what."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import numpy as np
import pytest

from ..v2.conftest import Registry
from .conftest import frame, pushed, smooth

LAST = "2100-01-01T00:00:00Z"


def ask(registry: Registry, path: str, status: int = 200, **query: Any) -> Any:
    answer = registry.send("GET", f"/api/v1{path}{'?' if query else ''}{urlencode(query, doseq=True)}")
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def refs(found: Any) -> list[str]:
    return [entry["ref"].partition("/")[2] for entry in found["curves"]]


def pages(registry: Registry, path: str, **query: Any) -> Iterator[Any]:
    """Every page of a list, by its next links."""
    link = f"/api/v1{path}?{urlencode(query)}"
    while link:
        answer = registry.send("GET", link)
        assert answer.status == 200, answer.body
        yield json.loads(answer.body)
        link = answer.headers.get("link", "").partition(">")[0].removeprefix("<")


@pytest.fixture(scope="module")
def field(open_registry: Registry) -> str:
    """A project of two wells: a (GR in two versions, RHOB) and b (GR)."""
    values = smooth(1000)
    first = pushed(open_registry, "field/a/run1/gr", frame(values), "v1")
    edited = values.copy()
    edited[10:20] = np.nan
    pushed(open_registry, "field/a/run1/gr", frame(edited), "v2", "latest", "final", previous=first)
    pushed(open_registry, "field/a/run1/rhob", frame(smooth(1000, 1) / 30, mnemonic="RHOB", unit="g/cc"))
    pushed(open_registry, "field/b/run2/gr", frame(values, start=3000.0))
    return "field"


def test_wells_and_their_curves(registry: Registry, field: str) -> None:
    found = ask(registry, f"/projects/{field}/wells")["wells"]
    assert [(well["name"], well["refs"], well["curves"]) for well in found] == [
        ("a", ["field/a"], 2),
        ("b", ["field/b"], 1),
    ]
    both = {"family": ["gamma_ray", "bulk_density"], "from": 1100, "to": 1200}
    assert [well["name"] for well in ask(registry, f"/projects/{field}/wells", **both)["wells"]] == ["a"]
    assert ask(registry, f"/projects/{field}/wells", family="gamma_ray", **{"from": 1, "to": 9})["wells"] == []
    assert [well["name"] for well in ask(registry, f"/projects/{field}/wells", name="B")["wells"]] == ["b"]
    well = ask(registry, f"/wells/{field}/a")
    assert refs(well) == ["a/run1/gr", "a/run1/rhob"]
    assert well["curves"][0]["index"] == {"kind": "MD", "unit": "m", "first": "1000.0", "last": "1499.5", "step": 0.5}
    assert well["curves"][1]["unit_canonical"] == "g/cm3"
    assert ask(registry, f"/wells/{field}/a/originals") == {"files": []}
    ask(registry, f"/wells/{field}/nothing", 404)


def test_versions_of_a_curve(registry: Registry, field: str) -> None:
    header = ask(registry, f"/curves/{field}/a/run1/gr")
    assert (header["version"], header["tags"]) == (2, ["final", "latest", "v2"])
    found = ask(registry, f"/curves/{field}/a/run1/gr/versions")["versions"]
    assert [entry["version"] for entry in found] == [2, 1]
    assert found[0]["digest"] == header["digest"]
    assert found[0]["stats"]["null_fraction"] == pytest.approx(0.01)
    assert found[0]["verdict"] in ("pending", "good")
    ask(registry, f"/curves/{field}/a/run1/nothing", 404)
    ask(registry, f"/curves/{field}/a/run1/nothing/versions", 404)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", ["a/run1/gr", "a/run1/rhob", "b/run2/gr"]),
        ("well=A", ["a/run1/gr", "a/run1/rhob"]),
        ("mnemonic=gr", ["a/run1/gr", "b/run2/gr"]),
        ("mnemonic=RH*", ["a/run1/rhob"]),
        ("mnemonic=~HO", ["a/run1/rhob"]),
        ("family={bulk_density sonic_shear}", ["a/run1/rhob"]),
        ("family=gamma_ray,well=b", ["b/run2/gr"]),
        ("unit=g/cc", ["a/run1/rhob"]),
        ("max=[~10]", ["a/run1/rhob"]),
        ("null_fraction=[0.005~0.5]", ["a/run1/gr"]),
        ("step=0.5,samples={1000 7}", ["a/run1/gr", "a/run1/rhob", "b/run2/gr"]),
        ("tag=(final v2)", ["a/run1/gr"]),
        ("frame=run2", ["b/run2/gr"]),
        (f"pushed=[~{LAST}],acquired=[2000-01-01~]", []),
        (f"created=[2000-01-01~{LAST}],verdict={{pending good}}", ["a/run1/gr", "a/run1/rhob", "b/run2/gr"]),
        ("operation=despike", []),
    ],
)
def test_search(registry: Registry, field: str, q: str, expected: list[str]) -> None:
    assert refs(ask(registry, "/search", q=q, project=field)) == expected


def test_search_by_depth_and_by_values(registry: Registry, field: str) -> None:
    inside = {"project": field, "from": 3100, "to": 3100.5}
    assert refs(ask(registry, "/search", **inside)) == ["b/run2/gr"]
    assert refs(ask(registry, "/search", **{**inside, "from": 10170, "to": 10180, "unit": "ft"})) == ["b/run2/gr"]
    values = ask(registry, f"/curves/{field}/b/run2/gr")["values_id"]
    assert refs(ask(registry, "/search", q=f"values_id={values}", project=field)) == ["b/run2/gr"]
    everywhere = ask(registry, "/search", q=f"values_id={values}", project=field, versions="all", sort="-pushed")
    assert [(entry["ref"], entry["version"]) for entry in everywhere["curves"]] == [
        ("field/b/run2/gr", None),
        ("field/a/run1/gr", 1),
    ]
    uses = ask(registry, "/uses", content=values, project=field)
    assert [entry["ref"] for entry in uses["curves"]] == ["field/a/run1/gr", "field/b/run2/gr"]
    config = registry.send("GET", "/v2/field/b/run2/gr/manifests/latest").body
    layer = json.loads(config)["layers"][-1]["digest"]
    assert len(ask(registry, "/uses", digest=layer, project=field)["curves"]) == 2


def test_facets_and_histograms(registry: Registry, field: str) -> None:
    units = ask(registry, "/facets", field="unit", project=field)["values"]
    assert [(facet["value"], facet["count"]) for facet in units] == [("gAPI", 2), ("g/cm3", 1)]
    bins = ask(registry, "/facets", field="p50", bins=4, project=field)["values"]
    assert sum(facet["count"] for facet in bins) == 3


def test_coverage(registry: Registry, field: str) -> None:
    found = ask(registry, f"/projects/{field}/coverage")["wells"]
    assert [(row["well"], [(each["family"], each["ranges"]) for each in row["families"]]) for row in found] == [
        ("a", [("bulk_density", [[1000.0, 1499.5]]), ("gamma_ray", [[1000.0, 1499.5]])]),
        ("b", [("gamma_ray", [[3000.0, 3499.5]])]),
    ]
    counted = ask(registry, f"/projects/{field}/coverage", ranges="false")["wells"]
    assert [[(each["family"], each["curves"], each["ranges"]) for each in row["families"]] for row in counted] == [
        [("bulk_density", 1, None), ("gamma_ray", 1, None)],
        [("gamma_ray", 1, None)],
    ]


def test_changes(registry: Registry, field: str) -> None:
    found = [
        row
        for page in pages(registry, "/changes", since="2020-01-01", project=field, limit=1)
        for row in page["curves"]
    ]
    assert len(found) == 4
    assert found == sorted(found, key=lambda row: str(row["changed"]))
    assert ask(registry, "/changes", since=LAST, project=field)["curves"] == []


@pytest.mark.parametrize("sort", ["id", "-id", "well", "-samples", "mnemonic", "-created"])
def test_pages_hold_each_curve_once(registry: Registry, field: str, sort: str) -> None:
    whole = refs(ask(registry, "/search", project=field, sort=sort))
    paged = [ref for page in pages(registry, "/search", project=field, sort=sort, limit=1) for ref in refs(page)]
    assert paged == whole
    assert len(set(paged)) == 3
    assert [len(page["wells"]) for page in pages(registry, f"/projects/{field}/wells", limit=1)] == [1, 1]
    assert [len(page["wells"]) for page in pages(registry, f"/projects/{field}/coverage", limit=1)] == [1, 1]
    assert [len(page["curves"]) for page in pages(registry, f"/wells/{field}/a", limit=1)] == [1, 1]
    assert [len(page["versions"]) for page in pages(registry, f"/curves/{field}/a/run1/gr/versions", limit=1)] == [1, 1]


def test_several_curves_side_by_side(registry: Registry, field: str) -> None:
    body = ask(registry, f"/wells/{field}/a/data", curve=["GR", "bulk_density"], **{"from": 1000, "to": 1001})
    assert [curve["mnemonic"] for curve in body["curves"]] == ["GR", "RHOB"]
    assert [row[0] for row in body["data"]] == [1000.0, 1000.5, 1001.0]
    old = ask(registry, f"/wells/{field}/a/data", curve="run1/gr:v1", **{"from": 1005, "to": 1005})
    assert old["data"][0][1] is not None
    assert "RHOB" in json.dumps(ask(registry, f"/wells/{field}/a/data", 400, curve="NPHI"))
    pushed(registry, f"{field}/c/run1/gr", frame(smooth(10)))
    pushed(registry, f"{field}/c/run2/gr", frame(smooth(10)))
    said = ask(registry, f"/wells/{field}/c/data", 400, curve="GR")["errors"][0]["message"]
    assert "run1/gr, run2/gr" in said
    ask(registry, f"/wells/{field}/a/data", 400)
    ask(registry, f"/wells/{field}/a/data", 400, curve=["GR"] * 100)
    for well in ("c",):
        for run in ("run1", "run2"):
            digest = ask(registry, f"/curves/{field}/{well}/{run}/gr")["digest"]
            assert registry.send("DELETE", f"/v2/{field}/{well}/{run}/gr/manifests/{digest}").status == 202
    assert len(ask(registry, f"/projects/{field}/wells")["wells"]) == 2


BAD: list[dict[str, Any]] = [
    *({"q": q} for q in ("x", "nothing=1", "max=[1]", "max=abc", "max=[~]", "family={}", "family={a", 'well="a')),
    *({"q": q} for q in ("well=", "well=~", "well=🛢", "max=nan", "max=~1", "values_id=abc", "created=soon")),
    *({"q": q} for q in ("well=a\0b", "family=[a~b]", ",".join(["max=1"] * 40), "max={" + "1 " * 200 + "}")),
    *({"from": value} for value in ("x", "nan", "inf", "1e99", "1e-99", "🛢")),
    {"from": 5, "to": 1},
    {"from": 5, "unit": "gAPI"},
    *({"limit": value} for value in (0, -1, 1001, 10**30, "x")),
    *({"cursor": value} for value in ("x", "AAAA", "kqFh", "é")),
    {"sort": "color"},
    {"versions": "some"},
]


def test_what_is_no_question(registry: Registry) -> None:
    for query in BAD:
        assert ask(registry, "/search", 400, **query)["errors"][0]["message"]


def cursor(*last: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(last[0] if len(last) == 1 else last)).decode().rstrip("=")


@pytest.mark.parametrize("sort", ["id", "well", "-samples", "pushed"])
@pytest.mark.parametrize("last", [("a word", 1), ("1", 2**63), (None, -1), ("9" * 40, 1), ("1" * 400, 5)])
def test_a_cursor_that_no_page_gave_is_no_fault_of_the_server(
    registry: Registry, field: str, sort: str, last: Any
) -> None:
    answer = registry.send("GET", "/api/v1/search?" + urlencode({"sort": sort, "cursor": cursor(*last)}))
    assert answer.status in (200, 400), answer.body


def test_no_other_cursor_is_either(registry: Registry, field: str) -> None:
    ask(registry, "/uses", 400, digest="sha256:" + "0" * 64, cursor=cursor(2**63))
    ask(registry, "/changes", 400, since="2020-01-01", cursor=cursor("2020-01-01", 2**63))
    ask(registry, f"/wells/{field}/a", 400, cursor=cursor("", "", "", 2**63))
    ask(registry, f"/curves/{field}/a/run1/gr/versions", 400, cursor=cursor(2**63))


def test_what_is_no_other_question(registry: Registry, field: str) -> None:
    ask(registry, "/uses", 400)
    ask(registry, "/uses", 400, digest="x")
    ask(registry, "/uses", 400, digest="sha256:" + "0" * 64, content="sha256:" + "0" * 64)
    ask(registry, "/changes", 400)
    ask(registry, "/changes", 400, since="soon")
    ask(registry, "/facets", 400)
    ask(registry, "/facets", 400, field="samples")
    ask(registry, "/facets", 400, field="unit", bins=3)
    ask(registry, f"/projects/{field}/wells", 400, **{"from": 1})
    ask(registry, "/search", 200, q="well=" + "x" * 5000)
    ask(registry, "/search", 400, q="well=" + "x" * 9000)


def test_everybody_sees_what_is_theirs(door: Registry) -> None:
    ann = door.by("ann")
    for project in ("wells", "open"):
        pushed(ann, f"{project}/s1/run1/gr", frame(smooth(50)))
    seen = {
        user: {entry["ref"].split("/")[0] for entry in ask(who, "/search", q="well=s1")["curves"]}
        for user, who in (("ann", ann), ("guy", door.by("guy")), ("eve", door.by("eve")), ("", door))
    }
    assert seen == {"ann": {"wells", "open"}, "guy": {"wells", "open"}, "eve": {"open"}, "": {"open"}}
    eve = door.by("eve")
    assert ask(eve, "/search", q="well=s1", project="wells") == ask(eve, "/search", q="well=s1", project="nowhere")
    values = ask(ann, "/curves/wells/s1/run1/gr")["values_id"]
    assert {entry["ref"] for entry in ask(door, "/uses", content=values)["curves"]} == {"open/s1/run1/gr"}
    assert all(row["ref"].startswith("open/") for row in ask(eve, "/changes", since="2020-01-01")["curves"])
    for path in (
        "/projects/{}/wells",
        "/projects/{}/coverage",
        "/wells/{}/s1",
        "/wells/{}/s1/originals",
        "/wells/{}/s1/data?curve=GR",
        "/curves/{}/s1/run1/gr",
        "/curves/{}/s1/run1/gr/versions",
    ):
        for who, wells, nowhere in ((ann, 200, 403), (door.by("guy"), 200, 403), (eve, 403, 403), (door, 401, 401)):
            statuses = [who.send("GET", f"/api/v1{path.format(p)}").status for p in ("wells", "open", "nowhere")]
            assert statuses == [wells, 200, nowhere], path
        said = [eve.send("GET", f"/api/v1{path.format(project)}").body for project in ("secret", "nowhere")]
        assert said[0] == said[1]


def test_differences(registry: Registry, field: str) -> None:
    found = ask(registry, "/diff", **{"from": f"{field}/a/run1/gr:v1", "to": f"{field}/a/run1/gr@v2"})
    assert (found["changed"], found["nulled"], found["interval_count"]) == (10, 10, 1)
    assert found["intervals"][0]["start"] == "1005.0"
    same = ask(registry, "/diff", **{"from": f"{field}/a/run1/gr:v1", "to": f"{field}/b/run2/gr"})
    assert same["values_equal"]
    ask(registry, "/diff", 400, **{"from": f"{field}/a", "to": f"{field}/b"})
    ask(registry, "/diff", 404, **{"from": f"{field}/a/run1/gr:v9", "to": f"{field}/a/run1/gr"})
    ask(registry, "/diff/wells", 400, **{"from": f"{field}/a/run1/gr", "to": f"{field}/b"})


def test_tables_of_a_project(door: Registry) -> None:
    ann, guy = door.by("ann"), door.by("guy")
    path = "/api/v1/projects/wells/mnemonics"
    body = {"mnemonics": [{"mnemonic": "MYGR", "family": "gamma_ray"}]}
    assert ann.send("PUT", path, json.dumps(body).encode()).status == 200
    assert guy.send("PUT", path, json.dumps(body).encode()).status == 403
    rows = ask(guy, "/projects/wells/mnemonics")["mnemonics"]
    assert [(row["mnemonic"], row["family"]) for row in rows if row["own"]] == [("mygr", "gamma_ray")]
    frame_ = frame(smooth(50), mnemonic="MYGR")
    pushed(ann, "wells/t1/run1/mygr", frame_)
    assert ask(ann, "/curves/wells/t1/run1/mygr")["family"] == "gamma_ray"
    for wrong in ({}, {"mnemonics": 1}, {"mnemonics": [{"mnemonic": "🛢", "family": "x"}]}):
        assert ann.send("PUT", path, json.dumps(wrong).encode()).status == 400
    units = {"units": [{"spelling": "FURLONG", "unit": "m", "factor": 201.168}]}
    assert ann.send("PUT", "/api/v1/projects/wells/units", json.dumps(units).encode()).status == 200
    assert [row["factor"] for row in ask(guy, "/projects/wells/units")["units"] if row["own"]] == [201.168]
    assert ann.send("PUT", path, json.dumps({"mnemonics": []}).encode()).status == 200


def test_values_that_are_here_already(registry: Registry, field: str) -> None:
    manifest = json.loads(registry.send("GET", f"/v2/{field}/b/run2/gr/manifests/latest").body)
    config = json.loads(registry.send("GET", f"/v2/{field}/b/run2/gr/blobs/{manifest['config']['digest']}").body)
    contents = [segment["content"] for segment in config["segments"]]

    def lookup(body: Any) -> Any:
        return registry.send("POST", "/api/v1/segments:lookup", json.dumps(body).encode())

    assert lookup({"contents": contents}).status == 200
    while not (found := json.loads(lookup({"contents": contents}).body)["segments"]):
        pass  # until the job has judged it
    assert [each["content"] for each in found] == contents
    assert lookup({"contents": ["x"]}).status == 400
    assert lookup({"contents": contents * 1001}).status == 400


def test_values_of_a_deleted_repository_are_nowhere(registry: Registry, name: str) -> None:
    """Nobody is sent to mount them from where they can no longer be had."""
    project = registry.project(name.replace("/", "-") + "-gone")
    config = pushed(registry, f"{project}/w/f/gr", frame(smooth(300, 77))).config
    body = json.dumps({"contents": [segment.content for segment in config.segments]}).encode()

    def found() -> Any:
        return json.loads(registry.send("POST", "/api/v1/segments:lookup", body).body)["segments"]

    while not found():
        pass  # until the job has judged it
    assert registry.send("DELETE", f"/api/v2.0/projects/{project}/repositories/w%252Ff%252Fgr").status == 200
    assert found() == []
