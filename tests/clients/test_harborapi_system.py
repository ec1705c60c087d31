"""harborapi: what an operator asks and sets: configuration, gc, the audit trail and its purge, health."""

import json
from typing import Any

import pytest
from harborapi import models
from harborapi.exceptions import BadRequest

from .harborapi_watch import MARKS, Harbor, runs, until
from .images import image

pytestmark = MARKS
NEVER = models.Schedule(schedule=models.ScheduleObj(type="None"), parameters={})


def schedule(kind: str, cron: str = "", **parameters: Any) -> models.Schedule:
    return models.Schedule(schedule=models.ScheduleObj(type=kind, cron=cron), parameters=parameters)


@runs("ping", "health_check", "get_system_info", "get_system_volume_info")
async def test_how_the_system_is(harbor: Harbor) -> None:
    assert await harbor.ping() == "Pong"
    health = await harbor.health_check()
    assert health.status == "healthy"
    assert {each.name: each.status for each in health.components} == {"database": "healthy", "storage": "healthy"}
    found = await harbor.get_system_info()
    assert found.harbor_version.startswith("v2.")
    assert found.registry_url == harbor.server.host
    (volume,) = (await harbor.get_system_volume_info()).storage
    assert 0 < volume.free <= volume.total


@runs("get_config", "update_config")
async def test_configuration(harbor: Harbor) -> None:
    found = await harbor.get_config()
    assert found.robot_name_prefix.value == "robot$"
    assert (found.read_only.value, found.read_only.editable) == (False, True)
    try:
        await harbor.update_config(models.Configurations(read_only=True))
        assert (await harbor.get_config()).read_only.value
        assert (await harbor.get_system_info()).read_only
    finally:
        await harbor.update_config(models.Configurations(read_only=False))
    assert not (await harbor.get_config()).read_only.value
    with pytest.raises(BadRequest, match="configuration file"):
        await harbor.update_config(models.Configurations(robot_name_prefix="machine-"))


async def ended(look: Any, number: int) -> Any:
    """A run once it is over."""
    return await until(lambda: look(number), lambda found: found.job_status not in ("Pending", "Running"))


@runs("create_gc_schedule", "get_gc_schedule", "update_gc_schedule", "get_gc_jobs", "get_gc_job", "get_gc_log")
async def test_gc(harbor: Harbor) -> None:
    await harbor.create_gc_schedule(schedule("Weekly", "0 0 0 * * 0", delete_untagged=False, workers=1))
    found = await harbor.get_gc_schedule()
    assert (found.schedule.type.value, found.schedule.cron) == ("Weekly", "0 0 0 * * 0")
    assert found.schedule.next_scheduled_time is not None
    await harbor.update_gc_schedule(schedule("Custom", "0 30 4 * * *"))
    assert (await harbor.get_gc_schedule()).schedule.cron == "0 30 4 * * *"
    with pytest.raises(BadRequest):
        await harbor.update_gc_schedule(schedule("Custom", "30 4 * * *"))
    await harbor.update_gc_schedule(NEVER)
    assert (await harbor.get_gc_schedule()).schedule.type.value == "None"

    made = await harbor.create_gc_schedule(schedule("Manual", dry_run=True, delete_untagged=True))
    number = int(made.rpartition("/")[2])
    found = await ended(harbor.get_gc_job, number)
    assert (found.job_name, found.job_kind, found.job_status) == ("GARBAGE_COLLECTION", "MANUAL", "Success")
    assert json.loads(found.job_parameters)["dry_run"] is True
    assert (await harbor.get_gc_jobs(page_size=1, limit=1))[0].id >= number
    log = await harbor.get_gc_log(number)
    assert len(log) > 1 and all("Z [" in line for line in log)


@pytest.mark.filterwarnings("ignore:Use `:DeprecationWarning")
@runs(
    *("create_purge_job_schedule", "get_purge_job_schedule", "update_purge_job_schedule", "get_purge_job_history"),
    *("get_purge_job", "get_purge_job_log", "stop_purge_job"),
    *("create_audit_log_rotation_schedule", "get_audit_log_rotation_schedule", "update_audit_log_rotation_schedule"),
    *("get_audit_log_rotation_history", "get_audit_log_rotation", "get_audit_log_rotation_log"),
    *("stop_audit_log_rotation",),
)
async def test_purge_of_the_audit_trail(harbor: Harbor) -> None:
    hours = {"audit_retention_hour": 24 * 365, "dry_run": True}
    for word in ("purge_job", "audit_log_rotation"):

        def call(name: str, word: str = word) -> Any:
            return getattr(harbor, name.replace("X", word))

        await call("create_X_schedule")(schedule("Daily", "0 0 0 * * *", **hours))
        found = await call("get_X_schedule")()
        assert (found.schedule.type.value, json.loads(found.job_parameters)["audit_retention_hour"]) == ("Daily", 8760)
        await call("update_X_schedule")(NEVER)
        assert (await call("get_X_schedule")()).schedule.type.value == "None"
        made = await call("create_X_schedule")(schedule("Manual", **hours))
        number = int(made.rpartition("/")[2])
        found = await ended(call("get_X"), number)
        assert (found.job_name, found.job_status) == ("PURGE_AUDIT_LOG", "Success")
        assert number in {each.id for each in await call("get_X_history")(page_size=50)}
        assert await call("get_X_log")(number)
        await call("stop_X")(number)
        assert (await call("get_X")(number)).job_status == "Success", "it was over"


@runs("get_audit_logs", "get_project_logs")
async def test_the_audit_trail(harbor: Harbor, word: str) -> None:
    await harbor.create_project(models.ProjectReq(project_name=word))
    image(harbor.server, f"{word}/a", "v1")
    await harbor.delete_repository(word, "a")

    async def seen() -> set[tuple[str, str, str]]:
        rows = await harbor.get_project_logs(word, sort="-op_time", page_size=5)
        return {(each.username, each.operation, each.resource_type) for each in rows}

    wanted = {("admin", "create", "project"), ("admin", "push", "artifact"), ("admin", "delete", "repository")}
    await until(seen, wanted.issubset)
    time = '["2020-04-09 02:36:00"~"2999-01-01 00:00:00"]'
    (found,) = await harbor.get_audit_logs(query=f"resource={word},operation=create,op_time={time}")
    assert (found.username, found.resource, found.resource_type) == ("admin", word, "project")
    assert len(await harbor.get_audit_logs(page_size=2, limit=3)) == 3
