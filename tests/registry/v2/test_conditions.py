"""Optimistic commits: If-Match and If-None-Match on the tags of a push (decision (i) of the distribution API)."""

import json
from functools import partial
from typing import Any

from .conftest import MANIFEST, Registry, sha256, together


def conditional(registry: Registry, name: str, tag: str, body: Any, **conditions: str) -> tuple[int, str]:
    headers = {"Content-Type": MANIFEST} | {key.replace("_", "-"): value for key, value in conditions.items()}
    answer = registry.send("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(body).encode(), headers)
    return answer.status, "" if answer.status == 201 else answer.code


def test_conditions(registry: Registry, name: str) -> None:
    versions = [registry.image(name, annotations={"n": str(n)}) for n in range(3)]
    digests = [sha256(json.dumps(version).encode()) for version in versions]
    failed = (412, "MANIFEST_INVALID")

    def put(n: int, **conditions: str) -> tuple[int, str]:
        return conditional(registry, name, "head", versions[n], **conditions)

    for condition in (f'"{digests[0]}"', "*"):
        assert put(0, If_Match=condition) == failed  # there is no such tag yet
    assert put(0, If_None_Match="*") == (201, "")
    assert put(1, If_None_Match="*") == failed
    assert put(1, If_Match=f'"{digests[1]}"') == failed
    assert put(1, If_Match=f'W/"{digests[0]}"') == failed  # comparison is strong (RFC 9110 section 13.1.1)
    assert put(1, If_Match="nonsense") == failed
    assert put(1, If_None_Match=f'"{digests[0]}"') == failed
    assert put(1, If_Match=f'"{digests[0]}"') == (201, "")
    assert put(2, If_Match=f'"{digests[0]}"') == failed
    assert put(2, If_Match="*") == (201, "")
    assert registry.send("HEAD", f"/v2/{name}/manifests/head").headers["docker-content-digest"] == digests[2]


def test_tags_that_go_along_are_asked_nothing(registry: Registry, name: str) -> None:
    """One PUT moves the head under its condition and a status with it; where the head's fails, neither moves."""
    versions = [registry.image(name, annotations={"n": str(n)}) for n in range(3)]
    digests = [sha256(json.dumps(version).encode()) for version in versions]

    def named(tag: str) -> str:
        return registry.send("HEAD", f"/v2/{name}/manifests/{tag}").headers.get("docker-content-digest", "")

    put = partial(conditional, registry, name)
    assert put("head?along=new&along=edited", versions[0], If_None_Match="*") == (201, "")
    assert put("other", versions[1]) == (201, "")
    assert put("edited", versions[1]) == (201, "")  # somebody moved it meanwhile
    assert put("head?along=edited&along=third", versions[2], If_Match=f'"{digests[0]}"') == (201, "")
    assert [named(tag) for tag in ("head", "edited", "third", "new")] == [*[digests[2]] * 3, digests[0]]
    assert put("head?along=edited&along=fourth", versions[1], If_Match=f'"{digests[0]}"')[0] == 412
    assert (named("head"), named("edited"), named("fourth")) == (digests[2], digests[2], "")
    assert put("other?along=other", versions[2], If_Match=f'"{digests[0]}"')[0] == 412, "the condition is of the head"


def test_one_of_many_racers_wins_each_round(registry: Registry, name: str) -> None:
    conditions, racers = {"If_None_Match": "*"}, 8
    image = registry.image(name)
    for round_ in range(5):
        versions = [image | {"annotations": {"round": str(round_), "racer": str(n)}} for n in range(racers)]
        jobs = [partial(conditional, registry, name, "head", version, **conditions) for version in versions]
        answers = together(jobs)
        assert sorted(answers) == [(201, "")] + [(412, "MANIFEST_INVALID")] * (racers - 1)
        winner = sha256(json.dumps(versions[answers.index((201, ""))]).encode())
        head = registry.send("HEAD", f"/v2/{name}/manifests/head")
        assert head.headers["docker-content-digest"] == winner
        conditions = {"If_Match": head.headers["etag"]}
    history = registry.records(
        "SELECT FROM tag_history h JOIN repository r USING (repository_id) WHERE r.name = $1 AND h.name = 'head'", name
    )
    assert len(history) == 5


def test_tags_that_cross_do_not_deadlock(registry: Registry, name: str) -> None:
    image = registry.image(name)

    def push(n: int) -> int:
        raw = json.dumps(image | {"annotations": {"n": str(n)}}).encode()
        tags = ["x", "y", "z"] if n % 2 else ["z", "y", "x"]
        return registry.put(name, sha256(raw) + "?" + "&".join(f"tag={tag}" for tag in tags), raw).status

    assert together([partial(push, n) for n in range(16)]) == [201] * 16
    heads = {registry.send("HEAD", f"/v2/{name}/manifests/{t}").headers["docker-content-digest"] for t in "xyz"}
    assert len(heads) == 1
