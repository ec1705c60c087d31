"""Manifests: GET and HEAD (end-3), PUT (end-7, end-7b), DELETE (end-9)."""

from dataclasses import replace
from urllib.parse import quote

from ...core.body import Body
from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.errors import EncodingUnsupported, ManifestUnknown, QueryInvalid
from ...core.oci.names import check_tag, is_tag
from ...core.oci.repository import Stored
from .answer import Answer, Request
from .conditional import not_modified, precondition


def reference_of(text: str) -> str:
    """A tag or digest to look for. ManifestUnknown where it can be no tag, DigestInvalid where it is a bad digest;
    ManifestInvalid for an encoded slash or NUL, which routing turned into NUL."""
    if ":" in text:
        return Digest.parse(text)
    if "\0" in text:
        return check_tag(text)
    if not is_tag(text):
        raise ManifestUnknown("no manifest can have this tag: it breaks the grammar of tags")
    return text


async def head(request: Request, repository: LocalRepository, reference: str) -> Answer:
    """end-3: what a tag or digest names."""
    stored = await repository.stat_manifest(reference)
    if not_modified(request, stored.digest):
        return Answer(304, _headers(stored))
    return Answer(200, _headers(stored) | {"content-length": str(stored.size)})


async def get(request: Request, repository: LocalRepository, reference: str) -> Answer:
    """end-3: the bytes as pushed, whatever Accept says."""
    if "if-none-match" in request.headers:
        stored = await repository.stat_manifest(reference)
        if not_modified(request, stored.digest):
            return Answer(304, _headers(stored))
    stored, raw = await repository.get_manifest(reference)
    return Answer(200, _headers(stored), raw)


async def put(request: Request, repository: LocalRepository, name: str, reference: str) -> Answer:
    """end-7, and end-7b: by digest with any number of `?tag=`. All tags move, or none; `?along=` names further ones, of
    which If-Match and If-None-Match ask nothing. With `?version=next` the manifest gets the repository's next `vN` too,
    unless it has one: OCI-Tag tells which."""
    digest = Digest.parse(reference) if ":" in reference else None
    tags = [check_tag(tag) for tag in request.query.get("tag", [])]
    if digest is None:
        tags = [check_tag(reference), *tags]
    along = [check_tag(tag) for tag in request.query.get("along", []) if tag not in tags]
    if request.headers.get("content-encoding", "identity") != "identity":
        raise EncodingUnsupported("send manifests as they are, without Content-Encoding")
    numbered = request.query.get("version", [])
    if numbered not in ([], ["next"]):
        raise QueryInvalid("version can only be asked for as ?version=next")
    expected = replace(precondition(request), along=tuple(along))
    tags += along
    body = Body(request.body(), request.length, None)
    media_type = request.headers.get("content-type")
    manifest, pushed = await repository.push_manifest(body, media_type, digest, tags, expected, bool(numbered))
    found = manifest.digest
    headers = {"location": f"/v2/{name}/manifests/{found}", "docker-content-digest": found}
    if manifest.subject is not None:
        headers["oci-subject"] = manifest.subject.digest
    if numbered:
        tags.append(f"v{pushed.version}")
    warnings = [pushed.warning] if pushed.warning else []
    if pushed.absent:
        warnings.append(f"{pushed.absent} of the blobs and manifests it names are not in this repository")
    if warnings:
        headers["warning"] = ", ".join(f'299 - "{text}"' for text in warnings)
    if numbered or along or "tag" in request.query:
        headers["oci-tag"] = ", ".join(quote(tag) for tag in dict.fromkeys(tags))
    return Answer(201, headers)


async def delete(repository: LocalRepository, reference: str) -> Answer:
    """end-9: a tag alone, or a manifest with all its tags."""
    if ":" in reference:
        await repository.delete_manifest(Digest.parse(reference))
    else:
        await repository.delete_tag(reference_of(reference))
    return Answer(202)


def _headers(stored: Stored) -> dict[str, str]:
    return {
        "content-type": stored.media_type,
        "docker-content-digest": stored.digest,
        "etag": f'"{stored.digest}"',
        "x-content-type-options": "nosniff",
    }
