"""The one table: which OCI code and HTTP status each situation answers with (distribution-spec, "Error Codes")."""

import json

from ..core.oci import errors
from .v2.answer import Answer

TABLE: dict[type[errors.RegistryError], tuple[str, int]] = {
    errors.NameInvalid: ("NAME_INVALID", 400),
    errors.NameUnknown: ("NAME_UNKNOWN", 404),
    errors.DigestInvalid: ("DIGEST_INVALID", 400),
    errors.DigestUnsupported: ("DIGEST_INVALID", 400),
    errors.BlobUnknown: ("BLOB_UNKNOWN", 404),
    errors.BlobReferenced: ("UNSUPPORTED", 405),
    errors.BlobTooLarge: ("SIZE_INVALID", 413),
    errors.UploadUnknown: ("BLOB_UPLOAD_UNKNOWN", 404),
    errors.UploadInvalid: ("BLOB_UPLOAD_INVALID", 400),
    errors.UploadRangeInvalid: ("BLOB_UPLOAD_INVALID", 416),
    errors.SizeInvalid: ("SIZE_INVALID", 400),
    errors.ManifestUnknown: ("MANIFEST_UNKNOWN", 404),
    errors.ManifestInvalid: ("MANIFEST_INVALID", 400),
    errors.ManifestTooLarge: ("MANIFEST_INVALID", 413),
    errors.ManifestUnsupported: ("UNSUPPORTED", 400),
    errors.ManifestBlobUnknown: ("MANIFEST_BLOB_UNKNOWN", 404),
    errors.ManifestReferenced: ("UNSUPPORTED", 405),
    errors.PreconditionFailed: ("MANIFEST_INVALID", 412),
    errors.CurveConflict: ("MANIFEST_INVALID", 409),
    errors.Unauthorized: ("UNAUTHORIZED", 401),
    errors.TokenInvalid: ("UNAUTHORIZED", 401),
    errors.ScopeInsufficient: ("UNAUTHORIZED", 401),
    errors.Denied: ("DENIED", 403),
    errors.QuotaExceeded: ("DENIED", 403),
    errors.TooManyRequests: ("TOOMANYREQUESTS", 429),
    errors.NotFound: ("NAME_UNKNOWN", 404),
    errors.Conflict: ("DENIED", 409),
    errors.InUse: ("DENIED", 412),
    errors.TagImmutable: ("DENIED", 412),
    errors.Held: ("DENIED", 412),
    errors.Unsupported: ("UNSUPPORTED", 400),
    errors.ReadOnly: ("UNSUPPORTED", 405),
    errors.MethodNotAllowed: ("UNSUPPORTED", 405),
    errors.QueryInvalid: ("UNSUPPORTED", 400),
    errors.EncodingUnsupported: ("UNSUPPORTED", 415),
    errors.RangeNotSatisfiable: ("UNSUPPORTED", 416),
    errors.HeadersTooLarge: ("UNSUPPORTED", 431),
    errors.Unavailable: ("UNAVAILABLE", 503),
}


def error_answer(error: errors.RegistryError) -> Answer:
    """The answer of an error: the spec's JSON body, one entry for each blob a manifest misses, and its headers."""
    code, status = TABLE[type(error)]
    if isinstance(error, errors.ManifestBlobUnknown):
        entries = [{"code": code, "message": error.message, "detail": {"digest": d}} for d in error.digests]
    else:
        entries = [{"code": code, "message": error.message}]
        if error.detail is not None:
            entries[0]["detail"] = error.detail
    body = json.dumps({"errors": entries}).encode()
    headers = {name.lower(): value for name, value in error.headers.items()}
    return Answer(status, {"content-type": "application/json", **headers}, body)
