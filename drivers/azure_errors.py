"""What Azure answers, in the drivers' words."""

from typing import Final

import aiohttp
from azure.core.exceptions import AzureError, ClientAuthenticationError

from .base import DriverError, NoSpace, NotFound, Unavailable

PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of what may go well a moment later: ServerBusy, OperationTimedOut, InternalError."""
MISSING: Final = frozenset({"BlobNotFound", "ResourceNotFound", "CannotVerifyCopySource"})
HINTS: Final = {
    "ContainerNotFound": "there is no such container: make it, or mend storage.azure.container",
    "AuthenticationFailed": "mend storage.azure.accountname and accountkey, and look at the clock of this machine",
    "InvalidAuthenticationInfo": "mend storage.azure.credentials, and look at the clock of this machine",
    "AuthorizationPermissionMismatch": "give this identity the role Storage Blob Data Contributor on the account",
    "AuthorizationFailure": "mend storage.azure.accountname and accountkey, or let this machine in (network rules)",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys: leave out storage.azure.accountkey",
}


class ReadFailed(Exception):
    """An answer to a read that is no content."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code or f"status {status}")
        self.status_code, self.error_code = status, code


def passes(error: Exception) -> bool:
    """Whether the same call may go well a moment later: a busy store, a connection that broke, half an answer."""
    status = status_of(error)
    if status is None and isinstance(error, ClientAuthenticationError):
        return False
    return status is None or status < 300 or status in PASSING


def status_of(error: BaseException | None) -> int | None:
    """The status of an answer, None where there is none."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def code_of(error: BaseException | None) -> str:
    """The code of an answer, empty where there is none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def driver_error(error: Exception, what: str) -> DriverError:
    """The error of a call. A missing container, a refused key and a busy store are Unavailable: the operator's to
    mend, and the message says where."""
    code, status = code_of(error), status_of(error)
    said = f"{what}: {_said(error, code)}"
    if status == 404 and (code in MISSING or not code):
        return NotFound(said)
    return NoSpace(said) if status == 507 else Unavailable(said)


def _said(error: Exception, code: str) -> str:
    if code in HINTS:
        return f"{code}: {HINTS[code]}"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, ClientAuthenticationError) and status_of(error) is None:
        return f"no token (storage.azure.credentials): {lines[0]}"
    if status_of(error) is not None:
        return f"{code or status_of(error)}: {lines[0]}"
    if isinstance(error, TimeoutError):
        return lines[0]
    return f"{lines[0]} (reached by storage.azure.serviceurl, or accountname and realm)"


FAILURES: Final = (AzureError, ReadFailed, aiohttp.ClientError, OSError, TimeoutError)
"""What a call may raise."""
