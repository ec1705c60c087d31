"""Links: good for one version, until they expire, while their maker may read it; and in no log."""

import json
import time
import urllib.request

import pandas
import polars
import pytest

from dataforge_registry.core.access import Action, Principal
from dataforge_registry.core.oci.errors import Denied
from dataforge_registry.registry.curves.sealed import Links

from ..v2.conftest import Registry
from .conftest import frame, pushed, smooth

SECRET = "0123456789abcdef0123456789abcdef"


def made(registry: Registry, ref: str, status: int = 201, **more: object) -> dict[str, str]:
    body = json.dumps({"ref": ref, **more}).encode()
    answer = registry.send("POST", "/api/v1/links", body, {"Content-Type": "application/json"})
    assert answer.status == status, answer.body
    return dict(json.loads(answer.body))


@pytest.fixture(scope="module")
def ref(closed_registry: Registry) -> str:
    pushed(closed_registry.by("ann"), "wells/l1/run1/gr", frame(smooth(300)), "v1", "latest")
    return "wells/l1/run1/gr"


def test_a_link_needs_no_credentials(door: Registry, ref: str) -> None:
    link = made(door.by("guy"), ref)
    assert link["url"].startswith(f"http://{door.host}/api/v1/links/")
    assert link["url"].endswith("/gr.parquet")
    assert 3590 < int(link["expires"]) - time.time() <= 3600
    assert len(pandas.read_parquet(link["url"])) == 300
    assert polars.read_parquet(link["url"]).height == 300
    with urllib.request.urlopen(link["url"]) as answer:
        assert answer.headers["access-control-allow-origin"] == "*"
    path = link["url"].removeprefix(f"http://{door.host}")
    part = door.send("GET", path, headers={"Range": "bytes=-8", "Authorization": "Basic junk"})
    assert (part.status, part.body[4:]) == (206, b"PAR1")
    assert door.send("OPTIONS", path).headers["access-control-allow-headers"] == "Range, If-None-Match"


def test_it_opens_the_version_that_was_meant(door: Registry) -> None:
    ann = door.by("ann")
    first = pushed(ann, "wells/l2/run1/gr", frame(smooth(300)))
    link = made(ann, "wells/l2/run1/gr")
    pushed(ann, "wells/l2/run1/gr", frame(smooth(400)), previous=first)
    assert link["digest"] == first.digest
    assert len(pandas.read_parquet(link["url"])) == 300


def test_its_reads_are_its_makers(door: Registry) -> None:
    ann = door.by("ann")
    pushed(ann, "wells/l3/run1/gr", frame(smooth(300)))
    link = made(door.by("guy"), "wells/l3/run1/gr")
    assert len(pandas.read_parquet(link["url"])) == 300
    ask = "SELECT username FROM access_log WHERE repo_name = 'wells/l3/run1/gr' AND operation = 'pull'"
    while not (found := door.records(ask)):
        pass
    assert [row["username"] for row in found] == ["guy"]


def test_a_member_who_left_and_an_account_that_was_disabled_read_no_more(door: Registry, ref: str) -> None:
    path = made(door.by("guy"), ref)["url"].removeprefix(f"http://{door.host}")
    who = "(SELECT account_id FROM account WHERE username = 'guy')"
    assert door.send("GET", path).status == 200
    door.records(f"UPDATE account SET disabled = true WHERE account_id = {who}")
    try:
        assert (door.send("GET", path).status, door.send("GET", path).code) == (403, "DENIED")
    finally:
        door.records(f"UPDATE account SET disabled = false WHERE account_id = {who}")
    assert door.send("GET", path).status == 200
    project = "(SELECT project_id FROM project WHERE name = 'wells')"
    taken = door.records(f"DELETE FROM project_member WHERE project_id = {project} AND entity_id = {who} RETURNING *")
    try:
        assert door.send("GET", path).status == 403
    finally:
        for row in taken:
            insert = "INSERT INTO project_member (project_id, entity_id, entity_type, role_id) VALUES ($1, $2, 'u', $3)"
            door.records(insert, row["project_id"], row["entity_id"], row["role_id"])
    assert door.send("GET", path).status == 200


def test_who_may_not_read_makes_no_link(door: Registry, ref: str) -> None:
    assert made(door.by("eve"), ref, 403)["errors"]
    assert made(door, ref, 401)["errors"]
    made(door.by("ann"), "wells/l9/run1/gr", 404)


def test_what_is_no_order(door: Registry, ref: str) -> None:
    ann = door.by("ann")
    for order in ({"ttl": 0}, {"ttl": 604801}, {"ttl": "1h"}, {"ttl": -5}, {"more": 1}, {"ttl": 1e99}):
        made(ann, ref, 400, **order)
    for wrong in ("", "wells/l1", "wells/l1/run1/gr:", "http://elsewhere/wells/l1/run1/gr", "a\0b", "\ud83d\ude00"):
        made(ann, wrong, 400)
    assert ann.send("POST", "/api/v1/links", b"{").status == 400
    assert ann.send("POST", "/api/v1/links", b"[" * 100_000).status == 400
    assert ann.send("POST", "/api/v1/links", b"x" * (2 << 20)).status == 400


def test_what_is_no_link(door: Registry, ref: str) -> None:
    token = made(door.by("ann"), ref)["url"].split("/")[-2]
    flipped = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    for wrong in (flipped, token[:-4], token + "AAAA", "x", "A" * 9000, "%C3%A9", token.upper()):
        answer = door.send("GET", f"/api/v1/links/{wrong}/gr.parquet")
        assert (answer.status, answer.code) == (403, "DENIED")


def test_a_link_expires(door: Registry, ref: str) -> None:
    path = made(door.by("ann"), ref, ttl=1)["url"].removeprefix(f"http://{door.host}")
    while (answer := door.send("GET", path)).status == 200:
        time.sleep(0.05)
    assert answer.code == "DENIED"


def test_a_token_is_in_no_log(door: Registry, ref: str) -> None:
    url = made(door.by("ann"), ref)["url"]
    assert door.send("GET", url.removeprefix(f"http://{door.host}")).status == 200
    log = (door.server.directory.parent / "log").read_text()
    assert "/api/v1/links/***/gr.parquet" in log
    assert url.split("/")[-2] not in log


def test_a_new_secret_key_leaves_old_links_good() -> None:
    who = Principal("account", 7, "ann", 2, frozenset({Action.PULL}))
    token = Links(SECRET, 60, 60).seal(who, "wells/l1/run1/gr", "sha256:1", int(time.time()) + 60)
    rotated = Links(f"{SECRET[::-1]}\n{SECRET}", 60, 60)
    assert rotated.open(token) == (who, "wells/l1/run1/gr", "sha256:1")
    with pytest.raises(Denied):
        Links(SECRET[::-1], 60, 60).open(token)
    with pytest.raises(Denied):
        rotated.open(rotated.seal(who, "wells/l1/run1/gr", "sha256:1", int(time.time())))
