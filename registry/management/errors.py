"""What each refusal is called and which status it has in Harbor's API, where that differs from /v2/'s."""

import json

from ...core.oci import errors
from ..errors import TABLE as OCI
from ..v2.answer import Answer

TABLE: dict[type[errors.RegistryError], tuple[str, int]] = {
    **OCI,
    errors.NameInvalid: ("BAD_REQUEST", 400),
    errors.NameUnknown: ("NOT_FOUND", 404),
    errors.NotFound: ("NOT_FOUND", 404),
    errors.ManifestUnknown: ("NOT_FOUND", 404),
    errors.Conflict: ("CONFLICT", 409),
    errors.InUse: ("PRECONDITION", 412),
    errors.TagImmutable: ("PRECONDITION", 412),
    errors.Held: ("PRECONDITION", 412),
    errors.PreconditionFailed: ("PRECONDITION", 412),
    errors.ManifestReferenced: ("PRECONDITION", 412),
    errors.Denied: ("FORBIDDEN", 403),
    errors.QueryInvalid: ("BAD_REQUEST", 400),
    errors.Unsupported: ("BAD_REQUEST", 400),
    errors.ReadOnly: ("FORBIDDEN", 403),
    errors.MethodNotAllowed: ("METHOD_NOT_ALLOWED", 405),
    errors.TooManyRequests: ("TOO_MANY_REQUEST", 429),
}
"""Harbor's codes (management-api conventions): the class says what happened, the table what a client is told."""


def error_answer(error: errors.RegistryError) -> Answer:
    """`{"errors": [{"code", "message"}]}` with the error's status and headers."""
    code, status = TABLE[type(error)]
    body = json.dumps({"errors": [{"code": code, "message": error.message}]}).encode()
    headers = {name.lower(): value for name, value in error.headers.items()}
    return Answer(status, {"content-type": "application/json", **headers}, body)
