"""References as of a time, and the way back to what was there."""

from typing import Any

from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.oci.errors import ManifestUnknown
from .api import call
from .remote import RemoteRegistry


async def as_of(registry: RemoteRegistry, reference: Reference, at: str | None) -> Reference:
    """The reference by the digest that its tag named at a time (ISO 8601); itself without one, or by digest. CurveError
    for a frame, which has no tags of its own."""
    if at is None or ":" in reference.target:
        return reference
    if len(reference.segments) == 3:
        raise CurveError(f"--at is for wells and curves: {reference.repository} is a frame; name its curves")
    path = f"/api/v1/projects/{reference.segments[0]}/history"
    query = [("repository", reference.repository), ("tag", reference.target), ("at", at), ("limit", "1")]
    moves = (await call(registry, "GET", path, query)).json()["moves"]
    if not moves or moves[0]["to"] is None:
        raise ManifestUnknown(f"{reference.repository}: the tag {reference.target} named nothing at {at}")
    return Reference(reference.segments, moves[0]["to"], reference.base)


async def moves(registry: RemoteRegistry, reference: Reference, most: int) -> list[dict[str, Any]]:
    """The moves of a tag, the last first: `from` and `to` (digests, or None), `user` and `time`. CurveError for a
    digest, which never moves."""
    if ":" in reference.target:
        raise CurveError(f"{reference.target[:19]}... is a digest and never moves: name a tag, as {reference}:latest")
    path = f"/api/v1/projects/{reference.segments[0]}/history"
    query = [("repository", reference.repository), ("tag", reference.target), ("limit", str(most))]
    found: list[dict[str, Any]] = (await call(registry, "GET", path, query)).json()["moves"]
    return found


async def undelete(registry: RemoteRegistry, reference: Reference, at: str | None = None) -> dict[str, Any]:
    """Bring a deleted artifact back (a reference by digest, with its tags), or a tag to where it was (with a time: to
    what it named then). `digest` and `tags` of what is there again."""
    named = "digest" if ":" in reference.target else "tag"
    body = {"repository": reference.repository, named: reference.target} | ({"at": at} if at else {})
    path = f"/api/v1/projects/{reference.segments[0]}/restore"
    found: dict[str, Any] = (await call(registry, "POST", path, body=body)).json()
    return found
