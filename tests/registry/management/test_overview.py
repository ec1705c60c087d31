"""Search, statistics, health and the room on the store."""

import pytest

from dataforge_registry.drivers.memory import MemoryDriver

from ..v2.conftest import Registry, pushed
from .conftest import Api
from .test_projects import make


def test_search_finds_what_one_may_see(admin: Api, nobody: Api, door: Registry, word: str) -> None:
    registry = door.by("admin")
    make(admin, word, metadata={"public": "true"})
    for project in ("open", "wells", "secret", word):
        pushed(registry, f"{project}/{word}-r", "v1", registry.image(f"{project}/{word}-r"))
    for user, seen in ((None, ("open",)), ("eve", ("open",)), ("guy", ("open", "wells"))):
        found = nobody.by(user).get(f"/search?q={word}").json
        assert [entry["name"] for entry in found["project"]] == [word]
        assert [entry["project_name"] for entry in found["repository"]] == sorted([*seen, word])
    found = admin.get(f"/search?q={word.upper()}").json["repository"]
    assert [entry["repository_name"] for entry in found] == sorted(
        f"{each}/{word}-r" for each in ("open", "wells", "secret", word)
    )
    assert {entry["artifact_count"] for entry in found} == {1}
    assert nobody.get("/search?q=%25").json == {"project": [], "repository": []}
    assert nobody.get("/search?q=%00").status == 400
    assert nobody.get("/search?q=" + "a" * 300).status == 400
    assert {"open"} <= {entry["name"] for entry in nobody.get("/search").json["project"]}


def test_statistics_count_what_one_may_see(admin: Api, nobody: Api, door: Registry, word: str) -> None:
    assert nobody.get("/statistics").status == 401

    def counted(user: str) -> int:
        return int(nobody.by(user).get("/statistics").json["private_project_count"])

    ago, eves = counted("guy"), counted("eve")  # other tests make them members too
    assert admin.post("/projects", {"project_name": word}).status == 201
    assert counted("guy") == ago
    member = {"role_id": 3, "member_user": {"username": "guy"}}
    assert admin.post(f"/projects/{word}/members", member).status == 201
    guy, eve = (nobody.by(user).get("/statistics").json for user in ("guy", "eve"))
    assert (guy["private_project_count"], eve["private_project_count"]) == (ago + 1, eves)
    assert guy["public_project_count"] == eve["public_project_count"] >= 1
    assert "total_project_count" not in guy
    registry = door.by("admin")
    before = admin.get("/statistics").json
    pushed(registry, f"secret/{word}", "v1", registry.image(f"secret/{word}", annotations={"n": word}))
    whole = admin.get("/statistics").json
    assert whole["private_repo_count"] == before["private_repo_count"] + 1
    assert whole["total_repo_count"] == before["total_repo_count"] + 1
    assert whole["total_storage_consumption"] > before["total_storage_consumption"]
    assert nobody.by("guy").get("/statistics").json["private_repo_count"] == guy["private_repo_count"]


def test_the_room_on_the_store_is_an_administrator_s_business(admin: Api, nobody: Api) -> None:
    (volume,) = admin.get("/systeminfo/volumes").json["storage"]
    assert 0 < volume["free"] <= volume["total"]
    assert nobody.get("/systeminfo/volumes").status == 401
    assert nobody.by("mia").get("/systeminfo/volumes").status == 403


@pytest.mark.asyncio
async def test_memory_cannot_tell_its_room() -> None:
    assert await MemoryDriver().space() is None


def test_health_is_told_to_everybody(nobody: Api) -> None:
    found = nobody.get("/health")
    assert (found.status, found.json["status"]) == (200, "healthy")
    assert {part["name"] for part in found.json["components"]} >= {"database", "storage"}
