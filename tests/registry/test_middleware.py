"""Access log, last resort for errors, proxies, metrics and health: what they show, and what they keep to themselves."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from dataforge_registry.core.records.database import Database
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.registry.forwarded import Forwarded
from dataforge_registry.registry.health import Health
from dataforge_registry.registry.logs import configure, flush
from dataforge_registry.registry.metrics import Metrics
from dataforge_registry.registry.middleware import Observed, ServerErrors
from dataforge_registry.registry.sections import Log

HOSTILE = "a\r\nb\x1b[31m\x9bc\u202e\0"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Logging as the server has it, its lines parsed on call; the test process's own logging comes back after."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stderr", output)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(Log(level="debug"))

    def parsed() -> list[Any]:
        flush()
        return [json.loads(line) for line in output.getvalue().splitlines()]

    yield parsed
    flush()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def scope(method: str = "GET", path: bytes = b"/v2/", headers: Any = (), **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": b"secret=1",
        "headers": list(headers),
        "client": ("192.0.2.1", 1),
        "scheme": "http",
        "state": {},
        **more,
    }


async def call(app: Any, scope: dict[str, Any], body: bytes = b"") -> list[Any]:
    """The messages an application sends for one request."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def observed(app: Any) -> Observed:
    return Observed(app, Metrics())


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    scope["state"]["actor"] = "robot$ci"
    scope["state"]["endpoint"] = "end-3"
    headers = [(b"docker-content-digest", b"sha256:ab")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b"four"})


@pytest.mark.asyncio
async def test_a_line_a_request(lines: Any) -> None:
    headers = [(b"authorization", b"Basic c2VjcmV0"), (b"x-request-id", b"abc-1")]
    sent = await call(observed(answering), scope("PUT", b"/v2/a/b/manifests/1", headers), b"12345")
    assert (b"x-request-id", b"abc-1") in sent[0]["headers"]
    (line,) = lines()
    assert line.pop("seconds") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "abc-1",
        "method": "PUT",
        "path": "/v2/a/b/manifests/1",
        "status": 201,
        "bytes_in": 5,
        "bytes_out": 4,
        "client": "192.0.2.1",
        "actor": "robot$ci",
        "digest": "sha256:ab",
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 65, b"a\r\nb", "é".encode()])
async def test_a_request_id_that_is_not_harmless_is_replaced(lines: Any, given: bytes) -> None:
    await call(observed(answering), scope(headers=[(b"x-request-id", given)]))
    assert len(lines()[0]["request_id"]) == 16


@pytest.mark.asyncio
async def test_bytes_that_the_engine_sends_itself_are_counted(lines: Any, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"x" * 1234)

    async def by_path(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": str(tmp_path / "blob")})

    metrics = Metrics()
    await call(Observed(by_path, metrics), scope())
    assert lines()[0]["bytes_out"] == 1234
    assert b"dfr_http_sent_bytes_total 1234.0" in metrics.render()


@pytest.mark.asyncio
async def test_all_lines_of_a_request_carry_its_id(lines: Any) -> None:
    async def talking(scope: Any, receive: Any, send: Any) -> None:
        logging.getLogger("core").info("at work")
        await answering(scope, receive, send)

    await call(observed(talking), scope(headers=[(b"x-request-id", b"one")]))
    assert [line["request_id"] for line in lines()] == ["one", "one"]


@pytest.mark.asyncio
async def test_probes_are_quiet(lines: Any) -> None:
    await call(observed(answering), scope(path=b"/health/live"))
    assert lines()[0]["level"] == "debug"


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_raw_in_a_line(monkeypatch: pytest.MonkeyPatch, lines: Any, form: Any) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stderr", output)
    configure(Log(format=form))
    structlog.get_logger().info("request", path=HOSTILE * 100, actor=HOSTILE)
    logging.getLogger("x").warning("said %s", HOSTILE)
    for line in output.getvalue().splitlines():
        assert line.isprintable()
        assert len(line) < 4000
    assert len(output.getvalue().splitlines()) == 2


@settings(deadline=None)
@given(st.text())
def test_any_text_is_one_printable_line(text: str) -> None:
    from dataforge_registry.registry.logs import _dump

    line = _dump({"path": text})
    assert line.isascii() and not any(ord(letter) < 32 for letter in line)
    assert json.loads(line)["path"] == text


@pytest.mark.asyncio
async def test_an_unexpected_error_is_a_bare_500_and_a_traceback_in_the_log(lines: Any) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("the password is hunter2")

    start, body = await call(observed(ServerErrors(broken)), scope())
    assert start["status"] == 500
    assert json.loads(body["body"])["errors"][0]["code"] == "UNKNOWN"
    assert b"hunter2" not in body["body"]
    error, request = lines()
    assert "LookupError: the password is hunter2" in error["exception"]
    assert error["request_id"] == request["request_id"]
    assert request["status"] == 500


@pytest.mark.asyncio
async def test_an_error_after_the_answer_began_cuts_the_connection(lines: Any) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await answering(scope, receive, send)
        raise LookupError

    with pytest.raises(LookupError):
        await call(observed(ServerErrors(broken)), scope())


@pytest.mark.asyncio
async def test_a_client_that_left_is_no_error(lines: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        raise RuntimeError(message["type"])

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there to answer")

    await observed(ServerErrors(app))(scope(), receive, send)
    assert [line["level"] for line in lines()] == ["debug", "info"]


FORWARDED = [
    ("10.0.0.1", [b"198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", [b"1.2.3.4, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
    ("10.0.0.1", [b"1.2.3.4", b"198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", [b"junk"], "10.0.0.1"),
    ("10.0.0.1", [b"1.2.3.4, junk"], "10.0.0.1"),
    ("10.0.0.1", [], "10.0.0.1"),
    ("192.0.2.1", [b"198.51.100.7"], "192.0.2.1"),
    ("::1", [b"2001:db8::1"], "2001:db8::1"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("peer", "values", "client"), FORWARDED)
async def test_the_client_behind_proxies(peer: str, values: list[bytes], client: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    headers = [(b"x-forwarded-for", value) for value in values]
    await call(Forwarded(app, ["10.0.0.0/8", "::1/128"]), scope(headers=headers, client=(peer, 1)))
    assert seen == [client]


@pytest.mark.asyncio
@pytest.mark.parametrize(("peer", "trusted"), [("10.0.0.1", True), ("192.0.2.1", False)])
async def test_scheme_and_host_behind_proxies(peer: str, trusted: bool) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["scheme"], dict(scope["headers"])[b"host"]))

    given = [(b"host", b"inner"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"outer:443")]
    await call(Forwarded(app, ["10.0.0.0/8"]), scope(headers=given, client=(peer, 1)))
    given[2] = (b"x-forwarded-host", b"evil/path")
    await call(Forwarded(app, ["10.0.0.0/8"]), scope(headers=given, client=(peer, 1)))
    assert seen == ([("https", b"outer:443"), ("https", b"inner")] if trusted else [("http", b"inner")] * 2)


@pytest.mark.asyncio
async def test_metrics_count_by_endpoint_and_never_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics = Metrics()
    app = Observed(answering, metrics)
    for number in range(3):
        await call(app, scope("PUT", b"/v2/some/name/manifests/%d" % number), b"12345")
    await call(app, scope("BREW"))
    text = metrics.render().decode()
    assert 'dfr_http_requests_total{endpoint="end-3",method="PUT",status="201"} 3.0' in text
    assert 'dfr_http_requests_total{endpoint="end-3",method="other",status="201"} 1.0' in text
    assert 'dfr_http_request_seconds_count{endpoint="end-3",method="PUT"} 3.0' in text
    assert "dfr_http_received_bytes_total 15.0" in text
    assert "dfr_http_sent_bytes_total 16.0" in text
    assert "some" not in text


def pages(health: Health) -> Starlette:
    routes = [("/health", health.report), ("/health/ready", health.ready), ("/health/live", health.live)]
    return Starlette(routes=[Route(path, page) for path, page in routes])


async def ask(app: Any, path: bytes) -> tuple[int, Any]:
    start, body = await call(app, scope(path=path))
    return start["status"], json.loads(body["body"])


@pytest.mark.asyncio
async def test_health_of_a_good_server(database: Database) -> None:
    app = pages(Health(database, MemoryDriver()))
    assert await ask(app, b"/health/live") == (200, {"status": "healthy"})
    assert await ask(app, b"/health/ready") == (200, {"status": "healthy"})
    parts = [{"name": name, "status": "healthy"} for name in ("database", "storage")]
    assert await ask(app, b"/health") == (200, {"status": "healthy", "components": parts})


@pytest.mark.asyncio
async def test_health_without_a_schema(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url, size=1)
    app = pages(Health(database, MemoryDriver()))
    assert await ask(app, b"/health/live") == (200, {"status": "healthy"})
    assert await ask(app, b"/health/ready") == (503, {"status": "unhealthy"})
    status, document = await ask(app, b"/health")
    assert status == 503
    assert document["components"] == [
        {"name": "database", "status": "unhealthy"},
        {"name": "storage", "status": "healthy"},
    ]
    await database.close()


@pytest.mark.asyncio
async def test_health_without_a_store(database: Database, tmp_path: Path) -> None:
    from dataforge_registry.drivers.filesystem import FilesystemDriver

    root = tmp_path / "root"
    driver = FilesystemDriver(str(root))
    await driver.check()
    app = pages(Health(database, driver))
    assert (await ask(app, b"/health/ready"))[0] == 200
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    root.rmdir()
    root.write_text("a file where the folder was")
    await asyncio.sleep(1.1)  # findings are given again for a second
    status, document = await ask(app, b"/health")
    assert (status, document["components"][1]) == (503, {"name": "storage", "status": "unhealthy"})
    assert str(root) not in json.dumps(document)
    await driver.close()
