"""Two versions of a curve compared inside a sandbox, in two calls: which layers it takes, then what they say."""

from typing import Any

import msgspec

from .diff import Version, assemble, plan


def wanted_layers(argument: Any, blobs: list[bytes]) -> tuple[tuple[list[str], list[str]], list[bytes]]:
    """blobs: manifest and config of the old version, of the new one. Digests to fetch of the old, of the new."""
    wanted = plan(Version.parse(blobs[0], blobs[1]), Version.parse(blobs[2], blobs[3]))
    return (list(map(str, wanted.old_digests)), list(map(str, wanted.new_digests))), []


def compare(argument: Any, blobs: list[bytes]) -> tuple[None, list[bytes]]:
    """The same blobs, then the layers in order: a CurveDiff (differences.py) as JSON."""
    wanted = plan(Version.parse(blobs[0], blobs[1]), Version.parse(blobs[2], blobs[3]))
    found = assemble(wanted, dict(zip(wanted.digests, blobs[4:], strict=True)))
    return None, [msgspec.json.encode(found, enc_hook=str)]
