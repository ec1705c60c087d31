"""Digests: the grammar, both algorithms, and the keys made of them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci.digest import LENGTHS, Digest, blob_key, check_algorithm, manifest_key
from dataforge_registry.core.oci.errors import DigestInvalid, DigestUnsupported


@pytest.mark.parametrize("algorithm", LENGTHS)
def test_a_digest_is_what_the_hash_says(algorithm: str) -> None:
    digest = Digest.of(b"abc", algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    assert Digest.parse(digest) == digest
    assert (digest.algorithm, len(digest.hex)) == (algorithm, LENGTHS[algorithm])
    assert check_algorithm(algorithm) == algorithm


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:baddigeststring",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "a" * 63 + "g",
        "sha256:" + "a" * 63 + "\n",
        "sha256:" + "a" * 64 + "\n",
        "sha256:../../etc/passwd",
        "sha512:" + "a" * 64,
        "SHA256:" + "a" * 64,
        " sha256:" + "a" * 64,
        "sha256:" + "\N{FULLWIDTH DIGIT ONE}" * 64,
    ],
)
def test_what_is_no_digest(text: str) -> None:
    with pytest.raises(DigestInvalid) as refused:
        Digest.parse(text)
    assert not isinstance(refused.value, DigestUnsupported)


@pytest.mark.parametrize("text", ["md5:" + "a" * 32, "sha384:" + "a" * 96, "sha256+b64u:LCa0a2j"])
def test_algorithms_that_are_not_taken(text: str) -> None:
    with pytest.raises(DigestUnsupported, match="sha256 and sha512"):
        Digest.parse(text)
    with pytest.raises(DigestUnsupported):
        check_algorithm(text.partition(":")[0])


@given(st.text(max_size=200) | st.from_regex(r"(sha256|sha512|x):[a-f0-9./]{0,130}", fullmatch=True))
def test_any_text_is_a_digest_or_refused_and_keys_stay_inside(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except DigestInvalid:
        return
    assert digest == text
    for key, folder in ((blob_key(digest, 3), "blobs"), (manifest_key(digest), "manifests")):
        assert key.split("/")[:2] == [folder, digest.algorithm]
        assert not {"", ".", ".."} & set(key.split("/"))


def test_keys() -> None:
    digest = Digest("sha256:" + "a3f2" + "0" * 60)
    assert blob_key(digest) == f"blobs/sha256/a3/f2/{digest.hex}"
    assert blob_key(digest, 2) == f"blobs/sha256/a3/f2/{digest.hex}.g2"
    assert manifest_key(digest) == f"manifests/sha256/a3/f2/{digest.hex}"
