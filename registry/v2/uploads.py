"""Uploads: POST (end-4a, 4b, 4c, 11), PATCH (end-5), PUT (end-6), GET (end-13), DELETE (end-14)."""

import re
from urllib.parse import quote
from uuid import UUID

from ...core.body import Body
from ...core.local import LocalRepository
from ...core.oci.digest import Digest, check_algorithm
from ...core.oci.errors import (
    DigestInvalid,
    EncodingUnsupported,
    SizeInvalid,
    UploadInvalid,
    UploadRangeInvalid,
    UploadUnknown,
)
from ...core.oci.names import MAX_REPOSITORY, REPOSITORY
from ...core.uploads import UploadSession
from .answer import Answer, Request

_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?\s*([0-9]+)-([0-9]+)(?:/([0-9]+|\*))?")
_LARGEST = 2**63 - 1
_DIGITS = len(str(_LARGEST))


async def start(request: Request, repository: LocalRepository, name: str, limit: int | None) -> Answer:
    """A mount (end-11), a whole blob (end-4b), or a new upload (end-4a, end-4c)."""
    _check_encoding(request)
    if "mount" in request.query:
        digest = _digest(request, "mount")
        source = request.one("from") or None
        readable = source is None or (len(source) <= MAX_REPOSITORY and REPOSITORY.fullmatch(source))
        if readable and await repository.mount_blob(digest, source):
            return _created(name, digest)
        return await _new(repository, name, digest.algorithm)
    if "digest" in request.query:
        digest = _digest(request, "digest")
        await repository.push_blob(digest, Body(request.body(), request.length, limit))
        return _created(name, digest)
    return await _new(repository, name, check_algorithm(request.one("digest-algorithm") or "sha256"))


async def patch(request: Request, repository: LocalRepository, name: str, upload: str, limit: int | None) -> Answer:
    """end-5: one more chunk, or a stream."""
    _check_encoding(request)
    session = await repository.find_upload(_id(upload))
    try:
        begin, length = _content_range(request)
        offset = await session.append(Body(request.body(), length, limit), begin)
    except UploadRangeInvalid as error:
        raise await _with_location(error, session, name) from error
    return Answer(202, _progress(name, upload, offset, "0-0"))


async def put(request: Request, repository: LocalRepository, name: str, upload: str, limit: int | None) -> Answer:
    """end-6: the last bytes, if any, and the digest of all."""
    _check_encoding(request)
    digest = _digest(request, "digest")
    session = await repository.find_upload(_id(upload))
    try:
        begin, length = _content_range(request, last=True)
        await session.finish(digest, Body(request.body(), length, limit), begin)
    except UploadRangeInvalid as error:
        raise await _with_location(error, session, name) from error
    return _created(name, digest)


async def status(repository: LocalRepository, name: str, upload: str) -> Answer:
    """end-13: how far it is."""
    session = await repository.find_upload(_id(upload))
    return Answer(204, _progress(name, upload, await session.offset(), "0--1"))


async def cancel(repository: LocalRepository, upload: str) -> Answer:
    """end-14: forget it."""
    session = await repository.find_upload(_id(upload))
    await session.cancel()
    return Answer(204)


async def _new(repository: LocalRepository, name: str, algorithm: str) -> Answer:
    session = await repository.start_upload(algorithm)
    return Answer(202, _progress(name, str(session.id), 0, "0-0"))


def _progress(name: str, upload: str, offset: int, empty: str) -> dict[str, str]:
    """`Range` cannot say "nothing yet": 0-0 on POST and PATCH, 0--1 on status (distribution-api.md, decision g)."""
    return {
        "location": f"/v2/{name}/blobs/uploads/{upload}",
        "docker-upload-uuid": upload,
        "range": f"0-{offset - 1}" if offset else empty,
    }


async def _with_location(error: UploadRangeInvalid, session: UploadSession, name: str) -> UploadRangeInvalid:
    """The error with where to go on from: clients resume by its Location and Range."""
    offset = error.detail["offset"] if error.detail else await session.offset()
    return UploadRangeInvalid(error.message, {"offset": offset}, _progress(name, str(session.id), offset, "0--1"))


def _created(name: str, digest: Digest) -> Answer:
    return Answer(201, {"location": f"/v2/{name}/blobs/{quote(digest, safe=':')}", "docker-content-digest": digest})


def _digest(request: Request, parameter: str) -> Digest:
    values = set(request.query.get(parameter, ()))
    if len(values) != 1:
        raise DigestInvalid(f"{parameter}= must name one digest: sha256:<hex> or sha512:<hex>")
    return Digest.parse(values.pop())


def _id(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text:
        raise UploadUnknown("there is no such upload here; start a new one")
    return found


def _content_range(request: Request, last: bool = False) -> tuple[int | None, int | None]:
    """(where the chunk starts, its length in bytes), by Content-Range (`a-b`, also `bytes a-b/total`) and
    Content-Length; None where neither says it. The last chunk ends where the total does."""
    header, length = request.headers.get("content-range"), request.length
    if header is None:
        return None, length
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if not match:
        raise UploadInvalid("Content-Range reads <first>-<last>, in bytes")
    first, end = _position(match[1]), _position(match[2]) + 1
    if end <= first:
        if length == 0 and end == first:
            return first, 0
        raise UploadRangeInvalid("Content-Range ends before it starts")
    if length is not None and length != end - first:
        raise SizeInvalid(f"Content-Range spans {end - first} bytes, Content-Length says {length}")
    total = _position(match[3]) if match[3] and match[3] != "*" else None
    if total is not None and (total < end or (last and total != end)):
        raise SizeInvalid(f"Content-Range ends after {end} bytes of {total}")
    return first, end - first


def _position(digits: str) -> int:
    """A byte position; UploadRangeInvalid past any size."""
    position = int(digits.lstrip("0")[:_DIGITS] or "0")
    if len(digits.lstrip("0")) > _DIGITS or position >= _LARGEST:
        raise UploadRangeInvalid("Content-Range goes past any size")
    return position


def _check_encoding(request: Request) -> None:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise EncodingUnsupported("blobs are stored as they come: send them without Content-Encoding")
