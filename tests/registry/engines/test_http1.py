"""The strict parser and the inbox by themselves, over everything hypothesis can think of."""

import asyncio
import itertools
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dataforge_registry.registry.engines.grammar import HOST, METHOD
from dataforge_registry.registry.engines.inbox import CAPACITY, Inbox
from dataforge_registry.registry.engines.parsing import Parser, Refused
from dataforge_registry.registry.sections import Http

LIMITS = Http()


def parse(pieces: list[bytes]) -> tuple[list[Any], int | None]:
    """What the parser makes of one request that arrives in pieces: method, target and headers, the body, "end" where it
    is whole; and the refusal."""
    parser, head, body, left = Parser(LIMITS), None, b"", 0
    told: list[Any] = []
    try:
        for piece in pieces:
            if head is None:
                head, piece = parser.head(piece)
                if head is None:
                    continue
                told.append((head.method, head.target, head.headers))
                left = head.length or 0
            if head.length is None and "end" not in told:
                content, last = parser.chunks(piece) if piece else (b"", False)
                body += content
                told += ["end"] if last else []
            elif head.length is not None:
                body, left = body + piece[:left], left - len(piece[:left])
    except Refused as refused:
        return [*told, body], refused.status
    if head is not None and head.length is not None and not left:
        told.append("end")
    return [*told, body], None


def by_h11(raw: bytes) -> list[Any] | None:
    """The same by another parser; None where it finds no whole request."""
    connection, told, body = h11.Connection(h11.SERVER, LIMITS.header_limit), list[Any](), b""
    connection.receive_data(raw)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                told.append((event.method, event.target, list(event.headers)))
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return [*told, "end", body]
            else:
                return None
    except h11.RemoteProtocolError:
        return None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges) if start < stop]


token = st.from_regex(r"[A-Za-z0-9-]{1,12}", fullmatch=True)
value = st.from_regex(r"([!-~]([ !-~]{0,20}[!-~])?)?", fullmatch=True)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request that follows the grammar, with a body or without."""
    target = draw(st.from_regex(r"/[!-\"$-~]{0,40}", fullmatch=True))
    fields = draw(st.lists(st.tuples(token, value), max_size=8))
    special = {"host", "content-length", "transfer-encoding", "expect"}
    lines = [f"{name}: {text}" for name, text in fields if name.lower() not in special]
    body = draw(st.binary(max_size=200))
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    if kind == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif kind == "chunked":
        lines.append("Transfer-Encoding: chunked")
        size = draw(st.integers(1, 50))
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    else:
        body = b""
    head = "\r\n".join([f"PUT {target} HTTP/1.1", "Host: a", *lines, "", ""])
    return head.encode() + body


@settings(deadline=None)
@given(requests(), st.lists(st.integers(0, 10_000), max_size=10))
def test_how_a_request_is_cut_makes_no_difference(raw: bytes, places: list[int]) -> None:
    whole = parse([raw])
    assert whole[1] is None
    assert whole[0][-2] == "end"
    assert parse(cut(raw, places)) == whole
    assert whole[0] == by_h11(raw)


@settings(deadline=None)
@given(requests(), st.integers(0, 10_000), st.sampled_from([b"\n", b"\n ", b"\r\n\t"]))
def test_a_stray_line_end_in_a_head_is_refused_however_it_arrives(raw: bytes, place: int, stray: bytes) -> None:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    number = place % len(lines)
    at = 1 + place % len(lines[number])
    lines[number] = lines[number][:at] + stray + lines[number][at:]
    broken = b"\r\n".join([first, *lines, b"", body])
    assert parse([broken])[1] in (400, 431)
    assert parse([broken[i : i + 1] for i in range(len(broken))])[1] in (400, 431)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_are_parsed_or_refused(raw: bytes, places: list[int]) -> None:
    _, status = parse(cut(raw, places))
    assert status in (None, 400, 414, 431, 501, 505)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A request with a few bytes changed, taken out or put in."""
    raw = bytearray(draw(requests()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        odd = draw(
            st.sampled_from([b"", b"\r", b"\n", b" ", b":", b"\0", b"\t", b"5", b"HTTP/", b",", b"\xff", b"\r\n"])
        )
        raw[at : at + draw(st.integers(0, 2))] = odd
    return bytes(raw)


@settings(max_examples=500, deadline=None)
@given(damaged())
def test_what_is_taken_another_parser_takes_alike(raw: bytes) -> None:
    """Two parsers that read one request differently are how requests are smuggled."""
    told, status = parse([raw])
    if status is None and "end" in told and not raw.startswith(b"\r\n"):
        assert told == by_h11(raw)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_no_host_that_passes_has_anything_but_a_host(text: bytes) -> None:
    if HOST.fullmatch(text):
        assert not set(text) & set(b"/?#@\\%\r\n\t \0\"'<>")


@settings(deadline=None)
@given(st.text(max_size=12))
def test_methods(text: str) -> None:
    if METHOD.fullmatch(text.encode()):
        assert text == text.upper()


@pytest.mark.parametrize(
    ("head", "endless", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 1000, 431),
        (b"GET /", b"a" * 1000, 414),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 10, 431),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 1000, 431),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", b"a" * 1000, 431),
    ],
)
def test_what_grows_without_end_is_refused_at_the_limit(head: bytes, endless: bytes, status: int) -> None:
    pieces = [head]
    while parse(pieces)[1] is None and len(pieces) < 200:
        pieces.append(endless)
    assert parse(pieces)[1] == status
    assert sum(map(len, pieces)) <= LIMITS.header_limit + len(head) + 2 * len(endless)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"get /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"BREW /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET v2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET  /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /v2/\r\nHost: a\r\n\r\n", 400),
        (b"GET /v2/ HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"OPTIONS /v2/ RTSP/1.0\r\nHost: a\r\n\r\n", 400),
        (b"SOURCE /v2/ ICE/1.0\r\nHost: a\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ],
)
def test_heads(raw: bytes, status: int | None) -> None:
    assert parse([raw])[1] == status


def test_empty_lines_before_a_request_are_taken_off_at_once() -> None:
    """Line by line, each piece of a socket's read cost seconds: it was copied for each of its lines."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert parse([b"\r\n" * (1 << 17)] * 8 + [request]) == parse([request])


def test_trailers_are_no_headers() -> None:
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    told, status = parse([head, b"1\r\nx\r\n0\r\nAuthorization: Basic eDp5\r\n\r\n"])
    assert status is None
    assert told == [(b"PUT", b"/", [(b"host", b"a"), (b"transfer-encoding", b"chunked")]), "end", b"x"]


class InboxMachine(RuleBasedStateMachine):
    """An inbox against a list: nothing is lost before the close, nothing comes after it, nobody waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.first_reads = 0
        self.inbox = Inbox(self.first_read)
        self.number = 0
        self.expected: list[int] = []
        self.closed = False
        self.putting: asyncio.Task[None] | None = None
        self.getting: asyncio.Task[Any] | None = None

    async def first_read(self) -> None:
        self.first_reads += 1

    def settle(self) -> None:
        """Let every task go as far as it can."""
        for _ in range(5):
            self.loop.run_until_complete(asyncio.sleep(0))

    @precondition(lambda self: self.putting is None)
    @rule()
    def put(self) -> None:
        self.number += 1
        if not self.closed:
            self.expected.append(self.number)
        self.putting = self.loop.create_task(self.inbox.put({"type": "http.request", "number": self.number}))
        self.settle()

    @precondition(lambda self: self.getting is None)
    @rule()
    def get(self) -> None:
        self.getting = self.loop.create_task(self.inbox.get())
        self.settle()

    @rule(how=st.sampled_from(["event", "call"]))
    def close(self, how: str) -> None:
        if not self.closed and self.putting is not None and not self.putting.done():
            self.expected.pop()  # it never came in
        self.closed = True
        if how == "call":
            self.inbox.close()
        else:
            self.loop.run_until_complete(asyncio.wait_for(self.inbox.put({"type": "http.disconnect"}), 5))
        self.settle()

    @invariant()
    def look(self) -> None:
        if self.getting is not None and self.getting.done():
            event = self.getting.result()
            if event["type"] == "http.disconnect":
                assert self.closed and not self.expected
            else:
                assert event["number"] == self.expected.pop(0)
            self.getting = None
            self.settle()
        if self.putting is not None and self.putting.done():
            self.putting = None
        waiting = self.putting is not None
        assert waiting == (not self.closed and len(self.expected) > CAPACITY)
        assert (self.getting is not None) <= (not self.closed and not self.expected)
        assert self.first_reads <= 1

    def teardown(self) -> None:
        for task in (self.putting, self.getting):
            if task is not None:
                task.cancel()
        self.settle()
        self.loop.close()


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
