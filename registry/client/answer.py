"""What a registry answers, and the RegistryError that an answer is."""

import json
from typing import Any

from ...core.oci import errors
from ...core.oci.errors import RegistryError

LOG_IN = "set DFR_USERNAME and DFR_PASSWORD, or log in with docker or oras"
_CODES: dict[str, type[RegistryError]] = {
    "NAME_UNKNOWN": errors.NameUnknown,
    "NAME_INVALID": errors.NameInvalid,
    "BLOB_UNKNOWN": errors.BlobUnknown,
    "BLOB_UPLOAD_UNKNOWN": errors.UploadUnknown,
    "BLOB_UPLOAD_INVALID": errors.UploadInvalid,
    "MANIFEST_UNKNOWN": errors.ManifestUnknown,
    "MANIFEST_BLOB_UNKNOWN": errors.BlobUnknown,
    "DIGEST_INVALID": errors.DigestInvalid,
    "SIZE_INVALID": errors.SizeInvalid,
    "DENIED": errors.Denied,
    "UNAUTHORIZED": errors.Unauthorized,
    "TOOMANYREQUESTS": errors.TooManyRequests,
    "UNAVAILABLE": errors.Unavailable,
}
_STATUSES: dict[int, type[RegistryError]] = {
    401: errors.Unauthorized,
    403: errors.Denied,
    409: errors.CurveConflict,
    412: errors.PreconditionFailed,
    413: errors.SizeInvalid,
    416: errors.RangeNotSatisfiable,
    429: errors.TooManyRequests,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


class Answer:
    """Status, headers (in canonical capitals) and body of an HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {_canonical(name): value for name, value in headers.items()}
        self.body = body

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        try:
            body = json.loads(self.body)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def error(self, method: str, path: str) -> RegistryError:
        """What the registry said, as the error class of that situation."""
        said = self.json().get("errors")
        first = said[0] if isinstance(said, list) and said and isinstance(said[0], dict) else {}
        code, message = str(first.get("code", "")), " ".join(str(first.get("message", "")).split())
        if self.status == 404 and not code:
            kind: type[RegistryError] = errors.BlobUnknown if "/blobs/" in path else errors.ManifestUnknown
        elif self.status == 416 and code == "BLOB_UPLOAD_INVALID":
            kind = errors.UploadRangeInvalid
        elif self.status == 400 and code == "UNSUPPORTED":
            kind = errors.QueryInvalid
        else:
            kind = _STATUSES.get(self.status) or _CODES.get(code, RegistryError)
        message = message or f"{method} {path} was answered with {self.status}"
        if self.status == 401:
            message = f"{message}: {LOG_IN}"
        return kind(message, {"status": self.status, "code": code, "detail": first.get("detail")})


def _canonical(name: str) -> str:
    return "WWW-Authenticate" if name.casefold() == "www-authenticate" else name.title()
