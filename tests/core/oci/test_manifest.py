"""Strict reading of manifests: one meaning or none, in time that grows with the bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import DigestInvalid, ManifestInvalid, ManifestUnsupported, SizeInvalid
from dataforge_registry.core.oci.manifest import MAX_DEPTH, Manifest, parse

DIGEST = Digest.of(b"{}")
CONFIG = {"mediaType": media.OCI_EMPTY, "digest": DIGEST, "size": 2}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": CONFIG, "layers": [CONFIG]}
INDEX: dict[str, Any] = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [CONFIG]}
REFUSALS = (ManifestInvalid, ManifestUnsupported, DigestInvalid, SizeInvalid)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def read(body: Any, content_type: str | None = None) -> Manifest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(raw, content_type, Digest.of(raw))


def test_an_image() -> None:
    layer = {"mediaType": "a/b", "digest": Digest.of(b"x"), "size": 1, "artifactType": "c/d"}
    manifest = read(IMAGE | {"layers": [layer, layer], "annotations": {"k": "v"}, "subject": CONFIG, "more": [1]})
    assert not manifest.is_index
    assert [entry.digest for entry in manifest.blobs] == [DIGEST, layer["digest"], layer["digest"]]
    assert manifest.subject is not None and manifest.subject.digest == DIGEST
    assert manifest.annotations == {"k": "v"}
    assert manifest.referrer_type == media.OCI_EMPTY
    assert manifest.layers[0].artifact_type == "c/d"


def test_an_index() -> None:
    manifest = read(INDEX | {"artifactType": "x/y"})
    assert manifest.is_index and manifest.config is None and not manifest.blobs
    assert [entry.digest for entry in manifest.manifests] == [DIGEST]
    assert manifest.referrer_type == "x/y"
    assert read(INDEX | {"manifests": []}).referrer_type is None


@pytest.mark.parametrize("content_type", [media.DOCKER_MANIFEST, f"{media.DOCKER_MANIFEST}; charset=utf-8", None])
def test_the_type_comes_from_the_header_or_from_inside(content_type: str | None) -> None:
    body = IMAGE | {"mediaType": media.DOCKER_MANIFEST}
    assert read(body, content_type).media_type == media.DOCKER_MANIFEST
    if content_type:
        del body["mediaType"]
        assert read(body, content_type).media_type == media.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("media_type", "more", "foreign"),
    [
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", {}, True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {}, True),
        ("a/b", {"urls": ["https://example.org/x"]}, True),
        ("a/b", {"urls": []}, False),
        ("a/b", {}, False),
    ],
)
def test_layers_that_need_not_be_here(media_type: str, more: dict[str, Any], foreign: bool) -> None:
    layer = CONFIG | {"mediaType": media_type} | more
    assert read(IMAGE | {"layers": [layer]}).layers[0].foreign is foreign


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        1,
        {},
        IMAGE | {"schemaVersion": 1},
        IMAGE | {"schemaVersion": 2.0},
        IMAGE | {"schemaVersion": "2"},
        IMAGE | {"schemaVersion": True},
        IMAGE | {"mediaType": 2},
        IMAGE | {"mediaType": "text/html"},
        IMAGE | {"manifests": []},
        IMAGE | {"fsLayers": []},
        IMAGE | {"layers": {}},
        IMAGE | {"layers": [1]},
        IMAGE | {"config": None},
        {name: value for name, value in IMAGE.items() if name != "config"},
        INDEX | {"layers": []},
        INDEX | {"config": CONFIG},
        {name: value for name, value in INDEX.items() if name != "manifests"},
        IMAGE | {"config": CONFIG | {"size": -1}},
        IMAGE | {"config": CONFIG | {"size": 2.0}},
        IMAGE | {"config": CONFIG | {"size": True}},
        IMAGE | {"config": CONFIG | {"size": 2**63}},
        IMAGE | {"config": CONFIG | {"digest": 3}},
        IMAGE | {"config": CONFIG | {"mediaType": ""}},
        IMAGE | {"config": CONFIG | {"mediaType": "a\0b"}},
        IMAGE | {"config": CONFIG | {"mediaType": "a" * 256}},
        IMAGE | {"config": CONFIG | {"annotations": {"a": None}}},
        IMAGE | {"annotations": {"a": 1}},
        IMAGE | {"annotations": []},
        IMAGE | {"annotations": {"a": "\ud800"}},
        IMAGE | {"annotations": {"a\0": ""}},
        IMAGE | {"artifactType": 1},
        IMAGE | {"subject": CONFIG | {"digest": "sha256:x"}},
        IMAGE | {"subject": []},
    ],
)
def test_what_is_no_manifest(body: Any) -> None:
    with pytest.raises(ManifestInvalid):
        read(body)


def test_other_refusals() -> None:
    with pytest.raises(ManifestUnsupported):
        read({}, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    with pytest.raises(DigestInvalid):
        read(IMAGE | {"config": CONFIG | {"digest": "sha256:../../x"}})
    with pytest.raises(ManifestInvalid, match="differ"):
        read(IMAGE, media.OCI_INDEX)
    with pytest.raises(SizeInvalid, match="two different sizes"):
        read(IMAGE | {"layers": [CONFIG | {"size": 3}]})


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_depth(depth: int) -> None:
    """Brackets inside strings do not count, those outside do, whatever quotes are escaped."""
    nested = b"[" * (depth - 1) + b"]" * (depth - 1)
    raw = json.dumps(INDEX)[:-1].encode() + rb', "a": "' + rb"\"[{" * 500 + rb'\\", "b": ' + nested + b"}"
    if depth == MAX_DEPTH:
        assert read(raw).is_index
    else:
        with pytest.raises(ManifestInvalid, match="nested"):
            read(raw)


@pytest.mark.parametrize("unit", [rb"\"", rb"\\", b'"', b"[", b"{", b"[]", b"1", b'""', rb"\u0041", b"\\"])
@pytest.mark.parametrize("start", [b"", b'"', b'{"a":"', b'["'])
def test_four_megabytes_of_anything_are_read_in_linear_time(start: bytes, unit: bytes) -> None:
    """A string that is never closed made each of its escaped quotes a start of its own: hours instead of a second."""
    with pytest.raises(ManifestInvalid):
        read(start + unit * ((4 << 20) // len(unit)))


@given(JSON)
def test_any_json_is_a_manifest_or_refused(value: Any) -> None:
    for body in (value, IMAGE | {"config": value}, INDEX | {"manifests": [value], "annotations": value}):
        try:
            read(body)
        except REFUSALS as error:
            assert error.message


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 400))
def test_any_damage_is_a_manifest_or_refused(junk: bytes, start: int, stop: int) -> None:
    raw = json.dumps(IMAGE).encode()
    try:
        assert read(raw[:start] + junk + raw[stop:]).media_type in media.MANIFESTS
    except REFUSALS as error:
        assert error.message


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.text(max_size=9)))
def test_any_annotations_come_back(annotations: dict[str, str]) -> None:
    if any("\0" in value for value in annotations.values()):
        with pytest.raises(ManifestInvalid):
            read(IMAGE | {"annotations": annotations})
    else:
        assert read(IMAGE | {"annotations": annotations}).annotations == annotations
