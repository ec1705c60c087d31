"""The answers of changes: 201 with a Location, 200 with nothing. Never 204: clients compare statuses exactly."""

from typing import Any
from urllib.parse import quote

from ..endpoint import answer
from ..v2.answer import Answer

PREFIX = "/api/v2.0"


def created(path: str, body: Any = None) -> Answer:
    """201 for what now stands at a path below the prefix, as `/labels/3`."""
    headers = {"location": PREFIX + quote(path)}
    return Answer(201, headers) if body is None else answer(body, 201, headers)


def done() -> Answer:
    """200 with no body."""
    return Answer(200)


def text(body: str) -> Answer:
    """A text, for people: `text/plain`."""
    return Answer(200, {"content-type": "text/plain; charset=utf-8"}, body.encode())
