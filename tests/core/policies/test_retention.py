"""What retention lets go and what stays: each template, what is needed by what stays, and what changed meanwhile."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.body import Body
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import CurveConflict, QueryInvalid
from dataforge_registry.core.policies.retention import EXPIRE, Rule, keeps
from dataforge_registry.core.policies.selectors import repositories, tags
from dataforge_registry.core.records import holds, immutable, retention, settings
from dataforge_registry.core.records.retention_choice import choose
from dataforge_registry.core.work import queue
from dataforge_registry.core.work.queue import start
from dataforge_registry.core.work.retention import BATCH, RunRetention, run_policy
from dataforge_registry.core.work.task import Kind, Wanted

from ..catalogue.conftest import Shelf, frame_of, packed_of, pieces, shelf

__all__ = ["shelf"]
pytestmark = pytest.mark.asyncio
UNDO = timedelta(hours=1)
ALL = {"decoration": "matches", "pattern": "**"}
UNTAGGED = {"decoration": "excludes", "pattern": "**"}


def rule(template: str, number: int | None = None, *tagged: dict[str, str], **more: Any) -> Rule:
    params = {} if number is None else {template: number}
    params |= more.pop("params", {})
    said = {"template": template, "params": params, "tag_selectors": list(tagged or [ALL]), **more}
    return msgspec.convert(said, Rule)


def only(pattern: str) -> dict[str, Any]:
    return {"scope_selectors": {"repository": [{"decoration": "repoMatches", "pattern": pattern}]}}


@dataclass
class Yard:
    """A project whose artifacts have the age that a test gives them."""

    shelf: Shelf
    project: int = 0
    names: dict[str, str] = field(default_factory=dict)  # digest -> name

    async def put(
        self,
        name: str,
        *tagged: str,
        days: float = 0,
        repository: str = "p/a",
        children: tuple[str, ...] = (),
        **more: Any,
    ) -> str:
        """Push a manifest, of an age; its digest."""
        listed = []
        for child in children:
            (row,) = await self.shelf.rows(
                "SELECT octet_length(manifest) FROM artifact WHERE digest = $1 LIMIT 1", child
            )
            listed.append({"mediaType": media.OCI_INDEX, "digest": child, "size": row[0]})
        body = {
            "schemaVersion": 2,
            "mediaType": media.OCI_INDEX,
            "manifests": listed,
            "annotations": {"n": name},
            **more,
        }
        raw = json.dumps(body).encode()
        digest = Digest.of(raw)
        await self.shelf.repository(repository).push_manifest(
            Body(pieces(raw), len(raw), None), None, digest, list(tagged)
        )
        await self.age(digest, days)
        self.names[digest] = name
        if not self.project:
            ((self.project,),) = await self.shelf.rows("SELECT project_id FROM project")
        return digest

    async def age(self, digest: str, days: float) -> None:
        since = timedelta(days=days)
        for statement in (
            "UPDATE artifact SET push_time = now() - $2::interval, keep_until = now() - $2::interval WHERE digest = $1",
            """UPDATE tag SET push_time = now() - $2::interval
            WHERE artifact_id IN (SELECT id FROM artifact WHERE digest = $1)""",
        ):
            await self.shelf.rows(f"{statement} RETURNING 1", digest, since)

    async def choose(self, *rules: Rule) -> int:
        """Pick; the execution."""
        async with self.shelf.database.transaction() as conn:
            execution = await start(conn, Wanted(retention.KIND, [{}], 1))
        async with self.shelf.database.transaction() as conn:
            await choose(conn, self.project, execution, keeps(list(rules)))
        return execution

    async def remove(self, execution: int, pulls: bool = False) -> None:
        for late in (False, True):
            taken = 1
            while taken:
                taken, _ = await retention.remove(self.shelf.database, execution, late, BATCH, pulls, UNDO, "retention")

    async def run(self, *rules: Rule) -> set[str]:
        """What went, by name."""
        execution = await self.choose(*rules)
        await self.remove(execution)
        assert await self.gone() == await self.picked(execution), "all that was picked went"
        return await self.gone()

    async def gone(self) -> set[str]:
        rows = await self.shelf.rows("SELECT digest FROM artifact WHERE deleted_at IS NOT NULL")
        return {self.names[row[0]] for row in rows}

    async def picked(self, execution: int) -> set[str]:
        rows = await self.shelf.rows("SELECT digest FROM retention_pick WHERE execution_id = $1", execution)
        return {self.names[row[0]] for row in rows}


@pytest_asyncio.fixture(loop_scope="session")
async def yard(shelf: Shelf) -> Yard:
    return Yard(shelf)


async def test_the_latest_ten_tags_stay(yard: Yard) -> None:
    for n in range(15):
        await yard.put(f"{n}", f"t{n}", days=n)
        await yard.put(f"b{n}", f"t{n}", days=n, repository="p/b")
    assert await yard.run(rule("latestPushedK", 10)) == {f"{b}{n}" for n in range(10, 15) for b in ("", "b")}


async def test_tags_that_match_stay(yard: Yard) -> None:
    for tag in ("v1", "v22", "vx", "latest", "1v"):
        await yard.put(tag, tag)
    assert await yard.run(rule("always", None, {"decoration": "matches", "pattern": "v[0-9]*"})) == {
        "vx",
        "latest",
        "1v",
    }


async def test_untagged_artifacts_go_after_thirty_days(yard: Yard) -> None:
    await yard.put("tagged", "t", days=90)
    await yard.put("young", days=29)
    await yard.put("old", days=31)
    tagged = {**ALL, "extras": '{"untagged":false}'}
    assert await yard.run(rule("always", None, tagged), rule("nDaysSinceLastPush", 30, UNTAGGED)) == {"old"}


async def test_what_has_a_label_stays(yard: Yard) -> None:
    kept = await yard.put("labelled", "a", days=90)
    await yard.put("other", "b", days=90)
    await yard.shelf.rows(
        """WITH made AS (INSERT INTO label (name) VALUES ('production=true'), ('x') RETURNING id, name)
        INSERT INTO artifact_label SELECT a.id, m.id FROM artifact a, made m
        WHERE a.digest = $1 OR m.name = 'x' RETURNING 1""",
        kept,
    )
    label = {"kind": "label", "decoration": "withLabels", "pattern": "production=true"}
    assert await yard.run(rule("always", None, label)) == {"other"}


async def test_pulls_and_days_are_counted(yard: Yard) -> None:
    for n in range(4):
        digest = await yard.put(f"{n}", f"t{n}", days=40 + n)
        pulled = "UPDATE artifact SET pull_time = now() - $2::interval WHERE digest = $1 RETURNING 1"
        if n in (1, 3):
            await yard.shelf.rows(pulled, digest, timedelta(days=n))
    assert await yard.picked(await yard.choose(rule("latestPulledN", 1))) == {"0", "2", "3"}
    assert await yard.picked(await yard.choose(rule("nDaysSinceLastPull", 2))) == {"0", "2", "3"}
    assert await yard.picked(await yard.choose(rule("nDaysSinceLastPull", 41))) == {"2"}
    assert await yard.picked(await yard.choose(rule("nDaysSinceLastPush", 42))) == {"2", "3"}
    both = (rule("latestPulledN", 1), rule("nDaysSinceLastPush", 41))
    assert await yard.picked(await yard.choose(*both)) == {"2", "3"}, "what any rule keeps stays"
    assert await yard.picked(await yard.choose(rule("latestPushedK", 0))) == {"0", "1", "2", "3"}
    assert await yard.picked(await yard.choose(rule("always", None, disabled=True))) == set()
    assert await yard.picked(await yard.choose()) == set()


async def test_repositories_that_no_rule_is_about_are_let_alone(yard: Yard) -> None:
    await yard.put("a", "t", repository="p/well-1/run/gr")
    await yard.put("b", "t", repository="p/well-2/run/gr")
    await yard.put("c", "t", repository="p/other")
    assert await yard.run(rule("latestPushedK", 0, **only("well-1/**"))) == {"a"}


async def test_the_versions_of_curves_and_their_final_ones(yard: Yard) -> None:
    """Per curve the last three versions, and each that is final or approved."""
    for curve in ("gr", "rhob"):
        for n in range(1, 9):
            await yard.put(f"{curve}{n}", f"v{n}", days=20 - n, repository=f"p/w/run/{curve}")
        for n, tag in ((2, "final"), (4, "approved"), (8, "latest")):
            repository = yard.shelf.repository(f"p/w/run/{curve}")
            (row,) = await yard.shelf.rows(
                "SELECT manifest, digest FROM artifact WHERE repository_name = $1 AND annotations ->> 'n' = $2",
                f"p/w/run/{curve}",
                f"{curve}{n}",
            )
            await repository.push_manifest(Body(pieces(row[0]), len(row[0]), None), None, Digest(row[1]), [tag])
            await yard.age(row[1], 20 - n)
    status = {"decoration": "matches", "pattern": "{final,approved}"}
    rules = (rule("latestPushedK", 3, **only("*/*/*")), rule("always", None, status, **only("*/*/*")))
    assert await yard.run(*rules) == {f"{curve}{n}" for curve in ("gr", "rhob") for n in (1, 3, 5)}


async def test_a_version_number_is_never_used_again(yard: Yard) -> None:
    packed = [packed_of(frame_of((float(n), 2.0))) for n in range(3)]
    for n, each in enumerate(packed[:2]):
        await yard.shelf.push("p/well-1/run-1/gr", each, f"v{n + 1}")
        yard.names[each.digest] = f"v{n + 1}"
        await yard.age(each.digest, 10 - n)
    ((yard.project,),) = await yard.shelf.rows("SELECT project_id FROM project")
    assert await yard.run(rule("latestPushedK", 0)) == {"v1", "v2"}
    with pytest.raises(CurveConflict):
        await yard.shelf.push("p/well-1/run-1/gr", packed[2], "v2")
    assert (await yard.shelf.push("p/well-1/run-1/gr", packed[2], numbered=True)).version == 3


async def test_what_a_kept_index_lists_stays_and_what_only_a_gone_one_lists_goes(yard: Yard) -> None:
    shared, own, other = [await yard.put(name, days=90) for name in ("shared", "own", "other")]
    inner = await yard.put("inner", days=80, children=(own,))
    await yard.put("kept", "keep", days=70, children=(shared, inner))
    await yard.put("old", "drop", days=75, children=(shared, other))
    assert await yard.run(rule("always", None, {"decoration": "matches", "pattern": "keep"})) == {"old", "other"}


async def test_a_superseded_well_index_without_a_tag_holds_nothing(yard: Yard) -> None:
    well: dict[str, Any] = {"artifactType": media.WELL, "repository": "p/well-1"}
    first, second = [await yard.put(name, days=90, repository="p/well-1/run/gr") for name in ("v1", "v2")]
    await yard.put("index 1", "latest", days=80, children=(first,), **well)
    await yard.put("index 2", "latest", days=70, children=(second,), **well)
    await yard.age(first, 90)  # its copy beside the index too, whose lease began with that one's push
    execution = await yard.choose(rule("latestPushedK", 10, **only("well-1")))
    await yard.remove(execution)
    left = await yard.shelf.rows(
        "SELECT digest FROM artifact WHERE repository_name = 'p/well-1' AND deleted_at IS NULL"
    )
    assert {yard.names[row[0]] for row in left} == {"index 2", "v2"}


async def test_an_accessory_stays_with_its_subject_and_goes_with_it(yard: Yard) -> None:
    for name in ("keep", "drop"):
        subject = await yard.put(name, name, days=90)
        (row,) = await yard.shelf.rows("SELECT octet_length(manifest) FROM artifact WHERE digest = $1", subject)
        about = {"mediaType": media.OCI_INDEX, "digest": subject, "size": row[0]}
        await yard.put(f"signature of {name}", days=90, subject=about, artifactType="application/vnd.test.signature")
    keep = rule("always", None, {"decoration": "matches", "pattern": "keep", "extras": '{"untagged":false}'})
    assert await yard.run(keep) == {"drop", "signature of drop"}


async def test_an_untagged_push_is_kept_for_its_lease(yard: Yard) -> None:
    digest = await yard.put("promised", days=5)
    await yard.put("tagged", "t", days=5)
    await yard.shelf.rows(
        "UPDATE artifact SET keep_until = now() + interval '1 hour' WHERE digest = $1 RETURNING 1", digest
    )
    assert await yard.run(rule("latestPushedK", 0)) == {"tagged"}


async def fixed(yard: Yard, pattern: str) -> None:
    """An immutable rule."""
    selector = [{"decoration": "matches", "pattern": pattern}]
    compiled = tags(rule("always", None, *selector).tag_selectors)
    async with yard.shelf.database.transaction() as conn:
        await immutable.create(
            conn,
            SYSTEM,
            yard.project,
            immutable.Rule({"tag_selectors": selector}, repositories({}), compiled, True),
            {},
        )


async def test_immutable_tags_stay_but_where_a_rule_lets_them_expire(yard: Yard) -> None:
    await yard.put("old", "v1", days=40)
    await yard.put("young", "v2", days=20)
    await yard.put("free", "x", days=40)
    await fixed(yard, "v*")
    assert await yard.picked(await yard.choose(rule("latestPushedK", 0))) == {"free"}
    execution = await yard.choose(rule("latestPushedK", 0, params={EXPIRE: 30}))
    await yard.remove(execution)
    assert await yard.gone() == {"old", "free"}


@pytest.mark.parametrize("of", ["project", "repository", "artifact"])
async def test_what_is_held_stays(yard: Yard, of: str) -> None:
    digest = await yard.put("held", "a", days=9)
    await yard.put("beside", "b", days=9)
    await yard.put("elsewhere", "b", days=9, repository="p/b")
    where = {"project": (None, None), "repository": ("p/a", None), "artifact": ("p/a", digest)}[of]
    async with yard.shelf.database.transaction() as conn:
        await holds.place(conn, SYSTEM, yard.project, *where, "case", {})
    expected = {"project": set(), "repository": {"elsewhere"}, "artifact": {"beside", "elsewhere"}}[of]
    assert await yard.run(rule("latestPushedK", 0)) == expected


async def test_what_changed_since_it_was_picked_stays(yard: Yard) -> None:
    """Between choice and batch: a tag, an index that lists it, a pull, a hold, an immutable rule, the push again."""
    digests = {name: await yard.put(name, f"t-{name}", days=90) for name in ("tag", "pull", "hold", "rule", "goes")}
    digests["listed"] = await yard.put("listed", days=90)
    digests["again"] = await yard.put("again", days=90)
    execution = await yard.choose(rule("latestPushedK", 0))
    assert await yard.picked(execution) == set(digests)
    for name, tag in (("tag", "new"), ("again", None)):
        (row,) = await yard.shelf.rows("SELECT manifest FROM artifact WHERE digest = $1", digests[name])
        body = Body(pieces(row[0]), len(row[0]), None)
        await yard.shelf.repository("p/a").push_manifest(body, None, Digest(digests[name]), [tag] if tag else [])
    await yard.put("index", "index", children=(digests["listed"],))
    await yard.shelf.rows(
        "UPDATE artifact SET pull_time = clock_timestamp() WHERE digest = $1 RETURNING 1", digests["pull"]
    )
    async with yard.shelf.database.transaction() as conn:
        await holds.place(conn, SYSTEM, yard.project, "p/a", digests["hold"], "case", {})
    await fixed(yard, "t-rule")
    await yard.remove(execution, pulls=True)
    assert await yard.gone() == {"goes"}
    rows = await yard.shelf.rows(
        "SELECT digest FROM retention_pick WHERE execution_id = $1 AND state = 'kept'", execution
    )
    assert {yard.names[row[0]] for row in rows} == set(digests) - {"goes"}


async def test_what_goes_is_told_and_can_be_restored(yard: Yard) -> None:
    digest = await yard.put("gone", "a", "b", days=9)
    await yard.run(rule("latestPushedK", 0))
    told = await yard.shelf.rows(
        "SELECT payload ->> 'tags', username FROM event WHERE kind = 'artifact.deleted' AND payload ->> 'digest' = $1",
        digest,
    )
    assert told == [('["a", "b"]', "retention")]
    logged = await yard.shelf.rows("SELECT username, resource FROM access_log WHERE operation = 'delete'")
    assert logged == [("retention", digest)]
    moved = "SELECT name, username FROM tag_history WHERE to_digest IS NULL ORDER BY name"
    assert await yard.shelf.rows(moved) == [("a", "retention"), ("b", "retention")]
    back = """SELECT artifact_restore(repository_id, $1, true, '1 hour', 'me', '', '') FROM repository"""
    assert await yard.shelf.rows(back, digest) == [(["a", "b"],)]


async def test_a_run_waits_while_the_registry_is_read_only(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a dry one does not. With no-push it goes on: what it does is no push."""
    monkeypatch.setattr(queue, "WAIT", 0.01)
    await yard.put("gone", "a", days=9)
    database = yard.shelf.database
    rules = msgspec.to_builtins([rule("latestPushedK", 0)])

    async def mode(wanted: settings.Mode) -> None:
        async with database.transaction() as conn:
            await settings.set_mode(conn, SYSTEM, wanted)

    async def until(statement: str) -> None:
        while not await yard.shelf.rows(f"SELECT 1 WHERE {statement}"):  # noqa: ASYNC110  the event is in the database
            await asyncio.sleep(0.02)

    await mode(settings.Mode.READ_ONLY)
    async with database.transaction() as conn:
        policy = await retention.create(conn, SYSTEM, yard.project, rules, {"kind": ""}, True, {})
        dry = await run_policy(conn, policy, True, "manual", "me")
        await run_policy(conn, policy, False, "manual", "me")
    working = queue.Queue(database, {retention.KIND: Kind(RunRetention(database, UNDO), attempts=1)})
    running = asyncio.create_task(working.run())
    await until(f"EXISTS (SELECT FROM execution WHERE id = {dry} AND status = 'success')")
    await until("EXISTS (SELECT FROM task WHERE waits > 2 AND status_message LIKE '%read-only%')")
    assert await yard.gone() == set()
    await mode(settings.Mode.NO_PUSH)
    await until("NOT EXISTS (SELECT FROM execution WHERE status <> 'success')")
    assert await yard.gone() == {"gone"}
    working.stop()
    await running


@pytest.mark.parametrize(
    "said",
    [
        {"template": "newest", "tag_selectors": [ALL]},
        {"template": "latestPushedK", "tag_selectors": [ALL]},
        {"template": "latestPushedK", "tag_selectors": [ALL], "params": {"latestPushedK": -1}},
        {"template": "latestPushedK", "tag_selectors": [ALL], "params": {"latestPushedK": "10"}},
        {"template": "latestPushedK", "tag_selectors": [ALL], "params": {"latestPushedK": True}},
        {"template": "latestPushedK", "tag_selectors": [ALL], "params": {"latestPushedK": 1.5}},
        {"template": "always", "tag_selectors": []},
        {"template": "always", "tag_selectors": [{**ALL, "pattern": "{"}]},
        {"template": "always", "tag_selectors": [ALL], "params": {EXPIRE: -1}},
    ],
)
async def test_a_rule_that_is_none_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(QueryInvalid):
        keeps([msgspec.convert(said, Rule)])


async def test_two_rules_that_say_the_same_are_refused() -> None:
    with pytest.raises(QueryInvalid):
        keeps([rule("always"), msgspec.structs.replace(rule("always"), id=7)])
