"""Large blobs between a registry and files: in bounded memory, checked as a whole, gone on with after a cut."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ...core.curves.errors import ContentMismatch, CurveError
from ...core.oci.digest import Digest
from ...core.oci.errors import RangeNotSatisfiable, RegistryError, TooManyRequests, Unavailable, UploadRangeInvalid
from .answer import Answer
from .transport import ATTEMPTS, FAILURES, Transport, pause

PIECE = 1 << 20
CHUNK = 8 << 20
"""Bytes of one PATCH, which are in memory while they are sent."""

_LATER = (Unavailable, TooManyRequests)


async def download(
    transport: Transport, name: str, digest: Digest, path: Path, size: int, advance: Callable[[int], None]
) -> None:
    """end-2: a blob of repository `name` to a file, which appears when it is whole and has its digest.

    What a broken attempt left beside it (`.part`) is gone on with. advance(bytes) is called as they come.
    ContentMismatch for other bytes, or more than `size`; BlobUnknown; Unavailable after ATTEMPTS without a byte.
    """
    part = path.with_name(f".{digest.hex[:32]}.part")
    failures = 0
    with await asyncio.to_thread(part.open, "a+b") as file:
        done, hashed = await asyncio.to_thread(_left, file, digest)
        advance(done)
        while done != size or size == 0:
            begun = done
            try:
                span = {"Range": f"bytes={done}-"} if done else {}
                async with transport.stream(f"/v2/{name}/blobs/{digest}", name, span, (200, 206)) as response:
                    if response.status == 200 and done:  # a registry without ranges sends all again
                        file.truncate(0)
                        begun, done, hashed = 0, 0, hashlib.new(digest.algorithm)
                    async for piece in response.content.iter_chunked(PIECE):
                        done += len(piece)
                        if done > size:
                            break
                        await asyncio.to_thread(_take, file, hashed, piece)
                        advance(len(piece))
                break
            except RangeNotSatisfiable:
                break
            except (*FAILURES, *_LATER) as error:
                failures = 1 if done > begun else failures + 1
                if failures >= ATTEMPTS:
                    raise error if isinstance(error, RegistryError) else transport.unreachable(error) from error
                await pause(failures - 1, None)
    if done != size or hashed.hexdigest() != digest.hex:
        part.unlink()
        raise ContentMismatch(f"blob {digest} of {name} came with other bytes than its digest names; pull again")
    os.replace(part, path)


def _left(file: IO[bytes], digest: Digest) -> tuple[int, Any]:
    """Bytes of a part, and their hash so far."""
    hashed = hashlib.new(digest.algorithm)
    file.seek(0)
    while piece := file.read(PIECE):
        hashed.update(piece)
    return file.tell(), hashed


def _take(file: IO[bytes], hashed: Any, piece: bytes) -> None:
    file.write(piece)
    hashed.update(piece)


async def upload(transport: Transport, name: str, path: Path, digest: Digest, size: int) -> None:
    """end-4a, end-5, end-6, end-13: a file to repository `name`, in chunks; after a cut the registry is asked how much
    it has. DigestInvalid where the file is not what the digest says; Unavailable after ATTEMPTS without a byte."""
    opened = await transport.request("POST", f"/v2/{name}/blobs/uploads/", name, expect=(202,))
    location, offset, failures = opened.headers["Location"], 0, 0
    while offset < size:
        begun = offset
        try:
            chunk = await asyncio.to_thread(_chunk, path, offset)
            if not chunk:
                raise CurveError(f"{path} has become shorter while it was sent; push it again")
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"{offset}-{offset + len(chunk) - 1}",
            }
            answer = await transport.request(
                "PATCH", location, name, headers=headers, data=chunk, expect=(202,), attempts=1
            )
        except (*_LATER, UploadRangeInvalid) as error:
            failures += 1
            if failures >= ATTEMPTS:
                raise
            await pause(failures - 1, error.headers.get("Retry-After"))
            answer = await transport.request("GET", location, name, expect=(204, 202, 200))
        location, offset = answer.headers.get("Location", location), _offset(answer)
        if offset > begun:
            failures = 0
    await transport.request("PUT", location, name, query=[("digest", digest)], expect=(201,))


def _chunk(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK)


def _offset(answer: Answer) -> int:
    """Bytes that the registry has, by `Range: 0-<last>`; `0--1` is none."""
    last = answer.headers.get("Range", "").partition("-")[2]
    try:
        return int(last) + 1
    except ValueError as error:
        raise RegistryError("the registry does not say how much of the upload it has; push again") from error
