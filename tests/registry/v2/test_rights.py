"""Who is answered what: rows B2, B12, U14, X2, X3 and decisions (b) and (h) of the distribution API; promise P21."""

import json
import uuid
from typing import Any

import pytest

from .conftest import INDEX, PASSWORD, Answer, Registry, sha256

ABSENT = "sha256:" + "0" * 64
READS = [
    ("GET", "manifests/v1"),
    ("HEAD", "manifests/v1"),
    ("GET", f"manifests/{ABSENT}"),
    ("GET", f"blobs/{ABSENT}"),
    ("HEAD", f"blobs/{ABSENT}"),
    ("GET", "tags/list"),
    ("GET", f"referrers/{ABSENT}"),
]
WRITES = [
    ("POST", "blobs/uploads/"),
    ("POST", f"blobs/uploads/?digest={ABSENT}"),
    ("POST", f"blobs/uploads/?mount={ABSENT}&from=open/a"),
    ("PUT", "manifests/v1"),
    ("PUT", f"manifests/{ABSENT}"),
    ("GET", f"blobs/uploads/{uuid.UUID(int=1)}"),
    ("PATCH", f"blobs/uploads/{uuid.UUID(int=1)}"),
    ("PUT", f"blobs/uploads/{uuid.UUID(int=1)}?digest={ABSENT}"),
    ("DELETE", f"blobs/uploads/{uuid.UUID(int=1)}"),
]
DELETES = [("DELETE", "manifests/v1"), ("DELETE", f"manifests/{ABSENT}"), ("DELETE", f"blobs/{ABSENT}")]
ALL = READS + WRITES + DELETES
FLEETING = {"date", "x-request-id"}
requests = pytest.mark.parametrize(("method", "path"), ALL)


def ask(registry: Registry, repository: str, method: str, path: str) -> Answer:
    body = b"{}" if method in ("PUT", "POST", "PATCH") else None
    return registry.send(
        method, f"/v2/{repository}/{path}", body, {"Content-Type": INDEX} if "manifests" in path else {}
    )


def plain(answer: Answer) -> tuple[Any, ...]:
    """All of an answer that says anything."""
    return answer.status, {k: v for k, v in answer.headers.items() if k not in FLEETING}, answer.body


@pytest.fixture(scope="module")
def filled(door: Registry) -> Registry:
    """A manifest v1 in the repository `a` of each project."""
    admin = door.by("admin")
    for project in ("wells", "open", "secret"):
        assert admin.put(f"{project}/a", "v1", admin.image(f"{project}/a")).status == 201
    return door


@requests
def test_a_stranger_learns_nothing(filled: Registry, method: str, path: str) -> None:
    """403, one and the same, whether project, repository and content are there or not."""
    eve = filled.by("eve")
    answers = [ask(eve, repository, method, path) for repository in ("secret/a", "secret/none", "none/a", "none")]
    assert {str(plain(answer)) for answer in answers} == {str(plain(answers[0]))}
    assert answers[0].status == 403
    assert method == "HEAD" or answers[0].code == "DENIED"


@requests
def test_nobody_is_asked_to_sign_in(filled: Registry, method: str, path: str) -> None:
    answers = [ask(filled, repository, method, path) for repository in ("secret/a", "secret/n", "none/a")]
    for answer, repository in zip(answers, ("secret/a", "secret/n", "none/a"), strict=True):
        assert answer.status == 401
        assert method == "HEAD" or answer.code == "UNAUTHORIZED"
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith('Bearer realm="http://') and f"repository:{repository}:" in challenge
        assert ("repository:open/a:pull" in challenge) == ("from=open/a" in path)
    assert len({answer.body for answer in answers}) == 1


@requests
def test_an_administrator_is_told_that_a_project_is_not_there(filled: Registry, method: str, path: str) -> None:
    answer = ask(filled.by("admin"), "none/a", method, path)
    if "referrers" in path:  # never a 404 there: clients would write fallback tags
        assert (answer.status, json.loads(answer.body)["manifests"]) == (200, [])
        return
    assert answer.status == 404
    assert method == "HEAD" or answer.code == "NAME_UNKNOWN"


@pytest.mark.parametrize(("user", "reads", "writes", "deletes"), [
    ("guy", True, False, False), ("ann", True, True, False), ("mia", True, True, True), ("admin", True, True, True)
])  # fmt: skip
@pytest.mark.parametrize("project", ["wells", "open"])
def test_roles(filled: Registry, project: str, user: str, reads: bool, writes: bool, deletes: bool) -> None:
    registry = filled.by(user)
    for requests_, allowed in ((READS, reads), (WRITES, writes), (DELETES[1:], deletes)):
        for method, path in requests_:
            answer = ask(registry, f"{project}/a", method, path)
            assert (answer.status == 403) == (not allowed), (method, path)
            assert answer.status < 500


def test_a_public_project_is_read_by_all_and_written_by_members(filled: Registry) -> None:
    for registry in (filled, filled.by("eve")):
        assert registry.send("GET", "/v2/open/a/manifests/v1").status == 200
        for method, path in WRITES + DELETES:
            answer = ask(registry, "open/a", method, path)
            assert answer.status == (401 if registry is filled else 403), (method, path)
        answer = registry.send("GET", "/v2/open/none/manifests/v1")
        assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_the_version_check_asks_for_credentials(door: Registry) -> None:
    for method in ("GET", "HEAD"):
        answer = door.send(method, "/v2/")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith('Bearer realm="')
        assert door.by("eve").send(method, "/v2/").status == 200
        assert door.by("eve", "wrong " + PASSWORD).send(method, "/v2/").status == 401


def test_the_catalog_is_what_one_may_pull(filled: Registry) -> None:
    def catalog(user: str) -> list[str]:
        return list(json.loads(filled.by(user).send("GET", "/v2/_catalog").body)["repositories"])

    assert [each for each in catalog("eve") if not each.startswith("open/")] == []
    assert {"open/a", "wells/a"} <= set(catalog("guy"))
    assert not any(each.startswith("secret/") for each in catalog("guy"))
    assert {"open/a", "wells/a", "secret/a"} <= set(catalog("admin"))
    assert filled.send("GET", "/v2/_catalog").status == 401
    for path in ("/v2//_catalog", "/v2/_catalog/", "/v2/./_catalog"):
        assert filled.send("GET", path).status in (400, 401)


@pytest.mark.parametrize("source", ["secret/a", "secret/none", "none/a", "", None])
def test_a_mount_of_what_one_may_not_pull_is_an_upload(filled: Registry, source: str | None) -> None:
    """Without a word about whether it is there, with `from` or without; the same from what one may pull is a mount."""
    admin, ann = filled.by("admin"), filled.by("ann")
    hidden = admin.blob("secret/a", b"hidden")["digest"]
    shared = admin.blob("open/a", b"shared")["digest"]
    origin = "" if source is None else f"&from={source}"
    for digest in (hidden, ABSENT):
        answer = ann.send("POST", f"/v2/wells/m/blobs/uploads/?mount={digest}{origin}")
        assert answer.status == 202
        assert ann.send("HEAD", f"/v2/wells/m/blobs/{digest}").status == 404
        assert ann.send("DELETE", answer.headers["location"]).status == 204
    answer = ann.send(
        "POST",
        f"/v2/wells/m{uuid.uuid4().hex}/blobs/uploads/?mount={shared}" + ("" if source is None else "&from=open/a"),
    )
    assert answer.status == 201


@pytest.mark.parametrize("whole", [False, True])
def test_what_was_deleted_is_mounted_from_nowhere(filled: Registry, name: str, whole: bool) -> None:
    """Though its bytes are there, and the project is charged for them, until gc comes."""
    admin, home = filled.by("admin"), f"open/{name.replace('/', '-')}-{int(whole)}"
    digest = admin.blob(home, f"deleted from {home}".encode())["digest"]
    if whole:
        place = home.replace("open/", "open/repositories/")
        assert admin.send("DELETE", f"/api/v2.0/projects/{place}").status == 200
    else:
        assert admin.send("DELETE", f"/v2/{home}/blobs/{digest}").status == 202
    for source in ("", f"&from={home}"):
        answer = filled.by("ann").send("POST", f"/v2/wells/{home}/blobs/uploads/?mount={digest}{source}")
        assert answer.status == 202, source
        assert filled.by("ann").send("DELETE", answer.headers["location"]).status == 204


def test_knowing_a_digest_is_not_having_the_bytes(filled: Registry) -> None:
    digest = filled.by("admin").blob("secret/a", b"only the digest is known")["digest"]
    ann = filled.by("ann")
    assert ann.send("POST", f"/v2/wells/k/blobs/uploads/?digest={digest}", b"").status == 400
    location = ann.upload("wells/k")
    assert ann.send("PUT", f"{location}?digest={digest}", b"").status == 400
    layer = {"mediaType": "x/y", "digest": digest, "size": 24}
    answer = ann.put("wells/k", "v1", ann.image("wells/k") | {"layers": [layer]})
    assert (answer.status, answer.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert ann.send("GET", f"/v2/wells/k/blobs/{digest}").status == 404


def test_the_upload_of_another_is_not_there(filled: Registry) -> None:
    location = filled.by("ann").upload("wells/u")
    for user in ("mia", "admin"):
        for method, query in (("GET", ""), ("PATCH", ""), ("PUT", f"?digest={sha256(b'x')}"), ("DELETE", "")):
            answer = filled.by(user).send(method, location + query, b"x" if method in ("PATCH", "PUT") else None)
            assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN"), (user, method)
    assert filled.by("ann").send("PATCH", location, b"mine").status == 202
    assert filled.by("ann").send("DELETE", location).status == 204  # push is enough to cancel


def test_a_child_below_that_one_may_pull_comes_with_its_index(filled: Registry) -> None:
    """And one of another project never does, however many rights one has there."""
    admin = filled.by("admin")
    for place, status in (("wells/i/c", 201), ("secret/wells/i", 404)):
        raw = json.dumps(admin.image(place)).encode()
        assert admin.put(place, "v1", raw).status == 201
        child = {"mediaType": json.loads(raw)["mediaType"], "digest": sha256(raw), "size": len(raw)}
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}
        assert filled.by("ann").put("wells/i", "v1", body, INDEX).status == status


def test_no_answer_speaks_of_origins_or_cookies(filled: Registry) -> None:
    for registry in (filled, filled.by("admin")):
        answer = registry.send("GET", "/v2/open/a/manifests/v1", headers={"Origin": "https://evil.example"})
        assert not {"access-control-allow-credentials", "set-cookie"} & set(answer.headers)


def test_a_large_put_is_refused_before_and_heard(filled: Registry) -> None:
    """The client that sends all before it listens hears the refusal (row A8)."""
    body = b"x" * (4 << 20)
    for registry, status in ((filled, 401), (filled.by("guy"), 403)):
        path = f"/v2/wells/a/blobs/uploads/{uuid.uuid4()}?digest={sha256(body)}"
        assert registry.send("PUT", path, body).status == status
