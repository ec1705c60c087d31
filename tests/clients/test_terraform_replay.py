"""What the Terraform provider of Harbor (goharbor/harbor) sends to create, read, change, import and delete each of its
resources that are served. It knows a thing by its Location without `/api` and `/v2.0`, compares statuses exactly, sends
whole structs whose zero values are left out, and `null` where there is no body."""

from typing import Any

import pytest
import requests

from .conftest import CLOSED
from .images import image
from .replay import Sender
from .server import Server

pytestmark = pytest.mark.parametrize("server", CLOSED, indirect=True)
JSON = {"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"}
GIB = 1 << 30
UNSAID: dict[str, Any] = {"creation_time": "0001-01-01T00:00:00Z", "update_time": "0001-01-01T00:00:00Z"}
EVERYTHING = {"kind": "doublestar", "pattern": "**"}


class Terraform(Sender):
    """One provider block."""

    def create(self, path: str, body: Any) -> str:
        """Make it, then read it: its id."""
        location = self.send("POST", path, body, 201).headers["Location"]
        found = location.replace("/api", "").replace("/v2.0", "")
        assert found.startswith("/")
        return found

    def read(self, path: str) -> Any:
        return self.send("GET", path).json()

    def gone(self, path: str) -> None:
        """Delete it; what is read afterwards is no more."""
        self.send("DELETE", path)
        self.send("GET", path, status=404)


@pytest.fixture
def terraform(server: Server) -> Terraform:
    return Terraform(server, JSON, b"null\n", server.login)


def project_body(name: str, **more: Any) -> dict[str, Any]:
    metadata = {
        **{"enable_content_trust": "false", "enable_content_trust_cosign": "false", "auto_sbom_generation": "false"},
        **{"auto_scan": "false", "severity": "low", "reuse_sys_cve_allowlist": "true", "public": "false"},
        **{"prevent_vul": "false", "proxy_speed_kb": "-1"},
    }
    return {"project_name": name, "cve_allowlist": {}, "storage_limit": -1, "metadata": metadata, **more}


@pytest.fixture
def project(terraform: Terraform, word: str) -> str:
    """The id of a project: `/projects/7`."""
    return terraform.create("/projects", project_body(word))


def test_project(terraform: Terraform, word: str) -> None:
    body = project_body(word, storage_limit=GIB)
    found = terraform.create("/projects", body)
    number = int(found.removeprefix("/projects/"))
    read = terraform.read(found)
    assert (read["name"], read["project_id"]) == (word, number)
    assert {name: read["metadata"][name] for name in body["metadata"]} == body["metadata"]
    terraform.send("GET", f"{found}/scanner", status=404)  # no scanner: that is what 404 means to it
    body["metadata"]["public"] = "true"
    terraform.send("PUT", found, body)
    assert terraform.read(found)["metadata"]["public"] == "true"

    assert terraform.read("/configurations")["quota_per_project_enable"]["value"] is True
    page, quota = 1, 0
    while quotas := terraform.read(f"/quotas/?page={page}&page_size=100"):  # until a page is empty
        quota = next((each["id"] for each in quotas if each["ref"]["id"] == number), quota)
        page += 1
    terraform.send("PUT", f"/quotas/{quota}", {"hard": {"storage": 5 * GIB}})
    assert terraform.read(f"/quotas/{quota}")["hard"]["storage"] == 5 * GIB

    image(terraform.server, f"{word}/a/b", "v1")
    terraform.send("DELETE", found, status=412)
    repositories = [each["name"].removeprefix(f"{word}/") for each in terraform.read(f"/projects/{word}/repositories")]
    for name in repositories:
        terraform.send("DELETE", f"/projects/{word}/repositories/{name.replace('/', '%252F')}")
    terraform.gone(found)


def test_data_sources_page_until_a_list_is_empty(terraform: Terraform, project: str, word: str) -> None:
    for path in ("/projects", "/users", "/usergroups", "/robots", f"{project}/members"):
        page, seen = 1, []
        while found := terraform.read(f"{path}?page={page}&page_size=100"):
            seen += found
            page += 1
        assert path != "/projects" or word in {each["name"] for each in seen}
    assert [each["name"] for each in terraform.read(f"/projects?name={word}")] == [word]


def test_user(terraform: Terraform, word: str) -> None:
    password = f"Password-of-{word}"
    body = {"username": word, "password": password, "realname": "Ann", "email": f"{word}@example.org"}
    found = terraform.create("/users", {**body, "new_password": password})
    read = terraform.read(found)
    assert (read["username"], read["realname"], read["sysadmin_flag"]) == (word, "Ann", False)
    for flag, more in ((True, {"sysadmin_flag": True}), (False, {})):  # false is left out
        changed = {**body, "realname": "Mia", "new_password": password, **more}
        terraform.send("PUT", found, changed)
        terraform.send("PUT", f"{found}/sysadmin", changed)
        read = terraform.read(found)
        assert (read["realname"], read["sysadmin_flag"]) == ("Mia", flag)
    terraform.send("PUT", f"{found}/password", {**body, "new_password": "Another-Password-1"})
    own = (word, "Another-Password-1")
    assert requests.get(f"{terraform.server.url}/api/v2.0/users/current", auth=own, timeout=30).status_code == 200
    terraform.gone(found)
    terraform.send("GET", f"/users/{word}", status=404)  # an import by name looks for it in the list then


def test_group_and_members(terraform: Terraform, project: str, word: str) -> None:
    terraform.create("/users", {"username": word, "password": f"Password-of-{word}", "realname": "A"})
    group = terraform.create("/usergroups", {"group_name": word, "group_type": 3})
    assert terraform.read(group)["group_name"] == word
    terraform.send("PUT", group, {"group_name": f"{word}-b", "group_type": 3})
    said = (
        ({"member_user": {"username": word}, "member_group": {}}, word),
        ({"member_user": {}, "member_group": {"id": int(group.rpartition("/")[2]), "group_type": 3}}, f"{word}-b"),
        ({"member_user": {}, "member_group": {"group_type": 3, "group_name": f"{word}-oidc"}}, f"{word}-oidc"),
    )
    for who, name in said:
        member = terraform.create(f"{project}/members", {"role_id": 2, **who})
        assert member.startswith(f"{project}/members/")
        read = terraform.read(member)
        assert (read["entity_name"], read["role_id"], f"/projects/{read['project_id']}") == (name, 2, project)
        terraform.send("PUT", member, {"role_id": 4, **who})
        assert terraform.read(member)["role_id"] == 4
        terraform.gone(member)
    terraform.gone(group)


def test_robot_account(terraform: Terraform, project: str, word: str) -> None:
    access = [{"action": "pull", "resource": "repository", "effect": "allow"}]
    said = {
        "system": [{"access": access, "kind": "project", "namespace": "*"}],
        "project": [{"access": access, "kind": "project", "namespace": word}],
    }
    prefix = terraform.read("/configurations")["robot_name_prefix"]["value"]
    for level, permissions in said.items():
        body = {"name": f"{word}-r", "level": level, "duration": -1, "permissions": permissions}
        made = terraform.send("POST", "/robots", body, 201)
        found = made.headers["Location"].replace("/api", "").replace("/v2.0", "")
        assert found == f"/robots/{made.json()['id']}" and made.json()["secret"]
        read = terraform.read(found)
        short = read["name"].removeprefix(prefix)
        assert (short.split("+")[1] if level == "project" else short) == f"{word}-r"
        assert [each["access"][0]["action"] for each in read["permissions"]] == ["pull"]
        for more in ({"disable": True, "description": "off"}, {}):  # false and "" are left out
            terraform.send("PUT", found, {**body, "name": read["name"], "duration": 7, **more})
            again = terraform.read(found)
            assert (again["disable"], again["description"]) == (bool(more), more.get("description", ""))
        terraform.send("PATCH", found, {"secret": "Chosen-Robot-Secret-1"})
        terraform.gone(found)


def test_labels(terraform: Terraform, project: str, word: str) -> None:
    for more in ({"scope": "g"}, {"scope": "p", "project_id": int(project.removeprefix("/projects/"))}):
        body = {"name": word, "description": "d", "color": "#FFFFFF", **more}
        found = terraform.create("/labels", body)
        assert terraform.read(found)["scope"] == more["scope"]
        terraform.send("PUT", found, {**body, "color": "#FF0000"})
        assert terraform.read(found)["color"] == "#FF0000"
        terraform.gone(found)


def test_immutable_tag_rule(terraform: Terraform, project: str) -> None:
    def body(number: int, pattern: str, disabled: bool) -> dict[str, Any]:
        return {
            **({"id": number} if number else {}),
            **{"disabled": disabled, "action": "immutable", "template": "immutable_template"},
            "scope_selectors": {"repository": [{**EVERYTHING, "decoration": "repoMatches"}]},
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
        }

    found = terraform.create(f"{project}/immutabletagrules", body(0, "v*", False))
    rules, _, number = found.rpartition("/")
    (read,) = terraform.read(rules)
    assert (str(read["id"]), read["tag_selectors"][0]["pattern"]) == (number, "v*")
    for disabled in (True, False):
        terraform.send("PUT", found, body(int(number), "final*", disabled))
        (read,) = terraform.read(rules)
        assert (read["tag_selectors"][0]["pattern"], read["disabled"]) == ("final*", disabled)
    terraform.send("DELETE", found)
    assert terraform.read(rules) == []


def test_retention_policy(terraform: Terraform, project: str) -> None:
    number = int(project.removeprefix("/projects/"))

    def body(cron: str, count: int, **more: Any) -> dict[str, Any]:
        rule = {
            **{"disabled": False, "action": "retain", "template": "latestPushedK", "params": {"latestPushedK": count}},
            "scope_selectors": {"repository": [{**EVERYTHING, "decoration": "repoMatches"}]},
            "tag_selectors": [{**EVERYTHING, "decoration": "matches", "extras": '{"untagged":true}'}],
        }
        trigger = {"kind": "Schedule", "references": {}, "settings": {"cron": cron}}
        said = {"algorithm": "or", "rules": [rule], "trigger": trigger, "scope": {"level": "project", "ref": number}}
        return {**said, **more}

    found = terraform.create("/retentions", body("0 0 0 * * *", 3))
    read = terraform.read(found)
    assert read["trigger"]["settings"]["cron"] == "0 0 0 * * *"
    assert read["rules"][0]["tag_selectors"][0]["decoration"] == "matches"
    assert read["rules"][0]["scope_selectors"]["repository"][0]["pattern"] == "**"
    # a second create falls back to what the project has
    terraform.send("POST", "/retentions", body("", 5), 400)
    known = terraform.read(project)["metadata"]["retention_id"]
    assert f"/retentions/{known}" == found and isinstance(known, str)
    terraform.send("PUT", found, body("", 5))
    assert terraform.read(found)["rules"][0]["params"] == {"latestPushedK": 5}
    # and its delete is a policy without rules
    terraform.send("PUT", found, body("", 5, rules=[], id=int(known)))
    assert terraform.read(found)["rules"] == []


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/system/gc/schedule", {"delete_untagged": True, "workers": 2}),
        ("/system/purgeaudit/schedule", {"audit_retention_hour": 8760, "include_operations": "create,delete,pull"}),
    ],
)
def test_schedules(terraform: Terraform, path: str, parameters: dict[str, Any]) -> None:
    assert terraform.send("GET", path).text, "what is there is changed by PUT, so even nothing is said"
    for when in ({"type": "Weekly", "cron": "0 0 0 * * 0"}, {"type": "Custom", "cron": "0 30 4 * * *"}):
        terraform.send("PUT", path, {"schedule": when, **UNSAID, "parameters": parameters})
        read = terraform.read(path)
        assert read["schedule"]["cron"] == when["cron"]
        assert '"workers": 2' in read["job_parameters"] or '"audit_retention_hour": 8760' in read["job_parameters"]
    terraform.send("PUT", path, {"schedule": {"type": "None"}, **UNSAID, "parameters": parameters})
    assert terraform.read(path)["schedule"]["type"] == "None"


def test_config_system(terraform: Terraform) -> None:
    body = {
        **{"project_creation_restriction": "everyone", "read_only": False, "scanner_skip_update_pulltime": False},
        **{"robot_token_duration": 30, "quota_per_project_enable": True, "robot_name_prefix": "robot$"},
        **{"storage_per_project": -1, "audit_log_forward_endpoint": "", "skip_audit_log_database": False},
        "banner_message": "",
    }
    body["project_creation_restriction"] = terraform.read("/configurations")["project_creation_restriction"]["value"]
    terraform.send("PUT", "/configurations", body)
    read = terraform.read("/configurations")
    assert {name: read[name]["value"] for name in body} == body
    terraform.send("PUT", "/configurations", {**body, "robot_name_prefix": "machine-"}, 400)


def test_config_auth_says_what_is_there_and_changes_nothing(terraform: Terraform) -> None:
    assert terraform.read("/configurations")["auth_mode"]["value"] == "db_auth"
    body = {"auth_mode": "oidc_auth", "oidc_name": "x", "oidc_verify_cert": True, "primary_auth_mode": False}
    terraform.send("PUT", "/configurations", body, 400)


def test_a_session_in_place_of_a_password(server: Server, word: str) -> None:
    """`session_id`: the cookie alone first; a 403 brings the pair that the next try sends back."""
    assert server.login is not None
    form = dict(zip(("principal", "password"), server.login, strict=True))
    sid = requests.post(f"{server.url}/c/login", data=form, timeout=30).cookies["sid"]
    terraform = Terraform(server, JSON, b"null\n")
    refused = terraform.send("POST", "/projects", project_body(word), 403, Cookie=f"sid={sid}")
    token = refused.headers["X-Harbor-Csrf-Token"]
    pair = refused.headers["Set-Cookie"].partition(";")[0]
    assert pair.startswith("_gorilla_csrf=")
    given = {"Cookie": f"sid={sid}; {pair}", "X-Harbor-CSRF-Token": token}
    terraform.send("POST", "/projects", project_body(word), 201, **given)
    assert terraform.send("GET", f"/projects?name={word}", Cookie=f"sid={sid}").json()[0]["name"] == word
