"""Quotas as Harbor's clients read and set them."""

from .conftest import Api


def project(admin: Api, word: str) -> int:
    admin.registry.project(word)
    return int(admin.registry.records("SELECT project_id FROM project WHERE name = $1", word)[0][0])


def test_a_quota_has_the_id_of_its_project_and_is_set(admin: Api, word: str) -> None:
    quota = project(admin, word)
    found = admin.get(f"/quotas/{quota}").json
    assert found["ref"] == {"id": quota, "name": word, "owner_name": "system"}
    assert (found["hard"], found["used"]) == ({"storage": -1, "artifact": -1}, {"storage": 0, "artifact": 0})
    answer = admin.put(f"/quotas/{quota}", {"hard": {"storage": 1000, "artifact": 3}, "warning": 80})
    assert (answer.status, answer.body) == (200, b"")
    assert admin.put(f"/quotas/{quota}", {"hard": {"storage": 2000}}).status == 200
    found = admin.get(f"/quotas/{quota}").json
    assert (found["hard"], found["warning"]) == ({"storage": 2000, "artifact": 3}, 80)
    logged = admin.registry.records(
        "SELECT resource FROM access_log WHERE resource_type = 'quota' AND project_id = $1 ORDER BY log_id", quota
    )
    assert [row[0] for row in logged] == [f"{word} storage=1000 artifact=3 warning=80", f"{word} storage=2000"]


def test_quotas_are_listed_sorted_and_found_by_project(admin: Api, word: str) -> None:
    small, large = project(admin, word), project(admin, f"{word}-b")
    admin.put(f"/quotas/{small}", {"hard": {"storage": 10}})
    admin.put(f"/quotas/{large}", {"hard": {"storage": 2**50}})
    one = admin.get(f"/quotas?reference=project&reference_id={small}")
    assert ([each["id"] for each in one.json], one.headers["x-total-count"]) == ([small], "1")
    assert admin.get("/quotas?sort=-hard.storage&page_size=1").json[0]["id"] == large
    assert admin.get("/quotas?page=99999").json == []


def test_limits_that_cannot_be_are_refused(admin: Api, word: str) -> None:
    quota = project(admin, word)
    for body in (
        {"hard": {"storage": -2}},
        {"hard": {"storage": "10"}},
        {"hard": {"storage": 2**63}},
        {"hard": {"blobs": 1}},
        {"warning": 101},
        [],
    ):
        assert admin.put(f"/quotas/{quota}", body).code == "BAD_REQUEST"
    for query in ("reference=user", "reference_id=x", "sort=name", "sort=secret", "page_size=-1"):
        assert admin.get(f"/quotas?{query}").code == "BAD_REQUEST"
    assert admin.get("/quotas/999999999").code == "NOT_FOUND"
    assert admin.put("/quotas/x", {"hard": {}}).code == "NOT_FOUND"


def test_quotas_are_for_system_administrators(nobody: Api, admin: Api, word: str) -> None:
    quota = project(admin, word)
    assert nobody.get("/quotas").status == 401
    mia = nobody.by("mia")
    for answer in (
        mia.get("/quotas"),
        mia.get(f"/quotas/{quota}"),
        mia.put(f"/quotas/{quota}", {"hard": {"storage": -1}}),
    ):
        assert (answer.status, answer.code) == (403, "FORBIDDEN")
