"""Every situation has its class, its row in the table, and a code of the specification."""

import re

from dataforge_registry.core.oci import errors
from dataforge_registry.core.oci.errors import RegistryError
from dataforge_registry.registry.errors import TABLE, error_answer

SPEC = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}
CLASSES = {
    found: found.__bases__[0]
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, RegistryError) and found is not RegistryError
}


def test_every_class_has_a_row_and_every_code_is_the_specifications() -> None:
    assert set(TABLE) == set(CLASSES)
    codes = {code: status for code, status in TABLE.values()}
    assert set(codes) == SPEC | {"UNAVAILABLE"}
    for code, status in TABLE.values():
        assert status == 503 if code == "UNAVAILABLE" else 400 <= status < 500, code


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    tree = (errors.__doc__ or "").partition("RegistryError\n")[2]
    drawn = {}
    for outer, inner in re.findall(r"(\w+)(?: \(([\w, ]+)\))?", tree):
        drawn[outer] = "RegistryError"
        drawn |= dict.fromkeys(inner.split(", ") if inner else [], outer)
    assert drawn == {found.__name__: base.__name__ for found, base in CLASSES.items()}


def test_a_missing_blob_each_has_an_entry() -> None:
    answer = error_answer(errors.ManifestBlobUnknown(["sha256:a", "sha256:b"]))
    assert answer.status == 404
    assert isinstance(answer.body, bytes)
    assert answer.body.count(b'"MANIFEST_BLOB_UNKNOWN"') == 2
    assert answer.headers["content-type"] == "application/json"
