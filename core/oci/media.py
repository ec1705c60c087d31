"""Media types, as their specifications spell them."""

import re

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_SCHEMA1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = IMAGES | INDEXES

OCTET_STREAM = "application/octet-stream"
JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"

CURVE = "application/vnd.dataforge.curve.v1"
CURVE_CONFIG = "application/vnd.dataforge.curve.config.v1+json"
WELL = "application/vnd.dataforge.well.v1"
ORIGINAL = "application/vnd.dataforge.original.v1"
BUNDLE = "application/vnd.dataforge.bundle.v1+msgpack"
PUSHES = "application/vnd.dataforge.pushes.v1+msgpack"

_WORDS = {
    OCI_CONFIG: "IMAGE",
    "application/vnd.docker.container.image.v1+json": "IMAGE",
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cnab.manifest.v1": "CNAB",
    "application/vnd.cncf.openpolicyagent.config.v1+json": "OPA",
    "application/vnd.cncf.notary.signature": "SIGNATURE",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "SIGNATURE",
    "application/vnd.dev.cosign.artifact.sig.v1+json": "SIGNATURE",
    "application/vnd.dev.cosign.simplesigning.v1+json": "SIGNATURE",
    CURVE: "CURVE",
    WELL: "WELL",
    ORIGINAL: "ORIGINAL",
}
_ACCESSORIES = {
    "application/vnd.cncf.notary.signature": "signature.notation",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "signature.cosign",
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature.cosign",
    "application/vnd.dev.cosign.simplesigning.v1+json": "signature.cosign",
    "application/spdx+json": "sbom",
    "application/vnd.cyclonedx+json": "sbom",
}
_VENDOR = re.compile(r"application/vnd\.(?:[a-z0-9-]+\.)*?([a-z0-9-]+)(?:\.config)?(?:\.v[0-9.]+)?(?:\+[a-z]+)?")


def type_word(artifact_type: str | None, config_type: str | None, index: bool = False) -> str:
    """Harbor's one-word type of an artifact: IMAGE, CHART, CURVE ..., else the word of the type itself, in capitals."""
    for media_type in (artifact_type, config_type):
        if media_type in _WORDS:
            return _WORDS[media_type]
    named = artifact_type or (config_type if config_type != OCI_EMPTY else None)
    if named is None:
        return "IMAGE" if index else "UNKNOWN"
    vendor = _VENDOR.fullmatch(named)
    return vendor.group(1).upper() if vendor else "UNKNOWN"


def accessory_type(artifact_type: str | None, layer_types: tuple[str, ...] = ()) -> str:
    """What an attached artifact is to its subject, in Harbor's words."""
    for media_type in (artifact_type, *layer_types):
        if media_type in _ACCESSORIES:
            return _ACCESSORIES[media_type]
    return "subject.accessory"
