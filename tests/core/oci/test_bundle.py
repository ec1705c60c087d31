"""A manifest and its small blobs in one message: what goes along, what comes out, what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.bundle import ALONG, BUNDLED, along, bundled, check_named, unbundled
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ManifestInvalid
from dataforge_registry.core.oci.manifest import Manifest, parse


def manifest_of(*blobs: bytes) -> Manifest:
    parts = [{"mediaType": media.OCTET_STREAM, "digest": Digest.of(blob), "size": len(blob)} for blob in blobs]
    raw = json.dumps({"schemaVersion": 2, "config": parts[0], "layers": parts[1:]}).encode()
    return parse(raw, media.OCI_MANIFEST, Digest.of(raw))


@given(st.text(max_size=20), st.binary(max_size=200), st.lists(st.binary(max_size=100), max_size=5))
def test_what_goes_in_comes_out(media_type: str, manifest: bytes, blobs: list[bytes]) -> None:
    found = unbundled(bundled(media_type, manifest, blobs))
    assert (found.media_type, found.manifest, found.blobs) == (media_type, manifest, blobs)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_read(body: bytes) -> None:
    try:
        found = unbundled(body)
    except ManifestInvalid as error:
        assert "\n" not in error.message
        return
    assert isinstance(found.manifest, bytes) and all(isinstance(blob, bytes) for blob in found.blobs)


def test_blobs_are_named_by_their_manifest() -> None:
    manifest = manifest_of(b"config", b"layer")
    check_named(manifest, [Digest.of(b"layer"), Digest.of(b"layer")])
    with pytest.raises(ManifestInvalid, match=Digest.of(b"other")):
        check_named(manifest, [Digest.of(b"config"), Digest.of(b"other")])


def test_small_blobs_go_along_until_there_are_too_many() -> None:
    small, large = b"s", b"l" * (ALONG + 1)
    assert along([large, small]) == [small]
    many = [bytes([n]) * ALONG for n in range(BUNDLED // ALONG + 3)]
    assert along(many) == many[: BUNDLED // ALONG]
