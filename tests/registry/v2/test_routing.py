"""From a raw path to an endpoint: rows B3, B6 and B8 of the distribution API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci.errors import NameInvalid, NameUnknown
from dataforge_registry.core.oci.names import REPOSITORY
from dataforge_registry.registry.v2.routing import Route, parse

WORDS = ["blobs", "manifests", "tags", "referrers", "uploads", "list", "v2", "a", "b-c"]
ENDINGS = {
    "manifest": "/manifests/{}",
    "blob": "/blobs/{}",
    "uploads": "/blobs/uploads/",
    "upload": "/blobs/uploads/{}",
    "tags": "/tags/list",
    "referrers": "/referrers/{}",
}
BAD_NAMES = [
    "/v2/tags/list",
    "/v2/manifests/v1",
    "/v2/a//tags/list",
    "/v2//a/tags/list",
    "/v2/a%2Fb/tags/list",
    "/v2/A/blobs/x",
    "/v2/../tags/list",
    "/v2/%2e%2e/tags/list",
    "/v2/a\\b/tags/list",
    "/v2/_catalog/",
    "/v2/a/",
    f"/v2/{'a' * 230}/tags/list",
]
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v2", Route("base")),
        ("/v2/", Route("base")),
        ("/v2/?x=y", Route("base")),
        ("/v2/_catalog", Route("catalog")),
        ("/v2/_oci/ext/discover", Route("discover")),
        ("/v2/a/manifests/v1", Route("manifest", "a", "v1")),
        ("/v2/a/b/manifests/sha256%3Aab", Route("manifest", "a/b", "sha256:ab")),
        ("/v2/blobs/manifests/manifests/manifests/v1", Route("manifest", "blobs/manifests/manifests", "v1")),
        ("/v2/a/blobs/uploads", Route("uploads", "a")),
        ("/v2/a/blobs/uploads/", Route("uploads", "a")),
        ("/v2/blobs/uploads/blobs/uploads/", Route("uploads", "blobs/uploads")),
        ("/v2/a/blobs/uploads/blobs/x", Route("blob", "a/blobs/uploads", "x")),
        ("/v2/a/blobs/uploads/x", Route("upload", "a", "x")),
        ("/v2/tags/list/tags/list", Route("tags", "tags/list")),
        ("/v2/a/referrers/referrers/x", Route("referrers", "a/referrers", "x")),
        ("/v2/%61/tags/list", Route("tags", "a")),
    ],
)
def test_paths(path: str, route: Route) -> None:
    assert parse(path.encode()) == route


@pytest.mark.parametrize("path", BAD_NAMES)
def test_bad_names(path: str) -> None:
    with pytest.raises(NameInvalid):
        parse(path.encode())


@pytest.mark.parametrize("path", ["a", "a/b/c", "a/tags", "a/blobs", "_catalog/x", "a/tags/lists"])
def test_no_such_endpoint(path: str) -> None:
    with pytest.raises(NameUnknown):
        parse(f"/v2/{path}".encode())


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from(sorted(ENDINGS)))
def test_the_last_such_segment_decides(words: list[str], endpoint: str) -> None:
    name, reference = "/".join(words), DIGEST if "{}" in ENDINGS[endpoint] else ""
    path = f"/v2/{name}{ENDINGS[endpoint].format(DIGEST)}"
    assert parse(path.encode()) == Route(endpoint, name, reference)


@given(st.binary(max_size=60) | st.text("abv2/%_.:-0AFf?", max_size=40).map(str.encode))
def test_any_path_is_a_route_or_refused(rest: bytes) -> None:
    try:
        route = parse(b"/v2/" + rest)
    except (NameInvalid, NameUnknown):
        return
    assert not route.name or REPOSITORY.fullmatch(route.name)
    assert "/" not in route.reference
