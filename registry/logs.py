"""One JSON object a line on stderr, ours and the libraries'. Text that came from a client stays harmless: strings are
cut, and JSON's escapes leave no control character and nothing beyond ASCII raw."""

import asyncio
import atexit
import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from .sections import Log

LONGEST = 256
"""Characters of a string in a log line; tracebacks are not cut."""
GATHER_SECONDS = 0.05
GATHER_LINES = 256
FOREIGN = ("hypercorn", "granian", "_granian", "asyncio", "aiohttp", "asyncpg", "pgqueuer")


REQUEST: ContextVar[str] = ContextVar("request_id")
"""The id of the request that is being answered: in each of its lines."""


def clip(text: str) -> str:
    """At most LONGEST characters of a text, the cut marked."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _clip_all(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST and key not in ("exception", "stack"):
            event[key] = clip(value)
    return event


def _add_request(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    name = REQUEST.get(None)
    if name is not None:
        event.setdefault("request_id", name)
    return event


def _dump(value: Any, **_: Any) -> str:
    return json.dumps(value, default=repr, separators=(",", ":"))


_encode = msgspec.json.Encoder().encode
_level = logging.INFO
_access_json = False
_access_stream: TextIO = sys.stderr
_pending: list[bytes] = []


def wants_access(level: int) -> bool:
    """Whether a line of the access log at that level is written at all."""
    return level >= _level


def access(facts: dict[str, Any], level: int) -> None:
    """One line of the access log, from within the event loop. As JSON it goes past structlog's processors, which cost
    as much as a whole pull of a manifest, and lines are written together: a full pipe holds up the loop once for many.
    Strings in facts are ASCII and cut already."""
    if not _access_json:
        structlog.get_logger("access").log(level, "request", **facts)
    else:
        facts |= {"event": "request", "level": "info" if level == logging.INFO else "debug"}
        facts["timestamp"] = datetime.now(UTC)
        _pending.append(_encode(facts))
        if len(_pending) == 1:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, flush)
        elif len(_pending) >= GATHER_LINES:
            flush()


def flush() -> None:
    """Write the access log's lines that were gathered."""
    if _pending:
        lines = b"\n".join(_pending).decode()
        _pending.clear()
        _access_stream.write(lines + "\n")
        _access_stream.flush()


atexit.register(flush)


def configure(log: Log) -> None:
    """Set up logging of this process, for structlog and the standard library's loggers alike."""
    renderer: Processor = structlog.processors.JSONRenderer(serializer=_dump)
    if log.format == "console":
        renderer = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    shared: list[Processor] = [
        _add_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _clip_all,
    ]
    level = logging.getLevelNamesMapping()[log.level.upper()]
    global _level, _access_json, _access_stream
    _level, _access_json, _access_stream = level, log.format == "json", sys.stderr
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in FOREIGN:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
