"""harborapi: projects, their metadata, labels, quotas, search and statistics."""

import pytest
from harborapi import models
from harborapi.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from harborapi.models.models import ResourceList

from .harborapi_watch import MARKS, Harbor, runs
from .images import image

pytestmark = MARKS


@runs(
    *("create_project", "project_exists", "get_project", "get_projects", "update_project", "get_project_summary"),
    *("get_project_deletable", "delete_project"),
)
async def test_projects(harbor: Harbor, word: str) -> None:
    assert not await harbor.project_exists(word)
    wanted = models.ProjectReq(project_name=word, public=False, storage_limit=1 << 30)
    assert await harbor.create_project(wanted) == f"/api/v2.0/projects/{word}"
    assert await harbor.project_exists(word)
    with pytest.raises(Conflict):
        await harbor.create_project(wanted)
    found = await harbor.get_project(word)
    assert (found.name, found.owner_name, found.metadata.public) == (word, "admin", "false")
    assert (await harbor.get_project(found.project_id)).name == word, "by number too"
    assert [each.name for each in await harbor.get_projects(name=word, public=False, owner="admin")] == [word]
    assert await harbor.get_projects(name=word, public=True) == []

    await harbor.update_project(word, models.ProjectReq(metadata=models.ProjectMetadata(public="true")))
    assert (await harbor.get_project(word)).metadata.public == "true"
    for refused in ("auto_scan", "prevent_vul", "enable_content_trust"):
        with pytest.raises(BadRequest):
            await harbor.update_project(word, models.ProjectReq(metadata={refused: "true"}))
    summary = await harbor.get_project_summary(word)
    assert (summary.repo_count, summary.project_admin_count) == (0, 1)
    assert summary.quota.hard.root["storage"] == 1 << 30
    assert (await harbor.get_project_deletable(word)).deletable

    image(harbor.server, f"{word}/one", "v1")
    assert not (await harbor.get_project_deletable(word)).deletable
    with pytest.raises(PreconditionFailed):
        await harbor.delete_project(word)
    await harbor.delete_repository(word, "one")
    await harbor.delete_project(word)
    assert not await harbor.project_exists(word)
    with pytest.raises(NotFound):
        await harbor.get_project(word)


@runs("get_projects")
async def test_a_project_whose_name_is_a_number(harbor: Harbor, word: str) -> None:
    name = f"9{word[1:].replace('x', '0')}"
    await harbor.create_project(models.ProjectReq(project_name=name))
    assert (await harbor.get_project(name)).name == name
    with pytest.raises(NotFound):
        await harbor.get_project(int(name))
    found = await harbor.get_projects(query=f"name=~{name[:-1]}", sort="-name", page_size=1)
    assert name in {each.name for each in found}, "all pages, by their links"


@runs(
    *("set_project_metadata", "get_project_metadata", "get_project_metadata_entry"),
    *("update_project_metadata_entry", "delete_project_metadata_entry"),
)
async def test_metadata(harbor: Harbor, word: str) -> None:
    await harbor.create_project(models.ProjectReq(project_name=word))
    await harbor.set_project_metadata(word, models.ProjectMetadata(severity="high"))
    assert (await harbor.get_project_metadata(word)).severity == "high"
    await harbor.update_project_metadata_entry(word, "severity", models.ProjectMetadata(severity="low"))
    assert (await harbor.get_project_metadata_entry(word, "severity"))["severity"] == "low"
    await harbor.delete_project_metadata_entry(word, "severity")
    assert (await harbor.get_project_metadata(word)).severity is None


@runs("create_label", "get_label", "get_labels", "update_label", "delete_label")
async def test_labels(harbor: Harbor, word: str) -> None:
    await harbor.create_project(models.ProjectReq(project_name=word))
    project = (await harbor.get_project(word)).project_id
    places = []
    for scope, number in (("g", 0), ("p", project)):
        made = await harbor.create_label(
            models.Label(name=word, color="#00AB9A", description="d", scope=scope, project_id=number)
        )
        places.append(int(made.rpartition("/")[2]))
        found = await harbor.get_label(places[-1])
        assert (found.name, found.color, found.description, found.scope) == (word, "#00AB9A", "d", scope)
        assert [each.id for each in await harbor.get_labels(name=word, scope=scope, project_id=number)] == places[-1:]
        await harbor.update_label(places[-1], models.Label(name=f"{word}-b", scope=scope, project_id=number))
        assert (await harbor.get_label(places[-1])).name == f"{word}-b"
    for number in places:
        await harbor.delete_label(number)
        with pytest.raises(NotFound):
            await harbor.get_label(number)


@runs("get_quotas", "get_quota", "update_quota")
async def test_quotas(harbor: Harbor, word: str) -> None:
    await harbor.create_project(models.ProjectReq(project_name=word, storage_limit=1 << 20))
    project = (await harbor.get_project(word)).project_id
    (found,) = await harbor.get_quotas(reference="project", reference_id=str(project))
    assert found.hard.root["storage"] == 1 << 20
    assert found.ref.root["name"] == word
    image(harbor.server, f"{word}/one", "v1")
    used = (await harbor.get_quota(found.id)).used.root
    assert 0 < used["storage"] < 1 << 20 and used["artifact"] == 1
    await harbor.update_quota(found.id, models.QuotaUpdateReq(hard=ResourceList({"storage": -1})))
    assert (await harbor.get_quota(found.id)).hard.root["storage"] == -1
    assert found.id in {each.id for each in await harbor.get_quotas(sort="-used.storage", page_size=50)}


@runs("search", "get_statistics")
async def test_search_and_statistics(harbor: Harbor, word: str) -> None:
    before = await harbor.get_statistics()
    await harbor.create_project(models.ProjectReq(project_name=word, public=True))
    image(harbor.server, f"{word}/logs/gr", "v1")
    found = await harbor.search(word)
    assert [each.name for each in found.project] == [word]
    assert [each.repository_name for each in found.repository] == [f"{word}/logs/gr"]
    after = await harbor.get_statistics()
    assert after.public_project_count > before.public_project_count
    assert after.total_repo_count > before.total_repo_count
    assert after.total_storage_consumption > 0
