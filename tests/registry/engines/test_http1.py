"""The strict parser and the inbox by themselves, over everything hypothesis can think of."""

import asyncio
import itertools
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dataforge_registry.registry.config import Http
from dataforge_registry.registry.engines.grammar import HOST, METHOD
from dataforge_registry.registry.engines.http1 import StrictConnection, refusal
from dataforge_registry.registry.engines.inbox import CAPACITY, Inbox

LIMITS = Http()


def parse(pieces: list[bytes]) -> tuple[list[Any], int | None]:
    """What the parser makes of bytes that arrive in pieces: events with adjacent data joined, and the refusal."""
    connection, events = StrictConnection(LIMITS), []
    try:
        for piece in pieces:
            connection.receive_data(piece)
            while True:
                event = connection.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED):
                    break
                if isinstance(event, h11.Data) and events and isinstance(events[-1], bytes):
                    events[-1] += bytes(event.data)
                elif isinstance(event, h11.Data):
                    events.append(bytes(event.data))
                elif isinstance(event, h11.Request):
                    events.append((event.method, event.target, list(event.headers)))
                else:
                    events.append(type(event).__name__)
    except h11.RemoteProtocolError as error:
        return events, error.error_status_hint
    return events, None


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
    assert whole[0][-1] == "EndOfMessage"
    assert parse(cut(raw, places)) == whole


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


def test_a_head_that_grows_without_end_is_refused_at_the_limit() -> None:
    connection = StrictConnection(LIMITS)
    connection.receive_data(b"GET / HTTP/1.1\r\nX: ")
    sent = 0
    with pytest.raises(h11.RemoteProtocolError) as refused:
        while sent < 10 * LIMITS.header_limit:
            connection.receive_data(b"a" * 1000)
            sent += 1000
            connection.next_event()
    assert refused.value.error_status_hint == 431
    assert sent <= LIMITS.header_limit + 1000


def test_what_is_well_parsed_and_refused_all_the_same() -> None:
    def request(method: str, target: str, version: str = "1.1", **headers: str) -> h11.Request:
        fields = [(name.replace("_", "-"), text) for name, text in headers.items()]
        return h11.Request(method=method, target=target, headers=[("host", "a"), *fields], http_version=version)

    assert refusal(request("GET", "/v2/")) is None
    assert refusal(request("get", "/v2/")) == 400
    assert refusal(request("GET", "v2")) == 400
    assert refusal(request("GET", "/v2/", "2.0")) == 505
    assert refusal(request("PUT", "/v2/", content_length="1", transfer_encoding="chunked")) == 400


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
