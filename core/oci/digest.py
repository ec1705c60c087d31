"""Digests: names of bytes (OCI image-spec, descriptor.md#digests)."""

import hashlib
import re
from typing import Self

from .errors import DigestInvalid, DigestUnsupported

LENGTHS = {"sha256": 64, "sha512": 128}
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_BLOB_KEY = re.compile(
    r"(?:.+/)?blobs/(?P<algorithm>sha256|sha512)/(?:\w\w/){0,2}(?P<hex>[a-f0-9]+)(?:\.g\d+|/data)?", re.DOTALL
)
"""Ours, and those of adopted trees: distribution's `.../blobs/sha256/a3/<hex>/data`, an image layout's."""
_HEX = re.compile(r"[a-f0-9]+")


class Digest(str):
    """`sha256:<64 hex>` or `sha512:<128 hex>`, lower case."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The digest in text, or DigestInvalid / DigestUnsupported that says what is wrong with it."""
        algorithm, colon, encoded = text.partition(":")
        length = LENGTHS.get(algorithm)
        if length and len(encoded) == length and _HEX.fullmatch(encoded):
            return cls(text)
        if not colon or not _GRAMMAR.fullmatch(text):
            raise DigestInvalid("a digest reads <algorithm>:<hex>, such as sha256:<64 lower-case hex digits>")
        if length is None:
            raise DigestUnsupported("this registry takes sha256 and sha512 digests")
        raise DigestInvalid(f"a {algorithm} digest has {length} lower-case hex digits")

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """The digest of data."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """`sha256` or `sha512`."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part behind the colon."""
        return self.partition(":")[2]


def check_algorithm(name: str) -> str:
    """The name of a supported algorithm, or DigestUnsupported."""
    if name not in LENGTHS:
        raise DigestUnsupported("this registry takes sha256 and sha512 digests")
    return name


def blob_key(digest: Digest, generation: int = 0) -> str:
    """Where the bytes of a blob lie in the store: `blobs/sha256/a3/f2/<hex>`, later generations `<hex>.g<N>`."""
    suffix = f".g{generation}" if generation else ""
    return f"blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex[2:4]}/{digest.hex}{suffix}"


def hash_of_key(key: str) -> "tuple[hashlib._Hash, str] | None":
    """A fresh hash for the bytes at a blob's key and the hex digits it must come to; None for any other key."""
    found = _BLOB_KEY.fullmatch(key)
    if found is None or len(found["hex"]) != LENGTHS[found["algorithm"]]:
        return None
    return hashlib.new(found["algorithm"], usedforsecurity=False), found["hex"]


def manifest_key(digest: Digest) -> str:
    """Where the worker keeps a copy of a manifest: `manifests/sha256/a3/f2/<hex>`."""
    return f"manifests/{digest.algorithm}/{digest.hex[:2]}/{digest.hex[2:4]}/{digest.hex}"
