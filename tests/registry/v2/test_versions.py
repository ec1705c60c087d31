"""`?version=next`: the registry numbers versions, whoever pushes and however many at once."""

import json
from random import random
from typing import Any

from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.bundle import bundled

from ...core.catalogue.conftest import frame_of, packed_of
from .conftest import MANIFEST, Answer, Registry, running, sha256, together

HOME = "p/well-1/run-1/gr"
WRITERS = 16


def packed(registry: Registry, name: str, value: float) -> Any:
    """A version whose blobs are there."""
    found = packed_of(frame_of((value, 1.0)))
    for content in found.blobs.values():
        registry.blob(name, content)
    return found


def put(registry: Registry, raw: bytes, query: str, name: str = HOME, **headers: str) -> Answer:
    digest = sha256(raw)
    address = f"/v2/{name}/manifests/{digest}?{query}"
    return registry.send("PUT", address, raw, {"Content-Type": MANIFEST, **headers})


def test_many_writers_over_two_processes_leave_no_gap_and_losers_are_told() -> None:
    with running("--auth", "none", "--workers", "2") as registry:
        first = packed(registry, HOME, 0.5)
        answer = put(registry, first.raw, "version=next&tag=latest", **{"If-None-Match": "*"})
        assert (answer.status, answer.headers["oci-tag"]) == (201, "latest, v1")
        writers = [packed(registry, HOME, float(n)) for n in range(2, WRITERS + 2)]
        match = {"If-Match": f'"{first.digest}"'}
        answers = together([lambda w=w: put(registry, w.raw, "version=next&tag=latest", **match) for w in writers])
        assert sorted(answer.status for answer in answers) == [201] + [412] * (WRITERS - 1)
        answers = together([lambda w=w: put(registry, w.raw, "version=next") for w in writers])
        numbers = sorted(int(answer.headers["oci-tag"].removeprefix("v")) for answer in answers)
        assert numbers == list(range(2, WRITERS + 2))
        held = registry.records("SELECT version FROM curve_version ORDER BY version")
        assert [row[0] for row in held] == list(range(1, WRITERS + 2))


def test_what_is_refused_over_http(open_registry: Registry) -> None:
    first = packed(open_registry, HOME, 7.0)
    answer = put(open_registry, first.raw, "version=5")
    assert (answer.status, answer.code) == (400, "UNSUPPORTED")
    elsewhere = "p/well-2/run-1/gr"
    packed(open_registry, elsewhere, 7.0)
    answer = put(open_registry, first.raw, "tag=latest", elsewhere)
    assert (answer.status, answer.code) == (409, "MANIFEST_INVALID")
    assert "should be well-1" in json.loads(answer.body)["errors"][0]["message"]


def test_blobs_come_along_with_their_manifest(open_registry: Registry) -> None:
    """All of them, or those that were not pushed before; never one that it does not name."""
    name = "p/well-9/run-1/gr"
    bundle = {"Content-Type": media.BUNDLE}

    def push(found: Any, *blobs: bytes, **headers: str) -> Answer:
        body = bundled(MANIFEST, found.raw, blobs)
        address = f"/v2/{name}/manifests/{sha256(found.raw)}?version=next&tag=latest"
        return open_registry.send("PUT", address, body, bundle | headers)

    first, second = (
        packed_of(frame_of((1.0, 2.0), well=Well("Well 9"))),
        packed_of(frame_of((2.0, 3.0), well=Well("Well 9"))),
    )
    large = packed_of(frame_of([random() for _ in range(4000)], well=Well("Well 9")))
    assert max(map(len, large.blobs.values())) > 8192  # stored by the way of large ones
    config, *layers = first.blobs.values()
    answer = push(first, config)
    assert (answer.status, answer.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    answer = push(first, *layers, config, b"strange")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    answer = open_registry.send("PUT", f"/v2/{name}/manifests/latest", b"\x93\xa1x", bundle)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    for number, found in enumerate((first, second, large), 1):
        answer = push(found, *found.blobs.values())
        assert (answer.status, answer.headers["oci-tag"]) == (201, f"latest, v{number}")
        assert open_registry.send("GET", f"/v2/{name}/manifests/v{number}").body == found.raw
        for digest, content in found.blobs.items():
            assert open_registry.send("GET", f"/v2/{name}/blobs/{digest}").body == content
    answer = push(first, *first.blobs.values(), **{"If-None-Match": "*"})
    assert answer.status == 412
