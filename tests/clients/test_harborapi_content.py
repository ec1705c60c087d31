"""harborapi: repositories, artifacts, tags, and the policies that keep or remove them."""

from typing import Any

import pytest
from harborapi import models
from harborapi.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed

from .harborapi_watch import MARKS, Harbor, runs, until
from .images import MANIFEST, image

pytestmark = MARKS


@runs("get_repository", "get_repositories", "update_repository", "delete_repository")
async def test_repositories(harbor: Harbor, word: str) -> None:
    harbor.server.project(word)
    for name in ("one", "well-1/run-1/gr", "well-1/run-1/rhob"):
        image(harbor.server, f"{word}/{name}", "v1")
    found = await harbor.get_repository(word, "well-1/run-1/gr")
    assert (found.name, found.base_name, found.artifact_count) == (f"{word}/well-1/run-1/gr", "well-1/run-1/gr", 1)
    await harbor.update_repository(word, "well-1/run-1/gr", models.Repository(description="gamma ray"))
    assert (await harbor.get_repository(word, "well-1/run-1/gr")).description == "gamma ray"
    names = [each.base_name for each in await harbor.get_repositories(word, sort="name", page_size=1)]
    assert names == ["one", "well-1/run-1/gr", "well-1/run-1/rhob"], "three pages, by their links"
    found = await harbor.get_repositories(query=f"name=~{word}/well", sort="-name")
    assert [each.base_name for each in found] == ["well-1/run-1/rhob", "well-1/run-1/gr"]
    assert len(await harbor.get_repositories(word, page_size=1, limit=2)) == 2
    await harbor.delete_repository(word, "well-1/run-1/gr")
    with pytest.raises(NotFound):
        await harbor.get_repository(word, "well-1/run-1/gr")


@runs(
    *("get_artifacts", "get_artifact", "get_project_artifacts", "get_artifact_accessories", "copy_artifact"),
    *("delete_artifact",),
)
async def test_artifacts(harbor: Harbor, word: str) -> None:
    name, server = "logs/gr", harbor.server
    server.project(word)
    digest = image(server, f"{word}/{name}", "v1", annotations={"org.opencontainers.image.title": "gr"})
    subject = {"mediaType": MANIFEST, "digest": digest, "size": len(server.manifest(f"{word}/{name}", "v1")[1])}
    note = image(server, f"{word}/{name}", artifactType="application/vnd.example.note", subject=subject)
    options: dict[str, Any] = dict.fromkeys(("with_label", "with_immutable_status", "with_accessory"), True)
    (listed,) = await harbor.get_artifacts(word, name, query="tags=*", **options)
    found = await harbor.get_artifact(word, name, "v1", **options)
    assert listed.digest == found.digest == digest
    assert found.annotations.root == {"org.opencontainers.image.title": "gr"}
    assert [(each.name, each.immutable) for each in found.tags] == [("v1", False)]
    assert (found.type, found.manifest_media_type, found.repository_name) == ("IMAGE", MANIFEST, f"{word}/{name}")
    assert found.push_time is not None and found.size > 0
    (attached,) = await harbor.get_artifact_accessories(word, name, digest)
    assert (attached.digest, attached.subject_artifact_digest) == (note, digest)
    assert await harbor.get_artifacts(word, name, query="tags=nil") == []
    assert await harbor.get_artifacts(word, name, with_tag=False, page=7) == []

    made = await harbor.copy_artifact(word, "copies/gr", f"{word}/{name}@{digest}")
    assert made == f"/api/v2.0/projects/{word}/repositories/copies%2Fgr/artifacts/{digest}"
    assert (await harbor.get_artifact(word, "copies/gr", "v1")).digest == digest
    both = await harbor.get_project_artifacts(word, with_tag=True, latest=True)
    assert {each.repository_name for each in both} == {f"{word}/{name}", f"{word}/copies/gr"}
    await harbor.delete_artifact(word, name, "v1")
    for reference in ("v1", digest):
        with pytest.raises(NotFound):
            await harbor.get_artifact(word, name, reference)
    assert (await harbor.get_artifact(word, "copies/gr", digest)).digest == digest


@runs(
    *("create_artifact_tag", "get_artifact_tags", "delete_artifact_tag"),
    *("add_artifact_label", "delete_artifact_label"),
)
async def test_tags_and_labels_of_artifacts(harbor: Harbor, word: str) -> None:
    harbor.server.project(word)
    digest = image(harbor.server, f"{word}/a/b", "v1")
    made = await harbor.create_artifact_tag(word, "a/b", digest, models.Tag(name="final"))
    assert made.endswith(f"/artifacts/{digest}/tags/final")
    with pytest.raises(Conflict):
        await harbor.create_artifact_tag(word, "a/b", digest, models.Tag(name="final"))
    assert [each.name for each in await harbor.get_artifact_tags(word, "a/b", "v1", sort="name")] == ["final", "v1"]
    await harbor.delete_artifact_tag(word, "a/b", digest, "final")
    assert [each.name for each in await harbor.get_artifact_tags(word, "a/b", digest)] == ["v1"]

    label = int((await harbor.create_label(models.Label(name=word, scope="g"))).rpartition("/")[2])
    await harbor.add_artifact_label(word, "a/b", "v1", models.Label(id=label))
    found = await harbor.get_artifact(word, "a/b", "v1", with_label=True)
    assert [each.name for each in found.labels] == [word]
    assert len(await harbor.get_artifacts(word, "a/b", query=f"labels=({label})")) == 1
    await harbor.delete_artifact_label(word, "a/b", "v1", label)
    assert not (await harbor.get_artifact(word, "a/b", "v1", with_label=True)).labels
    await harbor.delete_label(label)


def immutable(pattern: str) -> models.ImmutableRule:
    tags = models.ImmutableSelector(kind="doublestar", decoration="matches", pattern=pattern)
    repositories = models.ImmutableSelector(kind="doublestar", decoration="repoMatches", pattern="**")
    return models.ImmutableRule(
        action="immutable",
        template="immutable_template",
        tag_selectors=[tags],
        scope_selectors={"repository": [repositories]},
    )


@runs(
    *("create_project_immutable_tag_rule", "get_project_immutable_tag_rules", "update_project_immutable_tag_rule"),
    *("enable_project_immutable_tagrule", "delete_project_immutable_tag_rule"),
)
async def test_immutable_tags(harbor: Harbor, word: str) -> None:
    harbor.server.project(word)
    image(harbor.server, f"{word}/a", "final-1")

    async def kept() -> bool:
        return bool((await harbor.get_artifact(word, "a", "final-1", with_immutable_status=True)).tags[0].immutable)

    made = await harbor.create_project_immutable_tag_rule(word, immutable("v*"))
    rule = int(made.rpartition("/")[2])
    assert not await kept()
    await harbor.update_project_immutable_tag_rule(word, rule, immutable("final*"))
    (found,) = await harbor.get_project_immutable_tag_rules(word)
    assert (found.id, found.disabled, found.tag_selectors[0].pattern) == (rule, False, "final*")
    assert await kept()
    with pytest.raises(PreconditionFailed):
        await harbor.delete_artifact_tag(word, "a", "final-1", "final-1")
    await harbor.enable_project_immutable_tagrule(word, rule, False)
    (found,) = await harbor.get_project_immutable_tag_rules(word)
    assert (found.disabled, found.tag_selectors[0].pattern) == (True, "final*"), "switched off, otherwise as it was"
    assert not await kept()
    await harbor.enable_project_immutable_tagrule(word, rule, True)
    assert await kept()
    await harbor.delete_project_immutable_tag_rule(word, rule)
    assert await harbor.get_project_immutable_tag_rules(word) == []


def keeping(project: int, count: int) -> models.RetentionPolicy:
    selectors = {"kind": "doublestar", "pattern": "**"}
    rule = {
        "action": "retain",
        "template": "latestPushedK",
        "params": {"latestPushedK": count},
        "tag_selectors": [{**selectors, "decoration": "matches"}],
        "scope_selectors": {"repository": [{**selectors, "decoration": "repoMatches"}]},
    }
    return models.RetentionPolicy.model_validate(
        {
            "algorithm": "or",
            "rules": [rule],
            "trigger": {"kind": "Schedule", "settings": {"cron": ""}},
            "scope": {"level": "project", "ref": project},
        }
    )


@runs(
    *("create_retention_policy", "get_project_retention_id", "get_retention_policy", "update_retention_policy"),
    *("start_retention_execution", "get_retention_executions", "get_retention_tasks", "stop_retention_execution"),
    *("get_retention_execution_task_log", "get_retention_metadata", "delete_retention_policy"),
)
async def test_retention(harbor: Harbor, word: str) -> None:
    harbor.server.project(word)
    digests = [image(harbor.server, f"{word}/a", f"t{n}", annotations={"n": str(n)}) for n in range(3)]
    project = (await harbor.get_project(word)).project_id
    assert "latestPushedK" in {each.rule_template for each in (await harbor.get_retention_metadata()).templates}
    with pytest.raises(NotFound):
        await harbor.get_project_retention_id(word)
    made = await harbor.create_retention_policy(keeping(project, 2))
    number = await harbor.get_project_retention_id(word)
    assert made == f"/api/v2.0/retentions/{number}"
    with pytest.raises(BadRequest):
        await harbor.create_retention_policy(keeping(project, 2))
    await harbor.update_retention_policy(number, keeping(project, 1))
    policy = await harbor.get_retention_policy(number)
    assert (policy.scope.ref, policy.rules[0].params) == (project, {"latestPushedK": 1})

    execution = int((await harbor.start_retention_execution(number, dry_run=True)).rpartition("/")[2])

    async def run() -> Any:
        (found,) = [each for each in await harbor.get_retention_executions(number) if each.id == execution]
        return found

    found = await until(run, lambda found: found.status not in ("Pending", "Running"))
    assert (found.status, found.dry_run, found.trigger) == ("Success", True, "MANUAL")
    (task,) = await harbor.get_retention_tasks(number, execution)
    assert (task.repository, task.total, task.retained) == (f"{word}/a", 3, 1)
    log = await harbor.get_retention_execution_task_log(number, execution, task.id)
    assert [digest in log for digest in digests] == [True, True, False]
    await harbor.stop_retention_execution(number, execution)
    assert len(await harbor.get_artifacts(word, "a")) == 3, "it was dry"

    await harbor.delete_retention_policy(number)
    with pytest.raises(NotFound):
        await harbor.get_project_retention_id(word)
    await harbor.create_retention_policy(keeping(project, 3))
    assert await harbor.get_project_retention_id(word) != number
