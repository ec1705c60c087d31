"""Log files inside artifacts that anybody pushed: which layers are such files, and their bytes on a disk and back."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path, PurePosixPath

from ..curves import schema
from ..curves.errors import CurveError
from ..curves.readers.files import is_log_file
from ..curves.schema import Descriptor, Manifest
from ..oci import media
from ..oci.digest import Digest
from ..oci.errors import DigestInvalid
from ..oci.repository import Repository

PIECE = 1 << 20
_LONGEST = 200  # bytes of a name; file systems take 255
_TYPE = re.compile(r"(?:^|[/.+-])(las|dlis|lis|csv|parquet)(?=$|[.;+])", re.IGNORECASE)
_OURS = frozenset({media.CURVE, media.WELL, media.ORIGINAL})


def log_layers(manifest: Manifest, fallback: str) -> Iterator[tuple[str, Descriptor]]:
    """(file name, layer) of the log files in an artifact: by a layer's title, else by what its media type, or the
    artifact's where it has one layer, says it is; `fallback` is the name then. None in artifacts of our own."""
    if manifest.artifactType in _OURS or (manifest.config and manifest.config.mediaType == media.OCI_CONFIG):
        return
    for layer in manifest.layers:
        name = PurePosixPath(layer.annotations.get(schema.TITLE, "").replace("\\", "/")).name
        if not name or not name.isprintable() or len(name.encode()) > _LONGEST:
            types = [layer.mediaType] + ([manifest.artifactType] if len(manifest.layers) == 1 else [])
            named = next((found for each in types if (found := _TYPE.search(each))), None)
            suffix = PurePosixPath(name).suffix if name else f".{named[1].lower()}" if named else ""
            name = fallback + suffix
        if is_log_file(Path(name)):
            yield name, layer


async def fetch(repository: Repository, digest: Digest, path: Path) -> None:
    """The bytes of a blob into a new file."""
    file = await asyncio.to_thread(path.open, "xb")
    try:
        async with aclosing(await repository.open_blob(digest)) as body:
            async for piece in body:
                await asyncio.to_thread(file.write, piece)
    finally:
        await asyncio.to_thread(file.close)


def content_of(path: Path, digest: Digest, size: int) -> bytes:
    """The bytes of a small file. DigestInvalid where they are not, or no more, what the digest says; CurveError."""
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)
    except OSError as error:
        raise CurveError(f"it cannot be opened: {error.strerror}") from error
    if Digest.of(content, digest.algorithm) != digest:
        raise DigestInvalid(f"{path} is no more what it was")
    return content


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """The bytes of a file."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
