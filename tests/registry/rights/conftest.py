"""A registry with the same things in three projects, and one that nobody is told of: what the matrix is asked of."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest_asyncio
from yarl import URL

from dataforge_registry.core import issued
from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.grants import Grant
from dataforge_registry.core.oci import media
from dataforge_registry.core.passwords import Passwords
from dataforge_registry.core.policies.retention import Rule, keeps
from dataforge_registry.core.records import accounts, labels, projects, robots
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.retention_choice import choose

from ...conftest import Databases
from ..access.conftest import PASSWORD, Registry, basic_header, served
from ..curves.conftest import frame, smooth
from .words import OTHER, OWN, PLACES, PRINCIPALS, PUBLIC, Who

ABSENT = "absent"
NOTHING = "999999"
ZEROS = "sha256:" + "0" * 64
SECRET = issued.issue()
TYPES = {
    "image": media.OCI_MANIFEST,
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "pushes": media.PUSHES,
}
RULE = {"tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "never-*"}]}
KEPT = {**RULE, "template": "always", "scope_selectors": {}, "action": "retain", "params": {}}


@dataclass(frozen=True)
class Answer:
    """Status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class World:
    """`things`: by project, what stands in it; of ABSENT what stands nowhere. `ids`: of those with accounts."""

    registry: Registry
    things: dict[str, dict[str, str]]
    ids: dict[str, str]
    state: str = ""

    async def send(self, who: Who, method: str, target: str, body: str = "", kind: str = "") -> Answer:
        """One request, as one of PRINCIPALS or another account."""
        headers = {"Content-Type": TYPES[kind or "json"]} if body or kind else {}
        if not who.anonymous:
            secret = SECRET if who.robot else PASSWORD
            headers["Authorization"] = basic_header(f"{who.name}:{secret}".encode())
        raw = body.encode()
        if kind == "pushes":
            repository, _, manifest = body.partition(" ")
            raw = msgspec.msgpack.encode([[[repository, media.OCI_MANIFEST, manifest.encode(), ["v1"]]], []])
        url = URL(self.registry.url + target, encoded=True)
        async with self.registry.client.request(method, url, data=raw or None, headers=headers) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, found, await answer.read())

    async def made(self, method: str, target: str, body: Any = "", kind: str = "", by: str = "admin") -> Answer:
        """What must succeed."""
        text = body if isinstance(body, str) else json.dumps(body)
        answer = await self.send(Who(by), method, target, text, kind)
        assert answer.status in (200, 201, 202), (method, target, answer)
        return answer

    async def remake(self, kind: str, project: str) -> None:
        """Make again what a request ended."""
        things = self.things[project]
        things[kind] = await getattr(self, "_" + kind.replace(".", "_"))(project, things)

    async def _mid(self, project: str, things: dict[str, str]) -> str:
        body = {"role_id": 1, "member_user": {"username": "olga"}}
        return _id(await self.made("POST", f"/api/v2.0/projects/{project}/members", body))

    async def _robot_id(self, project: str, things: dict[str, str]) -> str:
        access = [{"resource": "repository", "action": "pull"}]
        permission = {"kind": "project", "namespace": project, "access": access}
        body = {"name": "ci", "level": "project", "permissions": [permission]}
        things["robot_id"] = _id(await self.made("POST", "/api/v2.0/robots", body))
        things["trust_id"] = await self._trust_id(project, things)
        return things["robot_id"]

    async def _trust_id(self, project: str, things: dict[str, str]) -> str:
        conditions = [{"claim": "sub", "equals": "x"}]
        body = {"issuer": "https://issuer.example", "audience": "x", "conditions": conditions}
        return _id(await self.made("POST", f"/api/v2.0/robots/{things['robot_id']}/trusts", body))

    async def _label_id(self, project: str, things: dict[str, str]) -> str:
        body = {"name": "lab", "scope": "p", "project_id": int(things["project_id"])}
        things["label_id"] = _id(await self.made("POST", "/api/v2.0/labels", body))
        await self._labelled(project, things)
        return things["label_id"]

    async def _labelled(self, project: str, things: dict[str, str]) -> str:
        path = f"/api/v2.0/projects/{project}/repositories/img/artifacts/v1/labels"
        await self.made("POST", path, {"id": int(things["label_id"])})
        return ""

    async def _unmounted(self, project: str, things: dict[str, str]) -> str:
        for place in PLACES:
            await self.send(Who("admin"), "DELETE", f"/v2/{place}/mounts/blobs/{things['layer']}")
        return ""

    async def _immutable_rule_id(self, project: str, things: dict[str, str]) -> str:
        return _id(await self.made("POST", f"/api/v2.0/projects/{project}/immutabletagrules", RULE))

    async def _hold(self, project: str, things: dict[str, str]) -> str:
        body = {"reason": "the matrix", "repository": f"{project}/img", "digest": things["digest"]}
        answer = await self.made("POST", f"/api/v1/projects/{project}/holds", body)
        return str(json.loads(answer.body)["id"])

    async def _retentions_id(self, project: str, things: dict[str, str]) -> str:
        number = int(things["project_id"])
        scope = {"level": "project", "ref": number}
        body = {"algorithm": "or", "rules": [KEPT], "trigger": {"kind": "Manual"}, "scope": scope}
        policy = _id(await self.made("POST", "/api/v2.0/retentions", body))
        run = await self.made("POST", f"/api/v2.0/retentions/{policy}/executions", {"dry_run": True})
        things["eid"] = _id(run)
        async with self.registry.database.transaction() as conn:
            await choose(conn, number, int(things["eid"]), keeps([msgspec.convert(KEPT, Rule)]))
        tasks = await self.made("GET", f"/api/v2.0/retentions/{policy}/executions/{things['eid']}/tasks")
        things["tid"] = str(json.loads(tasks.body)[0]["id"])
        return policy


def _id(answer: Answer) -> str:
    return answer.headers["location"].rpartition("/")[2]


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(databases: Databases, tmp_path_factory: Any) -> AsyncIterator[World]:
    """The registry, filled; one for all tests of a session."""
    name = await databases.create()
    database = await Database.open(databases.url(name), size=4)
    async with database.transaction() as conn:  # ids of one length, so that answers that name them have one
        await conn.execute("SELECT setval(oid::regclass, 100000) FROM pg_class WHERE relkind = 'S'")
    folder = tmp_path_factory.mktemp("store")
    async with served(database, databases.url(name), folder, log__level="error") as registry:
        world = World(registry, {}, {})
        await _people(world)
        for place in PLACES:
            await _fill(world, place)
        _nothing(world)
        yield world
    await database.close()
    await databases.drop(name)


async def _people(world: World) -> None:
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    async with world.registry.database.transaction() as conn:
        for who in (*PRINCIPALS, Who("olga"), Who("nina")):
            if not (who.anonymous or who.admin or who.robot):
                world.ids[who.name] = str(await accounts.create(conn, SYSTEM, who.name, hashed))
        world.ids["admin"] = str(await conn.fetchval("SELECT account_id FROM account WHERE username = 'admin'"))
        for place in PLACES:
            await projects.create(conn, SYSTEM, place, public=place == PUBLIC)
            await projects.set_member(conn, SYSTEM, place, "user", "olga", 1)
            await projects.set_member(conn, SYSTEM, place, "user", "nina", 2)
        for who in PRINCIPALS:
            if who.role:
                await projects.set_member(conn, SYSTEM, OWN, "user", who.name, who.role)
        own, kept = await projects.find(conn, OWN), issued.kept(SECRET)
        pull = Grant("project", OWN, ("repository:pull",), own.id)
        await robots.create(conn, SYSTEM, "puller", kept, (pull,), project_id=own.id, project=OWN)
        granted = next(who for who in PRINCIPALS if who.name == "robot$reader").grants
        grants = [Grant("project", "*", tuple(granted["*"])), Grant("system", "/", tuple(granted["/"]))]
        await robots.create(conn, SYSTEM, "reader", kept, tuple(grants))
        other = await robots.create(conn, SYSTEM, "target", kept, (Grant("project", "*", ("repository:pull",)),))
        label = await labels.create(conn, SYSTEM, None, labels.Words("everywhere", "", ""), {})
    world.things[""] = {"system_robot_id": str(other.id), "system_label_id": str(label), "user_id": world.ids["olga"]}


async def _fill(world: World, project: str) -> None:
    database = world.registry.database
    async with database.acquire() as conn:
        number = str((await projects.find(conn, project)).id)
        member = await conn.fetchval(
            "SELECT id FROM project_member WHERE project_id = $1 AND entity_id = $2",
            int(number),
            int(world.ids["olga"]),
        )
    public = "true" if project == PUBLIC else "false"
    await world.made("PUT", f"/api/v2.0/projects/{project}/metadatas/public", {"public": public})
    layer, config = f"the layer of {project}".encode(), b"{}"
    for name, data in (("img", config), ("img", layer), ("mounts", config)):
        path = f"/v2/{project}/{name}/blobs/uploads/?digest={sha256(data)}"
        await world.made("POST", path, data.decode())
    await world.made("POST", f"/v2/{project}/source/blobs/uploads/?mount={sha256(layer)}&from={project}/img")
    image = json.dumps({
        "schemaVersion": 2, "mediaType": media.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(config), "size": 2},
        "layers": [{"mediaType": "a/b", "digest": sha256(layer), "size": len(layer)}],
    })  # fmt: skip
    await world.made("PUT", f"/v2/{project}/img/manifests/v1", image, "image")
    attached = {**json.loads(image), "artifactType": "a/note", "subject": {
        "mediaType": media.OCI_MANIFEST, "digest": sha256(image.encode()), "size": len(image)}}  # fmt: skip
    await world.made("PUT", f"/v2/{project}/img/manifests/note", attached, "image")
    things = world.things[project] = {
        **world.things[""], **_named(project), "project_id": number, "quotas.id": number, "mid": str(member),
        "digest": sha256(image.encode()), "reference": sha256(image.encode()), "manifest": image,
        "layer": sha256(layer), "public": public,
    }  # fmt: skip
    await _curve(world, project, things)
    upload = await world.made("POST", f"/v2/{project}/img/blobs/uploads/", by="nina")
    things["upload"] = upload.headers["docker-upload-uuid"]
    link = await world.made("POST", "/api/v1/links", {"ref": things["curve_ref"]}, by="nina")
    things["token"], _ = json.loads(link.body)["url"].rsplit("/", 2)[1:]
    for kind in ("robot_id", "label_id", "immutable_rule_id", "hold", "retentions.id"):
        await world.remake(kind, project)


def _named(project: str) -> dict[str, str]:
    """What follows from a project's name."""
    return {
        **{name: project for name in ("project", "project_name", "project_name_or_id")},
        "name": f"{project}/img", "repository": f"{project}/img", "source": f"{project}/source",
        "repository_name": "img", "tag": "v1",
        "curve_ref": f"{project}/w1/run1/gr", "well_ref": f"{project}/w1", "meta_name": "public",
        "well": "w1", "frame": "run1", "curve": "gr", "file": "gr.parquet", "tag_name": "v1", "labelled": "",
    }  # fmt: skip


async def _curve(world: World, project: str, things: dict[str, str]) -> None:
    made = replace(frame(smooth(400, PLACES.index(project))), well=Well("w1"), name="run1")
    packed = pack(made, made.curves[0], "gr", pack_index(made.index, made.name), None)
    path = f"{world.registry.url}/v2/{things['curve_ref']}"
    headers = {"Authorization": basic_header(f"admin:{PASSWORD}".encode())}
    client = world.registry.client
    for data in packed.blobs.values():
        async with client.post(f"{path}/blobs/uploads/?digest={sha256(data)}", data=data, headers=headers) as answer:
            assert answer.status == 201
    headers["Content-Type"] = media.OCI_MANIFEST
    async with client.put(f"{path}/manifests/latest", data=packed.raw, headers=headers) as answer:
        assert answer.status == 201, await answer.read()
    things["curve_digest"] = packed.digest
    async with world.registry.database.transaction() as conn:
        row = await conn.fetchrow(
            "UPDATE segment SET verified = true WHERE blob_digest = ANY ($1::text[])"
            " RETURNING encode(content_id, 'hex') AS content, blob_digest",
            [sha256(data) for data in packed.blobs.values()],
        )
    things["content"], things["segment"] = f"sha256:{row['content']}", row["blob_digest"]


def _nothing(world: World) -> None:
    """ABSENT: by each name what looks like the others' and is nowhere."""
    like = world.things[OTHER]
    digests = {name: ZEROS for name, value in like.items() if value.startswith("sha256:")}
    numbers = {name: NOTHING for name, value in like.items() if value.isdecimal() and len(value) == len(NOTHING)}
    kept = {name: like[name] for name in ("user_id", "system_label_id")}
    upload = {"upload": "00000000-0000-4000-8000-000000000000"}
    world.things[ABSENT] = {**like, **_named(ABSENT), **digests, **numbers, **kept, **upload}
