"""What S3 servers answer, in the drivers' words."""

from typing import Final

from botocore.exceptions import ClientError

from .base import DriverError, NoSpace, NotFound, Unavailable

MISSING: Final = ("NoSuchKey", "NoSuchUpload", "404", "NotFound")
"""Codes of what is not there: the name alone where the answer has no body (HEAD)."""
OUT_OF_RANGE: Final = ("InvalidRange", "416")
FULL: Final = ("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage", "507")


def code_of(error: ClientError) -> str:
    """The code of an answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def driver_error(error: ClientError, what: str) -> DriverError:
    """The error of a call. A missing bucket, a refused key and a busy store are Unavailable: the operator's to mend."""
    code = code_of(error)
    said = f"{what}: {code} {error.response.get('Error', {}).get('Message') or ''}".strip()
    if code in MISSING:
        return NotFound(said)
    return NoSpace(said) if code in FULL else Unavailable(said)
