"""Media types, as their specifications spell them."""

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
