"""Artifacts: lists, what hangs on them, deletion."""

import json
from typing import Any

import pytest

from dataforge_registry.core.oci import media

from ..curves.conftest import frame, smooth
from ..curves.conftest import pushed as pushed_curve
from ..v2.conftest import Registry, index, pushed, sha256
from .conftest import Api
from .test_projects import make


@pytest.fixture
def registry(door: Registry) -> Registry:
    """As the system administrator."""
    return door.by("admin")


@pytest.fixture
def home(admin: Api, word: str) -> str:
    """A project of this test's own."""
    make(admin, word)
    return word


def path(repository: str, reference: str = "") -> str:
    project, _, name = repository.partition("/")
    return f"/projects/{project}/repositories/{name.replace('/', '%252F')}/artifacts" + (reference and f"/{reference}")


def digests(api: Api, target: str) -> set[str]:
    return {entry["digest"] for entry in api.get(target).json}


def signed(registry: Registry, name: str, raw: bytes) -> bytes:
    """A notation signature of a manifest."""
    subject = {"mediaType": json.loads(raw)["mediaType"], "digest": sha256(raw), "size": len(raw)}
    body = registry.image(name, subject=subject, artifactType="application/vnd.cncf.notary.signature")
    signature = json.dumps(body).encode()
    assert registry.put(name, sha256(signature), signature).status == 201
    return signature


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        (
            b'{"architecture":"arm64","os":"linux","author":"ann","created":"2026-01-02T03:04:05Z","config":{"Cmd":["a"]},'
            b'"rootfs":{"type":"layers"},"history":[]}',
            {
                **{"architecture": "arm64", "os": "linux", "author": "ann", "created": "2026-01-02T03:04:05Z"},
                "config": {"Cmd": ["a"]},
            },
        ),
        (b'{"architecture":7,"os":"linux","config":[]}', {"os": "linux"}),
        (b"[]", {}),
        (b"{nothing", {}),
        (b'{"os":"\\ud800"}', {}),
        (b"[" * 100_000, {}),
        (b'{"os":"linux","x":"' + b"x" * (256 << 10) + b'"}', {}),
    ],
)
def test_an_image_says_what_its_config_says(
    admin: Api, registry: Registry, home: str, config: bytes, shown: dict[str, Any]
) -> None:
    name = f"{home}/image"
    described = registry.blob(name, config) | {"mediaType": media.OCI_CONFIG}
    pushed(registry, name, "v1", registry.image(name) | {"config": described})
    found = admin.get(path(name, "v1")).json
    assert (found["type"], found["extra_attrs"]) == ("IMAGE", shown)
    assert found.get("pull_time") is None
    assert admin.get(path(name)).json[0]["extra_attrs"] == {}, "a list reads no blobs"


def test_an_artifact_by_tag_and_by_digest(admin: Api, registry: Registry, home: str) -> None:
    raw = pushed(registry, f"{home}/a", "v1", registry.image(f"{home}/a", annotations={"k": "<b>v</b>"}))
    registry.put(f"{home}/a", "latest", raw)
    by_tag, by_digest = (admin.get(path(f"{home}/a", each)).json for each in ("v1", sha256(raw)))
    assert by_tag == by_digest
    assert by_tag["digest"] == sha256(raw) and by_tag["repository_name"] == f"{home}/a"
    assert {tag["name"] for tag in by_tag["tags"]} == {"v1", "latest"}
    assert by_tag["annotations"] == {"k": "<b>v</b>"} and by_tag["references"] == [] and "labels" not in by_tag
    assert "tags" not in admin.get(path(f"{home}/a", "v1") + "?with_tag=false").json
    for absent in ("v9", "sha256:" + "0" * 64, "sha256:junk", "%2e%2e"):
        assert admin.get(path(f"{home}/a", absent)).status == 404


def test_lists_show_neither_children_nor_what_is_attached(admin: Api, registry: Registry, home: str) -> None:
    name = f"{home}/a"
    child = json.dumps(registry.image(name, annotations={"n": "child"})).encode()
    registry.put(name, sha256(child), child)
    whole = pushed(registry, name, "all", index(child, annotations={"x": "y"}))
    signature = signed(registry, name, whole)
    plain = json.dumps(registry.image(name)).encode()
    registry.put(name, sha256(plain), plain)
    assert digests(admin, path(name)) == {sha256(whole), sha256(plain)}
    assert admin.get(path(name)).headers["x-total-count"] == "2"
    assert digests(admin, path(name) + "?q=tags=*") == {sha256(whole)}
    assert digests(admin, path(name) + "?q=tags=nil") == {sha256(plain)}
    assert digests(admin, path(name) + "?q=tags=~al") == digests(admin, path(name) + "?q=tags={all%20none}")
    assert digests(admin, path(name) + "?q=tags=(all%20none)") == set()
    assert digests(admin, path(name) + "?q=tags=al*,type=IMAGE") == {sha256(whole)}
    found = admin.get(path(name, "all") + "?with_accessory=true").json
    (reference,) = found["references"]
    assert (reference["child_digest"], reference["parent_id"]) == (sha256(child), found["id"])
    (accessory,) = found["accessories"]
    assert (accessory["digest"], accessory["type"]) == (sha256(signature), "signature.notation")
    (again,) = admin.get(path(name, "all") + "/accessories").json
    assert again == accessory and again["subject_artifact_repo"] == name
    assert digests(admin, f"/projects/{home}/artifacts") == {sha256(whole), sha256(plain)}
    assert digests(admin, f"/projects/{home}/artifacts?latest_in_repository=true") <= {sha256(plain)}


def test_platforms_are_told_as_the_index_has_them(admin: Api, registry: Registry, home: str) -> None:
    name = f"{home}/a"
    child = pushed(registry, name, "child", registry.image(name))
    body = index(child)
    body["manifests"][0] |= {"platform": {"os": "linux", "architecture": "arm64"}, "annotations": {"a": "b"}}
    pushed(registry, name, "all", body)
    (reference,) = admin.get(path(name, "all")).json["references"]
    assert reference["platform"] == {"os": "linux", "architecture": "arm64"} and reference["annotations"] == {"a": "b"}


def test_a_curve_says_what_it_is(admin: Api, registry: Registry, home: str) -> None:
    name = f"{home}/well-1/run1/gr"
    packed = pushed_curve(registry, name, frame(smooth(100)), "v1", "latest")
    found = admin.get(path(name, "v1")).json
    assert (found["type"], found["artifact_type"]) == ("CURVE", media.CURVE)
    extra = found["extra_attrs"]
    assert (extra["mnemonic"], extra["unit"], extra["version"], extra["samples"]) == ("GR", "gAPI", 1, 100)
    assert (extra["first_index"], extra["last_index"], extra["index_unit"]) == ("1000.0", "1049.5", "m")
    links = found["addition_links"]
    assert set(links) == {"header", "statistics", "lineage"} and not links["header"]["absolute"]
    header, statistics, lineage = (
        admin.get(links[each]["href"].removeprefix("/api/v2.0")) for each in ("header", "statistics", "lineage")
    )
    assert header.json["mnemonic"] == "GR" and header.json["index"]["unit"] == "m" and "segments" not in header.json
    assert header.headers["content-type"] == "application/json"
    assert statistics.json["count"] == 100 and statistics.json["unit"] == "gAPI"
    assert statistics.json["min"] == packed.config.stats.min
    assert lineage.json == {}
    listed = admin.get(path(name)).json[0]["extra_attrs"]
    assert listed | {"verdict": "pending"} == extra | {"verdict": "pending"}  # which is judged meanwhile


def test_what_no_artifact_has(admin: Api, registry: Registry, home: str) -> None:
    pushed(registry, f"{home}/a", "v1", registry.image(f"{home}/a"))
    for addition in ("build_history", "readme.md", "header", "values.yaml"):
        answer = admin.get(path(f"{home}/a", "v1") + f"/additions/{addition}")
        assert (answer.status, answer.code) == (404, "NOT_FOUND")
    answer = admin.get(path(f"{home}/a", "v1") + "/additions/vulnerabilities")
    assert (answer.status, answer.code) == (400, "UNSUPPORTED") or answer.code == "BAD_REQUEST"
    assert admin.get(path(f"{home}/a", "v2") + "/additions/vulnerabilities").status == 404


def test_deletion_takes_what_is_only_there_for_it(admin: Api, registry: Registry, home: str) -> None:
    name = f"{home}/a"
    shared, own, kept = (registry.image(name, annotations={"n": str(n)}) for n in range(3))
    raws = [json.dumps(each).encode() for each in (shared, own)]
    for raw in raws:
        registry.put(name, sha256(raw), raw)
    tagged = pushed(registry, name, "kept", kept)
    first = pushed(registry, name, "first", index(*raws, tagged))
    pushed(registry, name, "second", index(raws[0]))
    signature = signed(registry, name, first)
    refused = admin.delete(path(name, "kept"))
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    assert admin.delete(path(name, "first")).status == 200

    def there(raw: bytes) -> int:
        return registry.send("HEAD", f"/v2/{name}/manifests/{sha256(raw)}").status

    assert [there(each) for each in (first, raws[1], signature)] == [404, 404, 404]
    assert [there(each) for each in (raws[0], tagged)] == [200, 200]
    assert admin.delete(path(name, "first")).status == 404


def test_who_may_delete(door: Registry, nobody: Api, word: str) -> None:
    registry, name = door.by("admin"), f"wells/{word}"
    pushed(registry, name, "v1", registry.image(name))
    for user, status in ((None, 401), ("eve", 403), ("guy", 403), ("ann", 403), ("mia", 200)):
        assert nobody.by(user).delete(path(name, "v1")).status == status


READS = (
    "",
    "?with_label=true",
    "/v1",
    "/v1/tags",
    "/v1/accessories",
    "/v1/additions/header",
    "/v1/additions/vulnerabilities",
)


@pytest.mark.parametrize("below", READS)
def test_absent_and_forbidden_look_alike(door: Registry, nobody: Api, word: str, below: str) -> None:
    registry = door.by("admin")
    pushed(registry, f"secret/{word}", "v1", registry.image(f"secret/{word}"))
    for user, status in ((None, 401), ("eve", 403), ("mia", 403)):
        api = nobody.by(user)
        there, not_there, nowhere = (
            api.get(path(each) + below) for each in (f"secret/{word}", f"secret/{word}-2", f"nowhere/{word}")
        )
        assert there.status == status
        assert (there.status, there.body) == (not_there.status, not_there.body) == (nowhere.status, nowhere.body)


@pytest.mark.parametrize(
    "query",
    ["q=manifest=~a", "sort=tags", "sort=-manifest", "q=tags=[a~b]", "q=labels=(1);--,x", "q=size=a", "with_tag=x"],
)
def test_what_a_list_is_asked_is_a_field_or_refused(admin: Api, registry: Registry, home: str, query: str) -> None:
    pushed(registry, f"{home}/a", "v1", registry.image(f"{home}/a"))
    for target in (path(f"{home}/a"), f"/projects/{home}/artifacts"):
        answer = admin.get(f"{target}?{query}")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_pages_follow_each_other(admin: Api, registry: Registry, home: str) -> None:
    raws = [
        pushed(registry, f"{home}/a", f"t{n}", registry.image(f"{home}/a", annotations={"n": str(n)})) for n in range(5)
    ]
    seen: list[Any] = []
    target = path(f"{home}/a") + "?page_size=2&sort=push_time"
    while target:
        answer = admin.get(target)
        seen += [entry["digest"] for entry in answer.json]
        links = answer.headers.get("link", "").split(" , ")
        (target,) = [each[1:].partition(">")[0] for each in links if 'rel="next"' in each] or [""]
        target = target.removeprefix("/api/v2.0")
    assert seen == [sha256(raw) for raw in raws]
