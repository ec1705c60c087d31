"""`?version=next`: the registry numbers versions, whoever pushes and however many at once."""

import json
from typing import Any

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
