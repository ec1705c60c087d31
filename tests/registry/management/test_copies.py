"""Copies inside the registry."""

import json

import pytest

from ..curves.conftest import frame, smooth
from ..curves.conftest import pushed as pushed_curve
from ..v2.conftest import Registry, index, pushed, sha256
from .conftest import Answer, Api
from .test_artifacts import home, path, registry, signed
from .test_projects import make

__all__ = ["home", "registry"]


def copied(api: Api, source: str, target: str) -> Answer:
    return api.send("POST", f"{path(target)}?from={source}")


def test_an_index_is_copied_with_children_and_signatures(admin: Api, registry: Registry, home: str) -> None:
    make(admin, f"{home}-2")
    source, target = f"{home}/a", f"{home}-2/b/c"
    child = json.dumps(registry.image(source)).encode()
    registry.put(source, sha256(child), child)
    inner = json.dumps(index(child)).encode()
    registry.put(source, sha256(inner), inner, json.loads(inner)["mediaType"])
    whole = pushed(registry, source, "v1", index(inner, child))
    registry.put(source, "latest", whole, json.loads(whole)["mediaType"])
    signatures = [signed(registry, source, each) for each in (whole, child)]
    answer = copied(admin, f"{source}:v1", target)
    assert answer.status == 201
    assert answer.headers["location"] == f"/api/v2.0{path(target, sha256(whole).replace(':', '%3A'))}"
    found = admin.get(answer.headers["location"].removeprefix("/api/v2.0") + "?with_accessory=true").json
    assert {tag["name"] for tag in found["tags"]} == {"v1", "latest"}
    assert [each["digest"] for each in found["accessories"]] == [sha256(signatures[0])]
    for raw in (child, inner, whole, *signatures):
        pulled = registry.send("GET", f"/v2/{target}/manifests/{sha256(raw)}")
        assert (pulled.status, pulled.body) == (200, raw)
    for blob in [json.loads(child)["config"], *json.loads(child)["layers"]]:
        assert registry.send("HEAD", f"/v2/{target}/blobs/{blob['digest']}").status == 200
    assert registry.used(target) == registry.used(source)
    assert copied(admin, f"{source}@{sha256(whole)}", target).status == 201  # again: nothing new
    assert registry.used(target) == registry.used(source)


def test_a_curve_is_in_the_catalogue_of_its_new_home(admin: Api, registry: Registry, home: str) -> None:
    make(admin, f"{home}-2")
    name, target = f"{home}/well-1/run1/gr", f"{home}-2/well-1/run1/gr"
    packed = pushed_curve(registry, name, frame(smooth(100)), "v1", "latest")
    assert copied(admin, f"{name}:latest", target).status == 201
    extra = admin.get(path(target, "v1")).json["extra_attrs"]
    assert (extra["mnemonic"], extra["version"]) == ("GR", 1)
    other = pushed_curve(registry, name, frame(smooth(100, seed=2)), "v2")
    pushed_curve(registry, target, frame(smooth(100, seed=3)), "v2")
    answer = copied(admin, f"{name}@{other.digest}", target)  # its v2 is another one's here
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert registry.send("HEAD", f"/v2/{target}/manifests/{other.digest}").status == 404
    assert copied(admin, f"{name}@{packed.digest}", f"{home}-2/well-1/run1/rhob").status == 400


def test_rights_are_asked_on_both_sides(admin: Api, nobody: Api, registry: Registry, home: str, word: str) -> None:
    for project in ("wells", "secret", "open"):
        pushed(registry, f"{project}/{word}", "v1", registry.image(f"{project}/{word}"))
    ann = nobody.by("ann")
    assert copied(ann, f"wells/{word}:v1", f"open/{word}-2").status == 201
    assert copied(nobody.by("guy"), f"wells/{word}:v1", f"open/{word}-3").status == 403
    assert copied(nobody, f"open/{word}:v1", f"open/{word}-3").status == 401
    assert copied(ann, f"wells/{word}:v1", f"{home}/a").status == 403
    forbidden, absent = (copied(ann, f"{each}/{word}:v1", f"open/{word}-3") for each in ("secret", "nowhere"))
    assert forbidden.status == 403
    assert (forbidden.status, forbidden.body) == (absent.status, absent.body)
    assert admin.get(f"/projects/open/repositories/{word}-3").status == 404


@pytest.mark.parametrize("source", ["", "x", "open/a", "open/a@", ":v1", "open/%00a:v1", "open/a:v1%00"])
def test_what_cannot_be_a_source(admin: Api, home: str, source: str) -> None:
    assert copied(admin, source, f"{home}/a").status == 400


def test_what_is_not_there_is_not_copied(admin: Api, registry: Registry, home: str) -> None:
    pushed(registry, f"{home}/a", "v1", registry.image(f"{home}/a"))
    for source in (f"{home}/a:v2", f"{home}/b:v1", "nowhere/a:v1", f"{home}/a@sha256:{'0' * 64}"):
        assert copied(admin, source, f"{home}/c").status == 404
    assert copied(admin, f"{home}/a:v1", f"{home}/Upper").status == 400
    assert admin.get(f"/projects/{home}/repositories/c").status == 404


def test_a_copy_that_does_not_fit_leaves_nothing(admin: Api, registry: Registry, home: str) -> None:
    name = f"{home}/a"
    child = json.dumps(registry.image(name)).encode()
    registry.put(name, sha256(child), child)
    whole = pushed(registry, name, "v1", index(child))
    room = registry.used(name) - len(whole) + 1  # the child fits, the index does not
    make(admin, f"{home}-2", storage_limit=room)
    answer = copied(admin, f"{name}:v1", f"{home}-2/a")
    assert (answer.status, answer.code) == (403, "DENIED")
    assert registry.used(f"{home}-2/a") == 0
    assert registry.send("HEAD", f"/v2/{home}-2/a/manifests/{sha256(child)}").status == 404
