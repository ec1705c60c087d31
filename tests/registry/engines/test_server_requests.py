"""What is no request, and what is one: rows 52-56 of the table of bad inputs, over raw sockets."""

import asyncio
import json

import pytest

from .conftest import Start, hang_up

HEAD = b"Host: a\r\nConnection: close\r\n"
BAD = {
    "content-length and transfer-encoding": (
        b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "negative length": (b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    "absurd length": (b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    "chunked in HTTP/1.0": (b"PUT /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "unknown transfer coding": (b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "bad chunk": (b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 400),
    "obs-fold": (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "one bare LF": (b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\nY: 2\r\n\r\n", 400),
    "bare LF in a trailer": (
        b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\nY: 2\r\n\r\n",
        400,
    ),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "lower-case method": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "host with path": (b"GET / HTTP/1.1\r\nHost: a/evil?x\r\n\r\n", 400),
    "host with user": (b"GET / HTTP/1.1\r\nHost: u@e\r\n\r\n", 400),
    "empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "target of another site": (b"GET @google.com/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "absolute target": (b"GET http://a/v2/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "connect": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "fragment": (b"GET /v2/#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "prior knowledge of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/3.0 by name": (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "NUL in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "3,000 headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 3000 + b"\r\n", 431),
    "64 KiB header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 65536 + b"\r\n\r\n", 431),
    "16 KiB target": (b"GET /" + b"a" * 16384 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "1 MB target": (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "bearer of 1 MB": (b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
    "endless head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000, 431),
}
GRANIAN_REFUSES = (
    "two lengths",
    "negative length",
    "absurd length",
    "NUL in a header",
    "space before colon",
    "obs-fold",
    "chunked in HTTP/1.0",
    "target of another site",
    "prior knowledge of HTTP/2",
    "HTTP/3.0 by name",
    "3,000 headers",
    "1 MB target",
    "bearer of 1 MB",
    "TLS hello",
)
GRANIAN_SHOWS = (
    "64 KiB header",
    "16 KiB target",
    "lower-case method",
    "no host",
    "two hosts",
    "host with path",
    "host with user",
    "empty host",
    "asterisk",
    "unknown transfer coding",
)
GOOD = {
    "plain": (b"GET /a HTTP/1.1\r\n" + HEAD + b"\r\n", b"GET /a 0"),
    "escapes stay raw": (b"GET /a%2fb%00 HTTP/1.1\r\n" + HEAD + b"\r\n", b"GET /a%2fb%00 0"),
    "length": (b"PUT /a HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\n\r\nabc", b"PUT /a 3"),
    "chunked, with a trailer": (
        b"PUT /a HTTP/1.1\r\n"
        + HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n",
        b"PUT /a 5",
    ),
    "HTTP/1.0": (b"GET /a HTTP/1.0\r\n\r\n", b"GET /a 0"),
    "host of IPv6 with port": (b"GET /a HTTP/1.1\r\nHost: [::1]:5000\r\nConnection: close\r\n\r\n", b"GET /a 0"),
    "upgrade to h2c": (
        b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        b"GET /a 0",
    ),
    "upgrade to websocket": (
        b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"GET /a 0",
    ),
    "a method that is not ours": (b"PROPFIND /a HTTP/1.1\r\n" + HEAD + b"\r\n", b"PROPFIND /a 0"),
    "8 KiB token": (
        b"GET /a HTTP/1.1\r\n" + HEAD + b"Authorization: Bearer " + b"a" * 8192 + b"\r\n\r\n",
        b"GET /a 0",
    ),
    "100 tags": (b"GET /a?" + b"&".join([b"tag=" + b"t" * 128] * 100) + b" HTTP/1.1\r\n" + HEAD + b"\r\n", b"GET /a 0"),
}


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BAD)
async def test_hypercorn_refuses(start: Start, name: str) -> None:
    raw, expected = BAD[name]
    async with start("hypercorn") as server:
        answer = await server.say(raw)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert status(answer) == expected
        assert b"connection: close" in head.lower()
        assert json.loads(body)["errors"][0]["code"] == "UNSUPPORTED"
        assert server.app.requests == (1 if name in ("bad chunk", "bare LF in a trailer") else 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", GRANIAN_REFUSES)
async def test_granian_refuses(start: Start, name: str) -> None:
    raw, _ = BAD[name]
    async with start("granian") as server:
        answer = await server.say(raw)
        assert answer == b"" or 400 <= status(answer) < 600
        assert server.app.requests == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("name", GRANIAN_SHOWS)
async def test_what_granian_takes_is_refused_where_it_can_be_seen(start: Start, name: str) -> None:
    raw, expected = BAD[name]
    async with start("granian") as server:
        answer = await server.say(raw.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n") + b"0\r\n\r\n")
        assert status(answer) == expected
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["code"] == "UNSUPPORTED"
        assert server.app.requests == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("name", GOOD)
async def test_served(start: Start, engine: str, name: str) -> None:
    raw, expected = GOOD[name]
    async with start(engine) as server:
        answer = await server.say(raw)
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n" + expected)


@pytest.mark.asyncio
async def test_a_refused_head_request_has_no_body(start: Start) -> None:
    async with start("hypercorn") as server:
        answer = await server.say(b"HEAD @x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(answer) == 400
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.asyncio
async def test_head_keeps_the_length_of_get(start: Start, engine: str) -> None:
    async with start(engine) as server:
        answer = await server.say(b"HEAD /a HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert b"content-length: 9" in answer.lower()
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.asyncio
async def test_many_requests_on_one_connection(start: Start, engine: str) -> None:
    async with start(engine) as server:
        reader, writer = await server.connect()
        for number in range(50):
            writer.write(b"PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" % number)
            head = await reader.readuntil(b"\r\n\r\n")
            assert status(head) == 200
            body = b"PUT /%d 2" % number
            assert await reader.readexactly(len(body)) == body
        await hang_up(writer)


@pytest.mark.asyncio
async def test_pipelined_requests_are_answered_in_order(start: Start, engine: str) -> None:
    async with start(engine) as server:
        one = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = await server.say(one * 3 + b"GET /two HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert answer.count(b"GET /one 0") == 3
        assert answer.endswith(b"GET /two 0")


@pytest.mark.asyncio
async def test_no_server_header(start: Start) -> None:
    async with start("hypercorn") as server:
        assert b"\r\nserver:" not in (await server.say(b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n")).lower()


@pytest.mark.asyncio
async def test_a_client_that_closes_its_sending_side_is_answered(start: Start) -> None:
    async with start("hypercorn") as server:
        reader, writer = await server.connect()
        writer.write(b"GET /a HTTP/1.1\r\n" + HEAD + b"\r\n")
        writer.write_eof()
        assert (await asyncio.wait_for(reader.read(-1), 10)).endswith(b"GET /a 0")
        await hang_up(writer)
