"""No 201 before bytes, name and rows are durable, in this order (promise P4), as the kernel saw it.

PostgreSQL's part ends with its answer: that a COMMIT is on disk when it is answered is PostgreSQL's own promise.
"""

import secrets
from itertools import pairwise
from pathlib import Path

import pytest

from .server import Server, sha256
from .trace import Call, parse, traced

pytestmark = pytest.mark.tool("strace")
PUSHES = 3
SENDS = ("write", "writev", "sendto", "sendmsg")
READS = ("read", "recvfrom", "recvmsg")


class Trace:
    """What a server did for some pushes."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls

    def one(self, names: tuple[str, ...], text: str, after: int = 0, on: str = "") -> Call:
        """The first such call that began after a place, with a text among its arguments."""
        for call in self._calls:
            if call.name in names and call.began >= after and text in call.arguments and on in call.on:
                assert call.result >= 0
                return call
        raise AssertionError(f"no {'/'.join(names)} of {text!r} on {on!r} after {after}")

    def statements(self, digest: str) -> list[Call]:
        """Messages to PostgreSQL that carry a digest."""
        sends = [call for call in self._calls if call.name in SENDS and "UNIX" in call.on]
        return [call for call in sends if digest in call.arguments]

    def answer(self, statement: Call) -> Call:
        """PostgreSQL's answer to it."""
        return self.one(READS, "", statement.ended, on=statement.on)

    def created(self, digest: str) -> Call:
        """The 201 of a blob."""
        for call in self._calls:
            if call.name in SENDS and "TCP" in call.on and "201" in call.arguments and digest in call.arguments:
                return call
        raise AssertionError("no 201 in the trace")


def push(server: Server, size: int, path: Path) -> tuple[Trace, str]:
    """Trace one push by POST and PUT."""
    data = secrets.token_bytes(size)
    location = server.send("POST", "/v2/faults/order/blobs/uploads/")[1]["location"]
    with traced(server.pid, path):
        assert server.send("PUT", f"{location}?digest={sha256(data)}", data)[0] == 201
    return Trace(parse(path.read_text(errors="replace"))), sha256(data)


def in_order(*calls: Call) -> None:
    """Each over before the next began."""
    for earlier, later in pairwise(calls):
        assert earlier.ended < later.began, (earlier.name, later.name)


def test_a_large_blob_is_durable_before_it_is_acknowledged(server: Server, tmp_path: Path) -> None:
    for number in range(PUSHES):
        trace, digest = push(server, 20_000 + number * 800_000, tmp_path / str(number))
        name = digest.partition(":")[2]
        written = trace.one(("pwritev2",), "", on="/uploads/")
        synced = trace.one(("fdatasync",), "", written.ended, on="/uploads/")
        claim, finish = trace.statements(digest)
        linked = trace.one(("linkat",), name)
        folder = trace.one(("fsync",), "", linked.ended, on=f"/{name[:2]}/{name[2:4]}")
        in_order(written, synced, claim, trace.answer(claim), linked, folder, finish)
        in_order(finish, trace.answer(finish), trace.created(digest))


def test_a_small_blob_is_in_its_row_before_it_is_acknowledged(server: Server, tmp_path: Path) -> None:
    for number in range(PUSHES):
        trace, digest = push(server, 100 + number, tmp_path / str(number))
        (kept,) = trace.statements(digest)
        in_order(kept, trace.answer(kept), trace.created(digest))
