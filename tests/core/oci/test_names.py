"""Names of repositories and tags (distribution-spec, "Pulling manifests")."""

import pytest

from dataforge_registry.core.oci.errors import ManifestInvalid, NameInvalid
from dataforge_registry.core.oci.names import MAX_REPOSITORY, check_repository, check_tag, is_tag, project_of

GOOD = ["a", "0", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "blobs/uploads", "tags/list/x", "a" * MAX_REPOSITORY]
BAD = ["", "A", "a/", "/a", "a//b", "a..b", "a___b", "a.-b", "-a", "a-", "a b", "a\n", "a/../b", "\u0430", "a\0"]


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    assert check_repository(name) == name
    assert project_of(name) == name.split("/")[0]


@pytest.mark.parametrize("name", [*BAD, "a" * (MAX_REPOSITORY + 1)])
def test_bad_names(name: str) -> None:
    with pytest.raises(NameInvalid):
        check_repository(name)


@pytest.mark.parametrize("tag", ["latest", "_", "1.0", "v1_2-3", "A" * 128, "sha256-" + "a" * 64])
def test_good_tags(tag: str) -> None:
    assert is_tag(tag)
    assert check_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a" * 129, "a b", "a\n", "a/b", "a:b", "\xe9", "a+b"])
def test_bad_tags(tag: str) -> None:
    assert not is_tag(tag)
    with pytest.raises(ManifestInvalid):
        check_tag(tag)
