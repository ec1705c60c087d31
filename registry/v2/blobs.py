"""Blobs: GET and HEAD with ranges (end-2), DELETE (end-10)."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.media import OCTET_STREAM
from ...core.reading import BlobReading
from ...core.records.lookup import FoundBlob
from ..load.load import LARGE
from ..ranges import Span, parse_range
from .answer import Answer, Request
from .conditional import not_modified, wanted_range
from .redirects import Redirects

IMMUTABLE = "private, max-age=31536000, immutable"


async def head(request: Request, repository: LocalRepository, digest: Digest) -> Answer:
    """end-2: whether the blob is here; for one who may push, a promise that it stays for a while."""
    blob = await repository.stat_blob(digest)
    if not_modified(request, digest):
        return Answer(304, _headers(digest))
    return Answer(200, _headers(digest) | {"content-length": str(blob.size)})


async def get(
    request: Request, repository: LocalRepository, reading: BlobReading, redirects: Redirects, digest: Digest
) -> Answer:
    """end-2: the bytes of a blob, one range of them (206), several (multipart/byteranges), or where they are (307)."""
    found = await repository.find_blob(digest)
    headers = _headers(digest)
    if not_modified(request, digest):
        return Answer(304, headers)
    spans = parse_range(wanted_range(request, digest), found.size)
    if len(spans) > 1:
        return await _multipart(reading, found, spans, headers)
    start, stop = (spans[0].start, spans[0].stop) if spans else (0, found.size)
    elsewhere = await redirects.answer(request, reading, found, stop - start, headers)
    if elsewhere is not None:
        return elsewhere
    headers["content-length"] = str(stop - start)
    if spans:
        headers["content-range"] = spans[0].content_range
    content = await reading.small(found)
    if content is not None:
        return Answer(206 if spans else 200, headers, content if not spans else content[start:stop])
    if not spans and "http.response.pathsend" in request.scope.get("extensions", {}):
        path = await reading.path(found)
        if path is not None:
            return Answer(200, headers, path=path)
    if stop - start > LARGE and (load := request.scope["state"].get("load")):
        load.spare()
    return Answer(206 if spans else 200, headers, await reading.open(found, start, stop))


async def delete(repository: LocalRepository, digest: Digest) -> Answer:
    """end-10: absent in this repository at once."""
    await repository.delete_blob(digest)
    return Answer(202)


def _headers(digest: Digest) -> dict[str, str]:
    return {
        "content-type": OCTET_STREAM,
        "docker-content-digest": digest,
        "etag": f'"{digest}"',
        "accept-ranges": "bytes",
        "cache-control": IMMUTABLE,
        "x-content-type-options": "nosniff",
    }


async def _multipart(reading: BlobReading, found: FoundBlob, spans: list[Span], headers: dict[str, str]) -> Answer:
    """Several ranges as parts of one body (RFC 9110 section 14.6)."""
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {OCTET_STREAM}\r\nContent-Range: {span.content_range}\r\n\r\n".encode()
        for span in spans
    ]
    end = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + len(end) + sum(span.stop - span.start for span in spans)
    first = await reading.open(found, spans[0].start, spans[0].stop)

    async def parts() -> AsyncGenerator[bytes, None]:
        body = first
        for part, span in zip(heads, spans, strict=True):
            yield part
            if span is not spans[0]:
                body = await reading.open(found, span.start, span.stop)
            async with aclosing(body):
                async for piece in body:
                    yield piece
        yield end

    headers |= {"content-type": f"multipart/byteranges; boundary={boundary}", "content-length": str(length)}
    return Answer(206, headers, parts())
