"""Retention as Harbor's clients drive it: policies, runs, what each came to, and the traps they set."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from ..v2.conftest import Registry, sha256
from .conftest import Answer, Api

ALL = {"kind": "doublestar", "decoration": "matches", "pattern": "**"}
EVERYWHERE = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}


def policy(project: int, **more: Any) -> dict[str, Any]:
    """As the terraform provider writes it: the latest two stay."""
    return {
        "algorithm": "or",
        "rules": [
            {
                "action": "retain",
                "template": "latestPushedK",
                "params": {"latestPushedK": 2},
                "tag_selectors": [{**ALL, "extras": '{"untagged":true}'}],
                "scope_selectors": EVERYWHERE,
            }
        ],
        "trigger": {"kind": "Schedule", "settings": {"cron": ""}, "references": {}},
        "scope": {"level": "project", "ref": project},
        **more,
    }


@pytest.fixture
def project(admin: Api, word: str) -> int:
    admin.registry.project(word)
    return int(admin.registry.records("SELECT project_id FROM project WHERE name = $1", word)[0][0])


def made(answer: Answer) -> str:
    assert answer.status == 201, answer.body
    return answer.headers["location"].removeprefix("/api/v2.0")


def ended(ask: Callable[[], Any]) -> Any:
    """What is asked for, once it is there."""
    for _ in range(600):
        if found := ask():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came of it in a minute")


def filled(registry: Registry, repository: str, count: int = 4) -> list[bytes]:
    """Push artifacts, the first one first, with tags t0, t1 ..."""
    raws = []
    for n in range(count):
        raws.append(json.dumps(registry.image(repository) | {"annotations": {"n": str(n)}}).encode())
        assert registry.put(repository, f"t{n}", raws[-1]).status == 201
    return raws


def run(admin: Api, location: str, dry_run: bool) -> tuple[str, dict[str, Any]]:
    """Run a policy to its end: its address and how the list of executions has it."""
    execution = made(admin.post(f"{location}/executions", {"dry_run": dry_run}))
    number = int(execution.rpartition("/")[2])

    def look() -> Any:
        (found,) = [each for each in admin.get(f"{location}/executions").json if each["id"] == number]
        return found if found["status"] not in ("Pending", "Running") else None

    return execution, ended(look)


def test_one_policy_a_project_and_its_id_in_the_metadata(admin: Api, project: int) -> None:
    location = made(admin.post("/retentions", policy(project)))
    number = location.rpartition("/")[2]
    second = admin.post("/retentions", policy(project))
    assert (second.status, second.code) == (400, "BAD_REQUEST"), "terraform looks for the one that is there"
    assert admin.get(f"/projects/{project}").json["metadata"]["retention_id"] == number
    found = admin.get(location).json
    assert found["rules"][0]["params"] == {"latestPushedK": 2}
    assert (found["algorithm"], found["scope"]) == ("or", {"level": "project", "ref": project})
    found["trigger"]["settings"]["cron"] = "0 0 3 * * *"
    assert admin.put(location, found).status == 200
    due = "SELECT cron FROM schedule WHERE kind = 'retention' AND policy_id = $1"
    assert [row[0] for row in admin.registry.records(due, int(number))] == ["0 0 3 * * *"]
    assert admin.put(location, {**found, "enabled": False}).status == 200
    assert admin.registry.records(due, int(number)) == []
    assert admin.delete(location).status == 200
    assert "retention_id" not in admin.get(f"/projects/{project}").json["metadata"]
    assert admin.get(location).code == "NOT_FOUND"
    made(admin.post("/retentions", policy(project)))


def test_a_dry_run_tells_and_a_run_does(admin: Api, project: int, word: str) -> None:
    registry = admin.registry
    raws = filled(registry, f"{word}/a")
    filled(registry, f"{word}/b", 1)
    location = made(admin.post("/retentions", policy(project)))
    execution, dry = run(admin, location, dry_run=True)
    assert (dry["status"], dry["dry_run"], dry["trigger"]) == ("Success", True, "MANUAL")
    assert registry.send("GET", f"/v2/{word}/a/manifests/t0").status == 200
    first, second = admin.get(f"{execution}/tasks").json
    assert (first["repository"], first["total"], first["retained"], first["status"]) == (f"{word}/a", 4, 2, "Success")
    assert (second["repository"], second["total"], second["retained"]) == (f"{word}/b", 1, 1)
    log = admin.get(f"{execution}/tasks/{first['id']}")
    assert log.headers["content-type"].startswith("text/plain")
    assert [sha256(raw) in log.body.decode() for raw in raws] == [True, True, False, False]
    assert b"would go" in log.body
    execution, real = run(admin, location, dry_run=False)
    assert (real["status"], real["dry_run"]) == ("Success", False)
    assert [registry.send("GET", f"/v2/{word}/a/manifests/t{n}").status for n in range(4)] == [404, 404, 200, 200]
    task = admin.get(f"{execution}/tasks").json[0]
    assert b"gone" in admin.get(f"{execution}/tasks/{task['id']}").body
    assert admin.get(f"{execution}/tasks?page=9").json == []
    assert [each["dry_run"] for each in admin.get(f"{location}/executions").json] == [False, True]


def test_a_policy_may_run_after_each_push(admin: Api, project: int, word: str) -> None:
    location = made(admin.post("/retentions", policy(project, trigger={"kind": "Event"})))
    filled(admin.registry, f"{word}/a", 5)

    def left() -> bool:
        tags = json.loads(admin.registry.send("GET", f"/v2/{word}/a/tags/list").body)["tags"]
        return bool(tags == ["t3", "t4"])

    assert ended(left)
    assert {each["trigger"] for each in admin.get(f"{location}/executions").json} == {"EVENT"}


def test_a_run_can_be_stopped(admin: Api, project: int, word: str) -> None:
    location = made(admin.post("/retentions", policy(project)))
    execution, _ = run(admin, location, dry_run=True)
    assert admin.patch(execution, {"action": "stop"}).status == 200
    assert admin.patch(execution, {"action": "start"}).code == "BAD_REQUEST"
    other = admin.registry.project(f"{word}-other")
    number = admin.registry.records("SELECT project_id FROM project WHERE name = $1", other)[0][0]
    elsewhere = made(admin.post("/retentions", policy(number)))
    name = execution.rpartition("/")[2]
    assert admin.patch(f"{elsewhere}/executions/{name}", {"action": "stop"}).code == "NOT_FOUND"
    assert admin.get(f"{elsewhere}/executions/{name}/tasks").json == []
    assert admin.get(f"{elsewhere}/executions").json == []


def test_policies_are_for_those_who_may(admin: Api, nobody: Api, project: int) -> None:
    location = made(admin.post("/retentions", policy(project)))
    assert nobody.get(location).status == 401
    assert nobody.by("mia").get(location).code == "NOT_FOUND", "no member there: it is not there"
    assert nobody.by("mia").post("/retentions", policy(project)).status == 403
    assert nobody.by("mia").post("/retentions", policy(2**40)).status == 403
    assert admin.post("/retentions", policy(2**40)).code == "BAD_REQUEST"
    (wells,) = admin.registry.records("SELECT project_id FROM project WHERE name = 'wells' AND NOT deleted")
    location = made(nobody.by("mia").post("/retentions", policy(wells[0])))
    assert nobody.by("mia").get(location).status == 200
    for user in ("ann", "guy"):
        assert nobody.by(user).get(location).status == 403
        assert nobody.by(user).post(f"{location}/executions", {"dry_run": True}).status == 403
        assert nobody.by(user).delete(location).status == 403
    assert nobody.by("mia").delete(location).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "and"},
        {"scope": {"level": "system", "ref": 0}},
        {"trigger": {"kind": "Schedule", "settings": {"cron": "0 3 * * *"}}},
        {"trigger": {"kind": "Schedule", "settings": {"cron": 7}}},
        {"trigger": {"kind": "Hourly"}},
        {"rules": [{"template": "always"}]},
        {"rules": [{"template": "never", "tag_selectors": [ALL]}]},
        {"rules": [{"template": "always", "tag_selectors": [{**ALL, "pattern": "["}]}]},
        {"rules": [{"template": "always", "tag_selectors": [{**ALL, "pattern": f"v{n}"}]} for n in range(16)]},
        {"rules": [{"template": "always", "tag_selectors": [ALL]}] * 2},
    ],
)
def test_a_policy_that_is_none_is_refused(admin: Api, project: int, change: dict[str, Any]) -> None:
    answer = admin.post("/retentions", policy(project, **change))
    assert (answer.status, answer.code) == (400, "BAD_REQUEST"), answer.body


def test_what_rules_can_say(nobody: Api) -> None:
    assert nobody.get("/retentions/metadatas").status == 401
    found = nobody.by("eve").get("/retentions/metadatas").json
    assert [each["rule_template"] for each in found["templates"]] == [
        "latestPushedK",
        "latestPulledN",
        "nDaysSinceLastPush",
        "nDaysSinceLastPull",
        "always",
    ]
