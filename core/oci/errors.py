"""One class per situation. `registry/errors.py` holds the one table class -> (OCI code, HTTP status).

RegistryError
├── NameInvalid, NameUnknown
├── DigestInvalid (DigestUnsupported)
├── BlobUnknown, BlobReferenced, BlobTooLarge
├── UploadUnknown, UploadInvalid, UploadRangeInvalid, SizeInvalid
├── ManifestUnknown, ManifestInvalid, ManifestTooLarge, ManifestUnsupported, ManifestBlobUnknown, ManifestReferenced,
│   PreconditionFailed, CurveConflict
├── Unauthorized (TokenInvalid, ScopeInsufficient), Denied, QuotaExceeded, TooManyRequests
├── NotFound, Conflict, InUse (TagImmutable, Held)
├── Unsupported, ReadOnly, MethodNotAllowed, QueryInvalid, EncodingUnsupported, RangeNotSatisfiable, HeadersTooLarge
└── Unavailable
"""

from typing import Any


class RegistryError(Exception):
    """What a client is told: message says what is wrong and how to mend it, detail is JSON-able."""

    def __init__(self, message: str, detail: Any = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.headers = headers or {}


class NameInvalid(RegistryError):
    """The repository name does not follow the grammar."""


class NameUnknown(RegistryError):
    """No such repository or project, for one who may know."""


class DigestInvalid(RegistryError):
    """A digest is malformed, missing, given twice, or does not match the content."""


class DigestUnsupported(DigestInvalid):
    """The digest's algorithm is not sha256 or sha512."""


class BlobUnknown(RegistryError):
    """The blob is not linked in this repository."""


class BlobReferenced(RegistryError):
    """A live manifest of the repository still uses the blob."""


class BlobTooLarge(RegistryError):
    """The blob is over the configured size limit."""


class UploadUnknown(RegistryError):
    """No such upload for this caller in this repository."""


class UploadInvalid(RegistryError):
    """The upload request cannot be read (Content-Range junk)."""


class UploadRangeInvalid(RegistryError):
    """The chunk does not start where the upload stands, or another request is writing it."""


class SizeInvalid(RegistryError):
    """Given and received length, or a descriptor's size and its blob's, differ."""


class ManifestUnknown(RegistryError):
    """No such tag or manifest."""


class ManifestInvalid(RegistryError):
    """The manifest, or the tag it is put under, breaks the rules."""


class ManifestTooLarge(RegistryError):
    """The manifest is over the configured size limit."""


class ManifestUnsupported(RegistryError):
    """A manifest type that is not served (Docker schema 1)."""


class ManifestBlobUnknown(RegistryError):
    """The manifest names a blob or child that this repository does not have. `digests` lists them."""

    def __init__(self, digests: list[str]) -> None:
        super().__init__("the manifest names content that is not in this repository; push it first", digests)
        self.digests = digests


class ManifestReferenced(RegistryError):
    """A live index of the repository still lists the manifest."""


class PreconditionFailed(RegistryError):
    """If-Match or If-None-Match does not hold for the tag."""


class CurveConflict(RegistryError):
    """The repository holds another curve than the manifest's config names."""


class Unauthorized(RegistryError):
    """No or bad credentials; the answer carries a challenge."""


class TokenInvalid(Unauthorized):
    """The token is expired, unknown or revoked; the challenge says `error="invalid_token"` (RFC 6750, 3.1)."""


class ScopeInsufficient(Unauthorized):
    """The credential covers less than its holder may do; the challenge says `error="insufficient_scope"`."""


class Denied(RegistryError):
    """The principal is known and may not do this."""


class QuotaExceeded(RegistryError):
    """The project's limit would be passed; detail holds limit, used and asked."""


class TooManyRequests(RegistryError):
    """Slow down; headers hold Retry-After."""


class NotFound(RegistryError):
    """No such thing (a member, robot, label, rule ...), or none that the caller may know of."""


class Conflict(RegistryError):
    """There is one of that name already."""


class InUse(RegistryError):
    """What still stands on it, or a rule, keeps it from being changed or deleted."""


class TagImmutable(InUse):
    """A rule of the project keeps the tag where it is; detail holds repository, tag and the rule's id."""


class Held(InUse):
    """A legal hold covers it; detail holds the hold's id and its reason."""


class Unsupported(RegistryError):
    """The request asks for something that is not served."""


class ReadOnly(RegistryError):
    """An administrator has switched changes, or pushes, off for a while."""


class MethodNotAllowed(RegistryError):
    """The path exists, the method does not; headers hold Allow."""


class QueryInvalid(RegistryError):
    """A query parameter cannot be read."""


class EncodingUnsupported(RegistryError):
    """Content-Encoding or a form type that is not taken."""


class RangeNotSatisfiable(RegistryError):
    """No byte of the range lies in the content; headers hold Content-Range."""


class HeadersTooLarge(RegistryError):
    """Too many or too long header lines."""


class Unavailable(RegistryError):
    """The database or the store cannot be used now; headers hold Retry-After."""
