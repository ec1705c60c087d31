"""POST /api/v1/pushes: many pushes in one request, each of which is done or refused as if it had come alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed
from dataforge_registry.core.curves.model import Frame
from dataforge_registry.core.curves.names import slug
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.pushes import LONGEST, PUSHES, ManifestPush, Pushes

from ..v2.conftest import Answer, Registry, sha256
from .conftest import frame, smooth
from .test_holds import held, placed

TYPE = {"Content-Type": media.PUSHES}
AUDITED = """SELECT username, repo_name, repo_tag, operation, resource FROM access_log WHERE repo_name LIKE $1 || '%'
AND operation = 'push' ORDER BY repo_name"""
KEEP_LATEST = """INSERT INTO immutable_rule (project_id, rule, repositories, tags)
SELECT project_id, '{}', '[]', '[{"re": "^latest$", "not": false}]' FROM project WHERE name = $1"""


def made(found: Frame) -> Packed:
    """The one curve of a frame, in a repository of its mnemonic's slug."""
    curve = found.curves[0]
    return pack(found, curve, slug(curve.mnemonic, "curve"), pack_index(found.index, found.name))


def send(registry: Registry, pushes: Sequence[ManifestPush], blobs: Sequence[bytes] = ()) -> Answer:
    body = msgspec.msgpack.encode(Pushes(list(pushes), list(blobs)), enc_hook=str)
    return registry.send("POST", "/api/v1/pushes", body, TYPE)


def results(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = json.loads(answer.body)["results"]
    return found


def curves(project: str, *versions: Packed, **more: Any) -> tuple[list[ManifestPush], list[bytes]]:
    """Each curve of its own repository, with all of its blobs; what they share comes once."""
    blobs = list({blob: None for packed in versions for blob in packed.blobs.values()})
    pushes = [
        ManifestPush(
            repository=f"{project}/well-1/run1/c{n}",
            media_type=media.OCI_MANIFEST,
            manifest=packed.raw,
            tags=["latest"],
            blobs=[blobs.index(blob) for blob in packed.blobs.values()],
            **{"none": True, "numbered": True, **more},
        )
        for n, packed in enumerate(versions)
    ]
    return pushes, blobs


def code(result: Mapping[str, Any]) -> tuple[int, str]:
    return result["status"], result["errors"][0]["code"]


def test_a_frame_in_one_request(registry: Registry, name: str) -> None:
    project = registry.project(name.replace("/", "-") + "-frame")
    versions = [made(frame(smooth(300, n), well="Well 1", mnemonic=f"C{n}")) for n in range(5)]
    pushes, blobs = curves(project, *versions)
    assert len(blobs) < sum(len(packed.blobs) for packed in versions)
    found = results(send(registry, pushes, blobs))
    assert [each["tags"] for each in found] == [["latest", "v1"]] * 5
    assert [each["digest"] for each in found] == [packed.digest for packed in versions]
    for push, packed in zip(pushes, versions, strict=True):
        for tag in ("latest", "v1"):
            assert registry.send("GET", f"/v2/{push.repository}/manifests/{tag}").body == packed.raw
        for digest, content in packed.blobs.items():
            assert registry.send("GET", f"/v2/{push.repository}/blobs/{digest}").body == content
    rows = registry.records(AUDITED, f"{project}/")
    assert [(row["repo_name"], row["repo_tag"], row["resource"]) for row in rows] == [
        (push.repository, "latest", packed.digest) for push, packed in zip(pushes, versions, strict=True)
    ]
    listed = json.loads(registry.send("GET", f"/api/v1/wells/{project}/well-1").body)
    assert len(listed["curves"]) == 5
    assert {code(each) for each in results(send(registry, pushes, blobs))} == {(412, "MANIFEST_INVALID")}


def test_one_that_is_refused_leaves_the_others_be(registry: Registry, name: str) -> None:
    project = registry.project(name.replace("/", "-") + "-some")
    versions = [made(frame(smooth(50, n), mnemonic=f"C{n}")) for n in range(8)]
    pushes, blobs = curves(project, *versions)
    replace = msgspec.structs.replace
    pushes[0] = replace(pushes[0], blobs=[])  # what it names is nowhere
    pushes[1] = replace(pushes[1], repository="Not/A/Name")
    pushes[2] = replace(pushes[2], tags=["-bad-"])
    pushes[3] = replace(pushes[3], manifest=pushes[3].manifest[:-1])
    pushes[4] = replace(pushes[4], match=versions[4].digest, none=False)
    pushes[5] = replace(pushes[5], repository=f"{project}/well-1/run1/other")  # the config names another curve
    pushes[6] = replace(pushes[6], blobs=[*pushes[6].blobs, *pushes[7].blobs])  # one that it does not name
    found = results(send(registry, pushes, blobs))
    assert [each["status"] for each in found] == [404, 400, 400, 400, 412, 409, 400, 201]
    assert code(found[0]) == (404, "MANIFEST_BLOB_UNKNOWN") and code(found[1]) == (400, "NAME_INVALID")
    rows = registry.records(AUDITED, f"{project}/")
    assert [row["repo_name"] for row in rows] == [pushes[7].repository]


def test_a_limit_is_kept_to_the_byte(registry: Registry, name: str) -> None:
    """As many as fit, whichever they are; what is refused is not charged but for its blobs, which gc takes."""
    versions = [made(frame(smooth(50, n), mnemonic=f"C{n}")) for n in range(6)]
    sizes = [len(packed.raw) for packed in versions]
    distinct = sum(map(len, {blob for packed in versions for blob in packed.blobs.values()}))
    project = registry.project(name.replace("/", "-") + "-quota", storage_limit=distinct + sum(sizes) - 1)
    pushes, blobs = curves(project, *versions)
    found = results(send(registry, pushes, blobs))
    assert sorted(each["status"] for each in found) == [201] * 5 + [403]
    (refused,) = (each for each in found if each["status"] == 403)
    assert refused["errors"][0]["code"] == "DENIED" and refused["errors"][0]["detail"]["limit"] > 0
    assert registry.used(project) <= distinct + sum(sizes) - 1


def test_what_is_held_stays_and_what_is_immutable_does_not_move(registry: Registry, name: str) -> None:
    project = registry.project(name.replace("/", "-") + "-kept")
    first, second = (made(frame(smooth(50, n), mnemonic="C0")) for n in range(2))
    assert results(send(registry, *curves(project, first)))[0]["status"] == 201
    repository = f"{project}/well-1/run1/c0"
    lift = placed(registry, project, repository=repository, digest=first.digest)
    found = results(send(registry, *curves(project, second, none=False, match=first.digest)))
    assert found[0]["tags"] == ["latest", "v2"]
    held(registry.send("DELETE", f"/v2/{repository}/manifests/{first.digest}"))
    assert registry.send("DELETE", lift).status == 200
    registry.records(KEEP_LATEST, project)
    (again,) = results(send(registry, *curves(project, first, none=False, match=second.digest)))
    assert again["status"] == 412 and "immutable by rule" in again["errors"][0]["message"]
    assert registry.send("GET", f"/v2/{repository}/manifests/latest").body == second.raw


def test_who_may_not_push_is_told_so_for_each(door: Registry) -> None:
    packed = made(frame(smooth(50), mnemonic="C0"))
    pushes = [*curves("wells", packed)[0], *curves("secret", packed)[0]]
    blobs = curves("wells", packed)[1]
    assert send(door, pushes, blobs).status == 401
    found = results(send(door.by("ann"), pushes, blobs))
    assert [each["status"] for each in found] == [201, 403]
    assert [each["status"] for each in results(send(door.by("guy"), pushes, blobs))] == [403, 403]
    (row,) = door.records(AUDITED, "wells/well-1/run1/c0")
    assert row["username"] == "ann"
    assert send(door.by("ann", "wrong"), pushes, blobs).status == 401


def test_a_body_that_is_none_is_refused(registry: Registry, name: str) -> None:
    push = ManifestPush(repository=name, media_type="x", manifest=b"", tags=["a"], blobs=[1])
    assert send(registry, [push], [b"one"]).status == 400
    assert send(registry, [push] * (PUSHES + 1)).status == 400
    for body in (b"", b"\x93\xa1x", b"{}", b"\x92\x90"):
        answer = registry.send("POST", "/api/v1/pushes", body, TYPE)
        assert (answer.status, answer.code) == (400, "UNSUPPORTED"), body
    assert send(registry, [], [bytes(LONGEST)]).status == 400
    assert results(send(registry, [])) == []


@given(body=st.binary(max_size=100), inner=st.binary(max_size=100), places=st.lists(st.integers(0, 3), max_size=3))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_break_it(registry: Registry, body: bytes, inner: bytes, places: list[int]) -> None:
    assert registry.send("POST", "/api/v1/pushes", body, TYPE).status in (200, 400)
    push = ManifestPush(repository="v2/x", media_type=media.OCI_MANIFEST, manifest=inner, tags=["t"], blobs=places)
    answer = send(registry, [push], [body, inner])
    assert answer.status == 400 or results(answer)[0]["status"] == 400


@pytest.mark.parametrize("size", [100, 9_000, 70_000])
def test_blobs_of_any_size_come_along(registry: Registry, name: str, size: int) -> None:
    layer = bytes([len(name) % 251]) * size
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2}
    entry = {"mediaType": media.OCTET_STREAM, "digest": sha256(layer), "size": size}
    image = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": config, "layers": [entry]}
    raw = json.dumps(image).encode()
    tags = ["a", "b"]
    push = ManifestPush(repository=name, media_type=media.OCI_MANIFEST, manifest=raw, tags=tags, blobs=[0, 1])
    (found,) = results(send(registry, [push], [b"{}", layer]))
    assert (found["digest"], found["tags"]) == (Digest.of(raw), tags)
    assert registry.send("GET", f"/v2/{name}/blobs/{sha256(layer)}").body == layer
