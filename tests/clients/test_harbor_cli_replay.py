"""What harbor-cli sends. Its client is generated from Harbor's description: a status that is not declared, or a body of
another type than the declared one, is an error; parameters that nobody set go out as zeros, empty texts not at all."""

from typing import Any

import pytest

from .conftest import CLOSED
from .images import image
from .replay import Sender
from .server import Server

pytestmark = pytest.mark.parametrize("server", CLOSED, indirect=True)
JSON = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "Go-http-client/1.1"}
PAGE, UNSET = "page=1&page_size=10", "page=0&page_size=0"


@pytest.fixture
def cli(server: Server) -> Sender:
    return Sender(server, JSON, login=server.login)


def made(cli: Sender, path: str, body: Any) -> str:
    """POST it; its path, from the Location."""
    return cli.send("POST", path, body, 201).headers["Location"].removeprefix("/api/v2.0")


@pytest.fixture
def project(cli: Sender, word: str) -> str:
    """The name of a project, made as `harbor project create` does."""
    public = {"metadata": {"public": "false"}, "public": False}
    made(cli, "/projects", {"project_name": word, "registry_id": None, "storage_limit": -1, **public})
    return word


def test_project(cli: Sender, project: str) -> None:
    by_name = {"X-Is-Resource-Name": "true"}
    assert cli.send("GET", "/users/current").json()["username"] == "admin"  # harbor login
    found = cli.send("GET", f"/projects/{project}", **by_name).json()
    number = str(found["project_id"])
    assert cli.send("GET", f"/projects/{number}", **{"X-Is-Resource-Name": "false"}).json()["name"] == project
    listed = cli.send("GET", f"/projects?name={project}&{UNSET}&public=false").json()
    assert [each["name"] for each in listed] == [project]
    assert len(cli.send("GET", f"/projects?{UNSET}").json()) > 0
    cli.send("HEAD", f"/projects?project_name={project}")
    cli.send("HEAD", f"/projects?project_name={project}-none", status=404)
    assert [each["name"] for each in cli.send("GET", f"/search?q={project}").json()["project"]] == [project]
    cli.send("PUT", f"/projects/{project}", {"metadata": {"public": "true", "severity": "high"}}, **by_name)
    metadata = cli.send("GET", f"/projects/{project}/metadatas/", **by_name).json()
    assert (metadata["public"], metadata["severity"]) == ("true", "high")
    logs = cli.send("GET", f"/projects/{project}/auditlog-exts?{PAGE}").json()
    assert {"operation", "operation_result", "resource", "username", "op_time"} <= set(logs[0])

    # harbor project delete --force: rules, repositories, then the project
    image(cli.server, f"{project}/a/b", "v1")
    made(cli, f"/projects/{project}/immutabletagrules", immutable("v*"))
    for rule in cli.send("GET", f"/projects/{project}/immutabletagrules").json():
        cli.send("DELETE", f"/projects/{project}/immutabletagrules/{rule['id']}")
    for each in cli.send("GET", f"/projects/{project}/repositories").json():
        name = each["name"].partition("/")[2].replace("/", "%2F")
        cli.send("DELETE", f"/projects/{project}/repositories/{name}")
    cli.send("DELETE", f"/projects/{project}", **by_name)
    cli.send("GET", f"/projects/{project}", status=404, **by_name)


def immutable(pattern: str) -> dict[str, Any]:
    """Selectors without a kind, a rule without action and template."""
    return {
        "tag_selectors": [{"decoration": "matches", "pattern": pattern}],
        "scope_selectors": {"repository": [{"decoration": "repoMatches", "pattern": "**"}]},
    }


def test_repositories_artifacts_and_tags(cli: Sender, project: str) -> None:
    digest = image(cli.server, f"{project}/a/b", "v1")
    repository = f"/projects/{project}/repositories/a%2Fb"
    assert [each["name"] for each in cli.send("GET", f"/projects/{project}/repositories").json()] == [f"{project}/a/b"]
    assert cli.send("GET", repository).json()["artifact_count"] == 1
    assert cli.send("GET", f"/search?q={project}/a").json()["repository"][0]["repository_name"] == f"{project}/a/b"
    (found,) = cli.send("GET", f"{repository}/artifacts?{UNSET}").json()
    assert (found["digest"], [each["name"] for each in found["tags"]]) == (digest, ["v1"])
    assert cli.send("GET", f"{repository}/artifacts/{digest}").json()["digest"] == digest
    made(cli, f"{repository}/artifacts/{digest}/tags", {"name": "final"})
    tags = cli.send("GET", f"{repository}/artifacts/{digest}/tags").json()
    assert {each["name"] for each in tags} == {"v1", "final"}
    cli.send("DELETE", f"{repository}/artifacts/{digest}/tags/final")
    label = made(cli, "/labels", {"name": f"{project}-l", "color": "#FFFFFF", "scope": "g"})
    number = int(label.rpartition("/")[2])
    cli.send("POST", f"{repository}/artifacts/v1/labels", {"id": number, "name": f"{project}-l"})
    cli.send("DELETE", f"{repository}/artifacts/v1/labels/{number}")
    cli.send("POST", f"{repository}/artifacts/v1/scan", status=404)
    cli.send("DELETE", f"{repository}/artifacts/{digest}")
    assert cli.send("GET", f"{repository}/artifacts?{PAGE}").json() == []
    cli.send("DELETE", label)


def test_users_groups_and_members(cli: Sender, project: str, word: str) -> None:
    user = {"username": f"{word}u", "password": f"Password-of-{word}", "email": f"{word}@example.org", "realname": "A"}
    found = made(cli, "/users", {**user, "comment": "c"})
    listed = cli.send("GET", f"/users?{UNSET}").json()  # by its name in the whole list
    assert f"/users/{next(each['user_id'] for each in listed if each['username'] == user['username'])}" == found
    cli.send("PUT", f"{found}/sysadmin", {"sysadmin_flag": True})
    cli.send("PUT", f"{found}/sysadmin", {})
    cli.send("PUT", f"{found}/password", {"old_password": "", "new_password": "Another-Password-1"})
    group = made(cli, "/usergroups", {"group_name": word, "group_type": 3})
    assert cli.send("GET", group).json()["group_name"] == word
    assert [each["group_name"] for each in cli.send("GET", f"/usergroups/search?groupname={word}").json()] == [word]
    assert word in {each["group_name"] for each in cli.send("GET", "/usergroups").json()}
    cli.send("PUT", group, {"group_name": f"{word}b", "group_type": 3})

    members = f"/projects/{project}/members"
    made(cli, members, {"role_id": 2, "member_user": {"username": user["username"]}, "member_group": None})
    (member,) = cli.send("GET", f"{members}?entityname={user['username']}&{UNSET}").json()
    cli.send("PUT", f"{members}/{member['id']}", {"role_id": 4})
    assert cli.send("GET", f"{members}/{member['id']}").json()["role_name"] == "maintainer"
    cli.send("DELETE", f"{members}/{member['id']}")
    assert [each["entity_name"] for each in cli.send("GET", members).json()] == ["admin"]
    cli.send("DELETE", group)
    cli.send("DELETE", found)


def test_robots(cli: Sender, project: str) -> None:
    number = cli.send("GET", f"/projects/{project}").json()["project_id"]
    granted = cli.send("GET", "/permissions").json()["project"]
    access = [{"action": each["action"], "resource": each["resource"]} for each in granted]
    wanted = {"name": "ci", "level": "project", "duration": -1, "description": "d"}
    permissions = [{"access": access, "kind": "project", "namespace": project}]
    answer = cli.send("POST", "/robots", {**wanted, "permissions": permissions}, 201).json()
    found = f"/robots/{answer['id']}"
    assert answer["secret"] and len(cli.send("GET", found).json()["permissions"][0]["access"]) == len(access)
    query = f"/robots?{PAGE}&q=Level%3Dproject%2CProjectID%3D{number}"
    (listed,) = cli.send("GET", query).json()
    cli.send("PUT", found, {**listed, "description": "e"})
    assert cli.send("GET", found).json()["description"] == "e"
    assert cli.send("PATCH", found, {"secret": ""}).json()["secret"] != answer["secret"]
    cli.send("DELETE", found)
    cli.send("GET", found, status=404)


def test_labels_and_quotas(cli: Sender, project: str, word: str) -> None:
    made(cli, "/labels", {"name": word, "color": "#FFFFFF", "description": "d", "scope": "g"})
    listed = cli.send("GET", f"/labels?{UNSET}&project_id=0&scope=g").json()
    label = f"/labels/{next(each['id'] for each in listed if each['name'] == word)}"
    cli.send("PUT", label, {"name": word, "color": "#000000", "scope": "g"})
    assert cli.send("GET", label).json()["color"] == "#000000"
    cli.send("DELETE", label)
    number = cli.send("GET", f"/projects/{project}").json()["project_id"]
    (quota,) = cli.send("GET", f"/quotas?{UNSET}&reference=project&reference_id={number}").json()
    assert quota["id"] in {each["id"] for each in cli.send("GET", f"/quotas?{UNSET}").json()}
    cli.send("PUT", f"/quotas/{quota['id']}", {"hard": {"storage": 1 << 30}})
    assert cli.send("GET", f"/quotas/{quota['id']}").json()["hard"]["storage"] == 1 << 30


def test_rules(cli: Sender, project: str) -> None:
    number = cli.send("GET", f"/projects/{project}").json()["project_id"]
    rule = {
        **{"action": "retain", "template": "always", "params": None, **immutable("**")},
        "tag_selectors": [{"decoration": "matches", "pattern": "**", "extras": '{"untagged":true}'}],
    }
    policy = {
        **{"algorithm": "or", "rules": [rule], "scope": {"level": "project", "ref": number}},
        "trigger": {"kind": "Schedule", "settings": {"cron": ""}},
    }
    made(cli, "/retentions", policy)
    found = cli.send("GET", f"/projects/{project}").json()["metadata"]["retention_id"]
    assert cli.send("GET", f"/retentions/{found}/executions").json() == []
    assert made(cli, f"/retentions/{found}/executions", {"dry_run": True}).startswith(
        f"/retentions/{found}/executions/"
    )
    cli.send("DELETE", f"/retentions/{found}")
    made(cli, f"/projects/{project}/immutabletagrules", immutable("final*"))
    (listed,) = cli.send("GET", f"/projects/{project}/immutabletagrules").json()
    assert (listed["action"], listed["tag_selectors"][0]["kind"]) == ("immutable", "doublestar")


def test_the_system(cli: Sender) -> None:
    assert cli.send("GET", "/ping", Accept="text/plain").text == "Pong"
    assert cli.send("GET", "/health").json()["status"] == "healthy"
    assert cli.send("GET", "/systeminfo").json()["harbor_version"].startswith("v2.")
    assert cli.send("GET", "/systeminfo/volumes").json()["storage"][0]["total"] > 0
    assert cli.send("GET", "/statistics").json()["total_project_count"] > 0
    settings = cli.send("GET", "/configurations").json()
    flat = {name: each["value"] for name, each in settings.items()}
    cli.send("PUT", "/configurations", flat)  # harbor config apply of what harbor config view said
    assert cli.send("GET", f"/audit-logs?{PAGE}&sort=-op_time").json()
    manual = {"parameters": {"dry_run": True}, "schedule": {"type": "Manual"}}
    run = made(cli, "/system/gc/schedule", manual)
    assert run in {f"/system/gc/{each['id']}" for each in cli.send("GET", f"/system/gc?{UNSET}").json()}
    cli.send("PUT", run)
    assert cli.send("GET", f"{run}/log", Accept="text/plain").headers["Content-Type"].startswith("text/plain")
    assert cli.send("GET", "/system/gc/schedule").json()["schedule"]["type"] == "None"
    for path in ("/replication/policies", "/registries", "/scanners", "/jobservice/queues", "/p2p/preheat/instances"):
        cli.send("GET", f"{path}?{PAGE}", status=404)
