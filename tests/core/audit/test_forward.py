"""The forwarded trail: a real collector gets every row, in order, whatever dies in between."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.core.records import forwarding
from dataforge_registry.core.records.journal import Entry
from dataforge_registry.core.syslog import DATAGRAM, Endpoint, row_message
from dataforge_registry.core.work import forward
from dataforge_registry.core.work.forward import Forwarder

from ...certificate import make_certificate
from .collector import Collector, read
from .conftest import Trail

NEVER = timedelta(days=1)


def forwarder(trail: Trail, collector: Collector, scheme: str = "tcp") -> Forwarder:
    return Forwarder(trail.database, f"{scheme}://127.0.0.1:{collector.port}", patience=10)


async def begin(trail: Trail) -> None:
    """From here on rows are forwarded."""
    async with trail.database.acquire() as conn:
        await forwarding.place(conn)


async def forward_all(one: Forwarder) -> None:
    idle = 0
    while idle < 3:  # the horizon follows by a step
        idle = 0 if await one.step() else idle + 1


@pytest.mark.asyncio
async def test_every_row_comes_once_and_in_order_with_the_checkpoints(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "BATCH", 30)
    await trail.write(10)
    await begin(trail)
    await trail.write(100)
    with Collector() as collector:
        one = forwarder(trail, collector)
        await forward_all(one)
        await trail.seal()
        await trail.write(7)
        await forward_all(one)
    expected = [number for number in reversed(await trail.ids()) if number > 10]
    assert collector.ids == expected
    last = collector.messages[-1]
    assert (last.priority, last.application, last.name) == (13 * 8 + 5, "dataforge-registry", "push_artifact")
    assert last.data["user"] == "user7"
    assert last.data["repository"] == "p/r0"
    assert last.data["result"] == "success"
    points = [message.data for message in collector.messages if message.name == "checkpoint"]
    assert [point["number"] for point in points] == ["1", "2", "3"]
    assert (await trail.check(points[-1]["chain"])).findings == []
    assert (await trail.check("1" * 64)).findings != []


@pytest.mark.asyncio
async def test_a_collector_that_is_away_misses_nothing(trail: Trail) -> None:
    await begin(trail)
    with Collector() as collector:
        one = forwarder(trail, collector)
        await trail.write(20)
        await forward_all(one)
    for _ in range(2):
        await trail.write(20)
        with pytest.raises(Unavailable, match="audit collector tcp://127"):
            await forward_all(one)
    with collector:  # back, and so is a worker of another process
        await trail.execute("UPDATE audit_forward SET until = now()")
        await forward_all(forwarder(trail, collector))
    assert collector.ids == list(reversed(await trail.ids()))


@pytest.mark.asyncio
@pytest.mark.parametrize("dies_after", [0, 1, 5_000])
async def test_what_a_collector_had_not_read_when_it_died_comes_again(trail: Trail, dies_after: int) -> None:
    await begin(trail)
    await trail.write(100)
    with Collector(dies_after=dies_after) as collector:
        one = forwarder(trail, collector)
        with pytest.raises(Unavailable, match="has not taken"):
            await forward_all(one)
        before = len(collector.ids)
        await forward_all(one)
    expected = list(reversed(await trail.ids()))
    assert collector.ids[:before] == expected[:before]
    assert collector.ids[before:] == expected


@pytest.mark.asyncio
async def test_one_worker_forwards_at_a_time(trail: Trail) -> None:
    await begin(trail)
    await trail.write(10)
    with Collector() as collector:
        async with trail.database.acquire() as conn:
            assert await forwarding.take(conn, "another", NEVER) is not None
            assert await forwarding.take(conn, "a third", NEVER) is None
        await forward_all(forwarder(trail, collector))
        assert collector.ids == []
        await trail.execute("UPDATE audit_forward SET until = now()")  # the other died
        workers = [forwarder(trail, collector) for _ in range(4)]
        await asyncio.gather(*(forward_all(each) for each in workers))
    assert collector.ids == list(reversed(await trail.ids()))


@pytest.mark.asyncio
async def test_one_that_was_taken_over_moves_nothing(trail: Trail) -> None:
    await begin(trail)
    await trail.write(10)
    async with trail.database.acquire() as conn:
        old = await forwarding.take(conn, "slow", timedelta(0))
        assert old is not None
        new = await forwarding.take(conn, "next", NEVER)
        assert new == old
        await forwarding.advance(conn, "slow", old, forwarding.Place(10, 0))
        assert await forwarding.place(conn) == (old, False)


@pytest.mark.asyncio
async def test_tls_to_a_collector_whose_certificate_is_trusted(
    trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    await begin(trail)
    await trail.write(40)
    with Collector(tls=(certificate, key)) as collector:
        one = forwarder(trail, collector, "tls")
        with pytest.raises(Unavailable, match="certificate"):
            await forward_all(one)
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        await forward_all(one)
    assert collector.ids == list(reversed(await trail.ids()))


@pytest.mark.asyncio
async def test_udp_sends_a_datagram_a_row(trail: Trail) -> None:
    await begin(trail)
    await trail.write(5)
    await trail.execute("INSERT INTO access_log (username, operation, resource) VALUES ('u', 'push', $1)", "é" * 9000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        one = Forwarder(trail.database, f"udp://127.0.0.1:{receiver.getsockname()[1]}")
        await forward_all(one)
        got = [receiver.recv(65536) for _ in range(6)]
    assert [int(read(raw).data["id"]) for raw in got[:5]] == list(reversed(await trail.ids()))[:5]
    assert DATAGRAM - 1 <= len(got[5]) <= DATAGRAM
    got[5].decode()


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(TEXT, TEXT, TEXT, st.sampled_from(["push", "pull", "login"]), st.booleans())
def test_no_value_ends_its_element(user: str, resource: str, request: str, operation: str, result: bool) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    row = Entry(7, moment, user, 3, "p/r", "v1", operation, "artifact", resource, result, "", request)
    message = read(row_message(row, "host"))
    assert message.time == "2026-01-02T03:04:05.000006Z"

    def same(value: str, was: str) -> bool:
        return len(value) == len(was) and all(
            a in (b, "\N{REPLACEMENT CHARACTER}") for a, b in zip(value, was, strict=True)
        )

    assert same(message.data.get("user", ""), user)
    assert same(message.data.get("resource", ""), resource)
    assert same(message.data.get("request", ""), request)
    assert (message.data["id"], message.data["project"], message.data["tag"]) == ("7", "3", "v1")
    assert len(message.text.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [("log:10514", "tcp://log:10514"), ("tls://[::1]:6514", "tls://[::1]:6514"), ("udp://10.0.0.1:514",) * 2],
)
def test_collectors(text: str, shown: str) -> None:
    assert str(Endpoint.parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "log",
        "log:",
        "log:0",
        "log:99999",
        "http://log:1",
        "tcp://ann:secret@log:1",
        "log:1/x",
        "a b:1",
        "[::1:5",
        f"{'a' * 64}:1",
        f"{'a.' * 130}a:1",
    ],
)
def test_what_is_no_collector(text: str) -> None:
    with pytest.raises(ValueError, match="is no collector: write host:port"):
        Endpoint.parse(text)
