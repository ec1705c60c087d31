"""Any order of calls against a dictionary: what a driver holds is what the dictionary says, after every step."""

import asyncio
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from dataforge_registry.drivers.base import Driver, NotFound, Staging, StagingLost

from .bodies import body, broken, collect, keys, read
from .makers import HEAVY, KINDS, MAKERS

KEYS = st.sampled_from(["a", "b-c", "b.c", "b/c", "b/d/e", "b/d-e", "b0", "é/ü", "blobs/sha256/a3/f2/x"])
PREFIXES = st.sampled_from(["", "b", "b/", "b/d", "b/d/", "blobs/sha256/", "z"])
CHUNKS = st.lists(st.binary(max_size=20), max_size=4)


class DriverMachine(RuleBasedStateMachine):
    """`held` is what is at the keys; `staged` the bytes of each staging, `rows` what a row may still say of it."""

    kind: str
    stagings = Bundle("stagings")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.driver: Driver = MAKERS[self.kind](Path(self.folder.name))
        self.held: dict[str, bytes] = {}
        self.staged: dict[str, bytes] = {}
        self.rows: dict[str, list[Staging]] = {}

    def teardown(self) -> None:
        self.runner.run(self.driver.close())
        self.runner.close()
        self.folder.cleanup()

    def lost(self, staging: Staging) -> bool:
        return staging.size > 0 and staging.id not in self.staged

    def overtaken(self, staging: Staging) -> bool:
        """Whether an append or commit of a shorter one came since: no row speaks of such a staging any more."""
        return staging.size > 0 and staging not in self.rows.get(staging.id, [])

    def written(self, by: Staging, now: Staging) -> None:
        """What was known beyond a staging that was written on is no more."""
        self.rows[by.id] = [known for known in self.rows.get(by.id, []) if known.size <= by.size] + [now]

    @rule(key=KEYS, chunks=CHUNKS)
    def put(self, key: str, chunks: list[bytes]) -> None:
        assert self.runner.run(self.driver.put(key, body(*chunks))) == len(b"".join(chunks))
        self.held[key] = b"".join(chunks)

    @rule(key=KEYS, chunks=CHUNKS)
    def put_breaks(self, key: str, chunks: list[bytes]) -> None:
        with pytest.raises(ConnectionResetError):
            self.runner.run(self.driver.put(key, broken(*chunks)))

    @rule(key=KEYS, start=st.integers(0, 40), stop=st.none() | st.integers(0, 40))
    def open(self, key: str, start: int, stop: int | None) -> None:
        if key in self.held:
            assert self.runner.run(read(self.driver, key, start, stop)) == self.held[key][start:stop]
        else:
            with pytest.raises(NotFound):
                self.runner.run(read(self.driver, key, start, stop))

    @rule(gone=st.lists(KEYS, max_size=3))
    def delete(self, gone: list[str]) -> None:
        self.runner.run(self.driver.delete_many(gone))
        for key in gone:
            self.held.pop(key, None)

    @rule(prefix=PREFIXES, after=PREFIXES | KEYS)
    def list_keys(self, prefix: str, after: str) -> None:
        expected = [key for key in self.held if key.startswith(prefix) and key > after]
        assert self.runner.run(keys(self.driver, prefix, after)) == sorted(expected)

    @rule(target=stagings)
    def begin(self) -> Staging:
        staging = self.runner.run(self.driver.begin())
        assert staging.id not in self.staged
        self.staged[staging.id] = b""
        return staging

    @rule(target=stagings, staging=stagings, chunks=CHUNKS)
    def append(self, staging: Staging, chunks: list[bytes]) -> object:
        if self.lost(staging):
            with pytest.raises(StagingLost):
                self.runner.run(self.driver.append(staging, body(*chunks)))
            return multiple()
        if self.overtaken(staging):
            return multiple()
        grown = self.runner.run(self.driver.append(staging, body(*chunks)))
        self.staged[staging.id] = self.staged.get(staging.id, b"")[: staging.size] + b"".join(chunks)
        assert (grown.id, grown.size) == (staging.id, len(self.staged[staging.id]))
        self.written(staging, grown)
        return grown

    @rule(staging=stagings, key=KEYS)
    def commit(self, staging: Staging, key: str) -> None:
        if key not in self.held and self.lost(staging):
            with pytest.raises(StagingLost):
                self.runner.run(self.driver.commit(staging, key))
            return
        if self.overtaken(staging):
            return
        self.runner.run(self.driver.commit(staging, key))
        if key not in self.held:
            self.held[key] = self.staged.get(staging.id, b"")[: staging.size]
            self.staged[staging.id] = self.held[key]
            self.written(staging, staging)  # what lay beyond may be cut off

    @rule(target=stagings, staging=stagings)
    def fork(self, staging: Staging) -> object:
        if self.lost(staging):
            with pytest.raises(StagingLost):
                self.runner.run(self.driver.fork(staging))
            return multiple()
        if self.overtaken(staging):
            return multiple()
        copied = self.runner.run(self.driver.fork(staging))
        assert copied.id not in self.staged
        self.staged[copied.id] = self.staged.get(staging.id, b"")[: staging.size]
        self.written(copied, copied)
        return copied

    @rule(staging=stagings)
    def read_staging(self, staging: Staging) -> None:
        if self.lost(staging):
            with pytest.raises(StagingLost):
                self.runner.run(self.driver.read(staging))
        elif not self.overtaken(staging):
            expected = self.staged.get(staging.id, b"")[: staging.size]
            assert self.runner.run(collect(self.driver, staging)) == expected

    @rule(staging=stagings)
    def abort(self, staging: Staging) -> None:
        self.runner.run(self.driver.abort(staging))
        self.staged.pop(staging.id, None)

    @invariant()
    def every_key_is_as_it_should_be(self) -> None:
        async def contents() -> dict[str, bytes]:
            return {key: await read(self.driver, key) for key in await keys(self.driver)}

        assert self.runner.run(contents()) == self.held

    @invariant()
    def no_staging_is_forgotten(self) -> None:
        async def stale() -> set[str]:
            return {staging.id async for staging in self.driver.stale(time.time() + 60)}

        found = self.runner.run(stale())
        assert {name for name, content in self.staged.items() if content} <= found


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_of_calls(kind: str) -> None:
    machine = type("Machine", (DriverMachine,), {"kind": kind})
    examples = 4 if kind in HEAVY else 25 if kind.endswith(("memory", "filesystem")) else 8
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None))
