"""Tags made and taken through the management API, and labels on artifacts."""

from ..curves.conftest import frame, smooth
from ..curves.conftest import pushed as pushed_curve
from ..v2.conftest import Registry, pushed, sha256
from .conftest import Api
from .test_artifacts import digests, path
from .test_projects import make


def test_a_tag_is_made_listed_and_taken(admin: Api, nobody: Api, door: Registry, word: str) -> None:
    registry, name = door.by("admin"), f"wells/{word}"
    raw = pushed(registry, name, "v1", registry.image(name))
    other = pushed(registry, name, "v2", registry.image(name, annotations={"n": "2"}))
    ann, tags = nobody.by("ann"), path(name, sha256(raw)) + "/tags"
    answer = ann.post(tags, {"name": "stable"})
    assert answer.status == 201
    assert answer.headers["location"].endswith("/tags/stable")
    assert {tag["name"] for tag in admin.get(tags).json} == {"v1", "stable"}
    assert [tag["name"] for tag in admin.get(tags + "?q=name=~tab&sort=-name").json] == ["stable"]
    for body, status in (({"name": "stable"}, 409), ({"name": "v2"}, 409), ({"name": "-x"}, 400), ({}, 400)):
        assert ann.post(tags, body).status == status, body
    assert nobody.by("guy").post(tags, {"name": "mine"}).status == 403
    assert ann.delete(tags + "/stable").status == 403
    mia = nobody.by("mia")
    assert mia.delete(path(name, sha256(other)) + "/tags/stable").status == 404  # another artifact's
    assert mia.delete(tags + "/stable").status == 200
    assert mia.delete(tags + "/stable").status == mia.delete(tags + "/none").status == 404
    history = registry.records(
        "SELECT h.from_digest, h.to_digest, h.username FROM tag_history h JOIN repository r USING (repository_id)"
        " WHERE r.name = $1 AND h.name = 'stable' ORDER BY h.id",
        name,
    )
    assert [tuple(row) for row in history] == [(None, sha256(raw), "ann"), (sha256(raw), None, "mia")]
    audit = registry.records(
        "SELECT username, operation FROM access_log WHERE repo_name = $1 AND repo_tag = 'stable' ORDER BY log_id", name
    )
    assert [tuple(row) for row in audit] == [("ann", "push"), ("mia", "delete")]


def test_a_version_s_number_stays_with_it(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry, name = door.by("admin"), f"{word}/well-1/run1/gr"
    pushed_curve(registry, name, frame(smooth(50)), "v1", "latest")
    second = pushed_curve(registry, name, frame(smooth(50, seed=1)), "second")
    assert admin.delete(path(name, "v1") + "/tags/v1").status == 200
    assert admin.post(path(name, second.digest) + "/tags", {"name": "v1"}).status == 409
    assert admin.post(path(name, second.digest) + "/tags", {"name": "v2"}).status == 201
    assert admin.get(path(name, "v2")).json["extra_attrs"]["version"] == 2


def test_labels_are_put_on_artifacts_and_asked_for(admin: Api, nobody: Api, door: Registry, word: str) -> None:
    registry, name = door.by("admin"), f"wells/{word}"
    raw = pushed(registry, name, "v1", registry.image(name))
    pushed(registry, name, "v2", registry.image(name, annotations={"n": "2"}))
    wells = admin.get("/projects/wells").json["project_id"]
    made = nobody.by("mia").post("/labels", {"name": word, "scope": "p", "project_id": wells, "color": "#0065AB"})
    label = int(made.headers["location"].rpartition("/")[2])
    ann, target = nobody.by("ann"), path(name, "v1") + "/labels"
    assert nobody.by("guy").post(target, {"id": label}).status == 403
    assert ann.post(target, {"id": label, "name": "not looked at"}).status == 200
    assert ann.post(target, {"id": label}).status == 409
    (found,) = admin.get(path(name, "v1") + "?with_label=true").json["labels"]
    assert (found["name"], found["scope"], found["color"]) == (word, "p", "#0065AB")
    assert digests(admin, path(name) + f"?q=labels=({label})") == {sha256(raw)}
    make(admin, f"{word}-2")
    other = admin.get(f"/projects/{word}-2").json["project_id"]
    foreign = admin.post("/labels", {"name": word, "scope": "p", "project_id": other}).headers["location"]
    for absent in (int(foreign.rpartition("/")[2]), 999999999):
        assert ann.post(target, {"id": absent}).status == 404
    assert ann.delete(f"{target}/{label}").status == 200
    assert ann.delete(f"{target}/{label}").status == ann.delete(f"{target}/x").status == 404
