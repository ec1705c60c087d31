"""A manifest with small blobs that it names, in one message: a version of a curve then costs one request, not four.

The body of a push whose Content-Type is `media.BUNDLE`: a MessagePack array of the manifest's media type, its bytes,
and the blobs' bytes. Digests do not travel: the manifest names them. Only a registry that gave a number to
`?version=next`, as ours alone does, is sent one.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from .digest import Digest
from .errors import ManifestInvalid
from .manifest import Manifest

BUNDLED: Final = 1 << 20
"""Bytes of all blobs of one bundle."""
ALONG: Final = 64 << 10
"""Up to this size in bytes a blob is better sent along than looked for, or sent alone."""


class Bundle(msgspec.Struct, array_like=True, frozen=True):
    """What stands in the body."""

    media_type: str
    manifest: bytes
    blobs: list[bytes]


def bundled(media_type: str, manifest: bytes, blobs: Iterable[bytes]) -> bytes:
    """The body of a push."""
    return msgspec.msgpack.encode(Bundle(media_type, manifest, list(blobs)))


def unbundled(body: bytes) -> Bundle:
    """What stands in a body; ManifestInvalid where it is none."""
    try:
        return msgspec.msgpack.decode(body, type=Bundle)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestInvalid(f"this is no manifest with its blobs: {str(error)[:200]}") from None


def check_named(manifest: Manifest, blobs: Iterable[Digest]) -> None:
    """ManifestInvalid where the manifest does not name a blob that came along."""
    if strange := sorted(set(blobs).difference(blob.digest for blob in manifest.blobs)):
        raise ManifestInvalid(f"a blob came along that the manifest does not name: {strange[0]}")


def along(blobs: Iterable[bytes]) -> list[bytes]:
    """Those of a manifest's blobs that go along with it."""
    chosen, room = [], BUNDLED
    for blob in sorted(blobs, key=len):
        room -= len(blob)
        if len(blob) > ALONG or room < 0:
            break
        chosen.append(blob)
    return chosen
