"""A task's life against a model of it: whatever claims, deaths, stops and late words come in whatever order."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.records import work
from dataforge_registry.core.records.database import Connection, Database
from dataforge_registry.core.work.queue import start
from dataforge_registry.core.work.task import Wanted

SILENCE = 1000.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["claim", "beat", "release", "wait", "success", "error", "silence", "stop", "claim", "silence"]
        ),
        st.integers(0, 1),
    ),
    min_size=3,
    max_size=14,
)


@dataclass
class Model:
    """What the row must say, and who may speak for it."""

    status: str = "pending"
    attempt: int = 0
    waits: int = 0
    silent: bool = False
    stop: bool = False
    claims: dict[int, int] = field(default_factory=dict)

    def holds(self, worker: int) -> bool:
        return self.status == "running" and self.claims.get(worker) == self.attempt

    def claim(self, worker: int) -> str:
        """What a claim answers."""
        if self.status not in ("pending", "running"):
            return "nothing"
        if self.status == "running" and not self.silent:
            return "busy"
        if self.stop:
            self.status = "stopped"
            return "nothing"
        self.status, self.silent = "running", False
        self.attempt += 1
        self.claims[worker] = self.attempt
        return "taken"

    def say(self, worker: int, status: str) -> bool:
        """Whether a worker's word counts."""
        if not self.holds(worker):
            return False
        self.status = status
        return True

    def request_stop(self) -> None:
        if self.status == "pending":
            self.status = "stopped"
        if self.status == "running":
            self.stop = True


async def claimed(conn: Connection, task: int, claims: dict[int, work.Claim], worker: int) -> str:
    try:
        claim = await work.claim_task(conn, task, SILENCE)
    except work.Busy:
        return "busy"
    if claim is None:
        return "nothing"
    claims[worker] = claim
    return "taken"


@pytest.mark.asyncio
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_the_row_is_what_the_model_says(database: Database, steps: list[tuple[str, int]]) -> None:
    model, claims = Model(), dict[int, work.Claim]()
    async with database.transaction() as conn:
        execution = await start(conn, Wanted("kind", [{}]))
        task: int = await conn.fetchval("SELECT id FROM task WHERE execution_id = $1", execution)
    for step, worker in steps:
        async with database.transaction() as conn:
            claim = claims.get(worker)
            if step == "claim":
                assert await claimed(conn, task, claims, worker) == model.claim(worker)
            elif step == "silence":
                await conn.execute("UPDATE task SET update_time = now() - interval '1 day' WHERE id = $1", task)
                model.silent = True
            elif step == "stop":
                await work.stop_execution(conn, execution)
                model.request_stop()
            elif claim is None:
                continue
            elif step == "beat":
                expected = model.stop if model.holds(worker) else None
                assert await work.beat_task(conn, claim) is expected
                model.silent = model.silent and expected is None
            elif step == "release":
                assert await work.release_task(conn, claim, "") is model.say(worker, "pending")
            elif step == "wait":
                waits = model.say(worker, "pending")
                model.waits += waits
                assert await work.release_task(conn, claim, "", waits=True) is waits
            elif step == "success":
                assert await work.finish_task(conn, claim, "success") is model.say(worker, "success")
            else:
                assert await work.finish_task(conn, claim, "error") is model.say(worker, "error")
        async with database.acquire() as conn:
            for other, late in claims.items():  # words of attempts that are over change nothing, at any moment
                if not model.holds(other):
                    assert await work.beat_task(conn, late) is None
                    assert not await work.release_task(conn, late, "")
                    assert not await work.finish_task(conn, late, "error")
            row = await conn.fetchrow(
                "SELECT t.status, t.attempts, t.waits, t.end_time IS NOT NULL AS ended, e.status AS whole,"
                " e.end_time IS NOT NULL AS whole_ended FROM task t JOIN execution e ON e.id = t.execution_id"
                " WHERE t.id = $1",
                task,
            )
        assert row is not None
        over = model.status in ("success", "error", "stopped")
        assert (row["status"], row["attempts"], row["ended"]) == (model.status, model.attempt, over)
        assert row["waits"] == model.waits
        assert row["whole_ended"] is over
        assert row["whole"] == model.status if over else row["whole"] in ("pending", "running")
