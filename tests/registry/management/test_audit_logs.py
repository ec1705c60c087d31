"""The audit trail through the API: who sees which rows, pages, conditions."""

import json
import time

from .conftest import Api


def test_everything_is_for_administrators_and_a_project_for_its_members(nobody: Api, admin: Api, word: str) -> None:
    assert admin.post("/projects", {"project_name": word}).status == 201
    (row,) = admin.get(f"/audit-logs?q=resource={word},operation=create").json
    assert (row["username"], row["resource_type"], row["resource"]) == ("admin", "project", word)
    assert [each["id"] for each in admin.get(f"/projects/{word}/logs").json][-1] == row["id"]
    (ext,) = admin.get(f"/projects/{word}/auditlog-exts?q=id={row['id']}").json
    assert (ext["operation_description"], ext["operation_result"]) == (f"create project {word}", True)
    for other in ("ann", "guy", "eve"):
        assert nobody.by(other).get(f"/audit-logs?q=resource={word}").json == []
        assert nobody.by(other).get(f"/projects/{word}/logs").status == 403
    assert nobody.by("guy").get("/projects/wells/logs").status == 200
    assert nobody.get("/audit-logs").status == 401
    assert {"event_type": "create_project"} in nobody.by("eve").get("/auditlog-exts/events").json


def test_a_member_sees_the_rows_of_his_projects_alone(nobody: Api, admin: Api, word: str) -> None:
    assert admin.post("/projects", {"project_name": word}).status == 201
    admin.post(f"/projects/{word}/members", {"role_id": 3, "member_user": {"username": "eve"}})
    rows = nobody.by("eve").get("/audit-logs?page_size=100").json
    assert {row["resource_type"] for row in rows} <= {"project", "member"}
    assert any(row["resource"] == word for row in rows)


def test_past_the_end_is_an_empty_page(admin: Api) -> None:
    assert admin.get("/audit-logs?page=1000000&page_size=100").json == []
    assert admin.get("/audit-logs?page=1000000&page_size=100&q=username=admin").json == []


def test_conditions_reach_the_listed_fields_alone(admin: Api) -> None:
    assert admin.get("/audit-logs?q=request_id=x").status == 400
    assert admin.get("/audit-logs?q=op_time=[2020-01-01T00:00:00~2020-01-02T00:00:00]").json == []
    assert admin.get("/audit-logs?q=username=admin,operation=login,resource_type=account&sort=-op_time").status == 200
    assert admin.get("/audit-logs?sort=address").status == 400


def test_gc_runs_and_its_schedule(nobody: Api, admin: Api) -> None:
    made = admin.send("POST", "/system/gc/schedule", {"schedule": {"type": "Manual"}, "parameters": {"dry_run": True}})
    assert made.status == 201
    path = made.headers["location"].removeprefix("/api/v2.0")
    for _ in range(200):
        run = admin.get(path).json
        if run["job_status"] not in ("Pending", "Running"):
            break
        time.sleep(0.1)
    assert (run["job_name"], run["job_kind"], run["job_status"]) == ("GARBAGE_COLLECTION", "MANUAL", "Success")
    log = admin.get(path + "/log")
    assert b"would" in log.body
    assert run["id"] in [each["id"] for each in admin.get("/system/gc").json]
    assert admin.put(path).status == 200  # over: nothing to stop
    assert admin.get("/system/gc/schedule").json["schedule"]["type"] == "None"
    daily = {"schedule": {"type": "Daily", "cron": "0 0 3 * * *"}, "parameters": {"workers": 2}}
    assert admin.post("/system/gc/schedule", daily).status == 201
    found = admin.get("/system/gc/schedule").json
    assert (found["schedule"]["type"], found["schedule"]["cron"]) == ("Daily", "0 0 3 * * *")
    assert '"workers": 2' in found["job_parameters"]
    assert admin.put("/system/gc/schedule", {"schedule": {"type": "Weekly"}}).status == 200
    assert admin.get("/system/gc/schedule").json["schedule"]["cron"] == "0 0 0 * * 0"
    assert admin.put("/system/gc/schedule", {"schedule": {"type": "None"}}).status == 200
    for wrong in (
        {"schedule": {"type": "Custom", "cron": "* * *"}},
        {"schedule": {"type": "Custom"}},
        {"schedule": {"type": "Manual"}, "parameters": {"workers": 0}},
        {"schedule": {"type": "Manual"}, "parameters": {"workers": "many"}},
        {"schedule": {"type": "Manual"}, "parameters": {"time_window": {}}},
    ):
        assert admin.post("/system/gc/schedule", wrong).status == 400, wrong
    assert admin.get("/system/gc/999999999").status == 404
    assert nobody.by("ann").get("/system/gc").status == 403
    assert nobody.get("/system/gc").status == 401


def test_a_stopped_run_of_gc_is_gone_on_with(admin: Api) -> None:
    admin.registry.records(
        """INSERT INTO execution (kind, trigger, status, extra_attrs)
        VALUES ('gc', 'manual', 'stopped', '{"delete_untagged": true, "time_window": 80000, "untagged_after": 3}')
        RETURNING id"""
    )
    (stopped, *_) = admin.get("/system/gc?q=status=stopped").json
    again = {"schedule": {"type": "Manual"}, "parameters": {"resume": stopped["id"]}}
    made = admin.send("POST", "/system/gc/schedule", again)
    assert made.status == 201
    resumed = made.headers["location"].rpartition("/")[2]
    payload = admin.registry.records("SELECT payload FROM task WHERE execution_id = $1", int(resumed))[0]["payload"]
    assert json.loads(payload)["untagged_after"] == 3
    assert admin.post("/system/gc/schedule", {**again, "parameters": {"resume": 999999999}}).status == 400
    assert admin.post("/system/gc/schedule", {**again, "parameters": {"resume": "x"}}).status == 400
    assert admin.put("/system/gc/schedule", {**again, "schedule": {"type": "Daily"}}).status == 400


def test_a_purge_runs_and_names_no_kinds(admin: Api) -> None:
    wrong = {"schedule": {"type": "Manual"}, "parameters": {"include_operations": "pull"}}
    assert admin.post("/system/purgeaudit/schedule", wrong).status == 400
    parameters = {"audit_retention_hour": 8760, "include_event_types": "create,delete,pull", "dry_run": True}
    made = admin.post("/system/purgeaudit/schedule", {"schedule": {"type": "Manual"}, "parameters": parameters})
    assert made.status == 201
    path = made.headers["location"].removeprefix("/api/v2.0")
    for _ in range(200):
        run = admin.get(path).json
        if run["job_status"] not in ("Pending", "Running"):
            break
        time.sleep(0.1)
    assert run["job_status"] == "Success"
    assert b"would be purged" in admin.get(path + "/log").body
    assert admin.get("/system/purgeaudit/schedule").json["schedule"]["type"] == "None"
