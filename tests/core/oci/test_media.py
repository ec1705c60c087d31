"""One-word types and what an attached artifact is to its subject."""

import json

import pytest

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.accessory import accessory_of
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.manifest import parse

EMPTY = {"mediaType": media.OCI_EMPTY, "digest": Digest.of(b"{}"), "size": 2}


@pytest.mark.parametrize(
    ("artifact_type", "config_type", "index", "word"),
    [
        (None, media.OCI_CONFIG, False, "IMAGE"),
        (None, None, True, "IMAGE"),
        (None, media.OCI_EMPTY, False, "UNKNOWN"),
        (None, "application/vnd.cncf.helm.config.v1+json", False, "CHART"),
        (media.CURVE, media.CURVE_CONFIG, False, "CURVE"),
        (media.WELL, None, True, "WELL"),
        ("application/vnd.acme.rocket.config.v2+json", None, False, "ROCKET"),
        ("text/plain", None, False, "UNKNOWN"),
    ],
)
def test_words(artifact_type: str | None, config_type: str | None, index: bool, word: str) -> None:
    assert media.type_word(artifact_type, config_type, index) == word


@pytest.mark.parametrize(
    ("more", "tags", "found"),
    [
        ({}, ["v1"], None),
        ({}, [f"sha256-{'a' * 64}.sig"], ("signature.cosign", f"sha256:{'a' * 64}")),
        ({}, ["v1", f"sha512-{'b' * 128}"[:128] + ".sig"], None),
        ({}, [f"sha256-{'a' * 64}.sbom"], ("sbom", f"sha256:{'a' * 64}")),
        ({}, [f"sha256-{'a' * 63}.sig"], None),
        ({"subject": EMPTY}, [], ("subject.accessory", EMPTY["digest"])),
        (
            {"subject": EMPTY, "artifactType": "application/vnd.cncf.notary.signature"},
            [f"sha256-{'a' * 64}.sig"],
            ("signature.notation", EMPTY["digest"]),
        ),
    ],
)
def test_accessories(more: dict[str, object], tags: list[str], found: tuple[str, str] | None) -> None:
    body = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": EMPTY, "layers": [], **more}
    raw = json.dumps(body).encode()
    assert accessory_of(parse(raw, None, Digest.of(raw)), tags) == found
