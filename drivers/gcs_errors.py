"""What Google Cloud Storage answers, in the drivers' words."""

import json
from typing import Any, Final

from aiohttp import ClientError, ClientResponseError

from .base import DriverError, NotFound, Unavailable

PASSING: Final = (408, 429, 500, 502, 503, 504)
"""Statuses after which the same request may well succeed."""


def is_passing(error: BaseException) -> bool:
    """Whether to ask again: the store was busy or failed, or no whole answer came."""
    if isinstance(error, ClientResponseError):
        return error.status in PASSING
    return isinstance(error, ClientError | OSError | TimeoutError | json.JSONDecodeError)


def driver_error(error: Exception, what: str) -> DriverError:
    """The error of a call. What the operator can mend names the setting."""
    if not isinstance(error, ClientResponseError):
        return Unavailable(f"{what}: {' '.join(str(error).split()) or type(error).__name__}")
    said = f"{what}: {error.status} {_message(error)}".strip()
    if error.status == 404:
        return NotFound(said)
    if error.status in (401, 403):
        return Unavailable(f"{said} (may the account of storage.gcs.keyfile read and write objects of this bucket?)")
    return Unavailable(said)


def _message(error: ClientResponseError) -> str:
    """The sentence in the answer's body, which the client puts behind the reason; the reason where there is none."""
    reason, _, body = error.message.partition(": ")
    try:
        told: Any = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        told = body[:200]
    return " ".join(str(told).split()) or reason
