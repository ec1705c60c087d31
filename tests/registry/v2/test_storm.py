"""Many clients at everything in one project: no deadlock, no 5xx, and the books balance at the end (conftest.py)."""

import json
import random
from collections import Counter
from functools import partial

import pytest

from .conftest import INDEX, Registry, index, sha256, together

ALLOWED = {200, 201, 202, 404, 405, 412}


@pytest.mark.parametrize("seed", range(3))
def test_storm(registry: Registry, name: str, seed: int) -> None:
    """Images in three nested repositories, indexes of them above, tags that cross, deletions of all of it."""
    project = registry.project(name.replace("/", "-"))
    places = [project, f"{project}/a", f"{project}/a/b"]
    layers = [f"layer {n} of {project}".encode().ljust(9000 if n % 2 else 50, b".") for n in range(4)]
    images = []
    for n, layer in enumerate(layers):
        config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2}
        entry = {"mediaType": "x/y", "digest": sha256(layer), "size": len(layer)}
        body = registry.image(f"{project}/a/b") | {"config": config, "layers": [entry], "annotations": {"n": str(n)}}
        images.append(json.dumps(body).encode())
    indexes = [json.dumps(index(*images[n : n + 2])).encode() for n in range(3)]
    indexes.append(json.dumps(index(*indexes[:2])).encode())

    def client(number: int) -> Counter[int]:
        chance, seen = random.Random(100 * seed + number), Counter[int]()
        for _ in range(40):
            place, n = chance.choice(places), chance.randrange(4)
            tag, layer = f"t{chance.randrange(3)}", layers[n]
            match chance.randrange(8):
                case 0 | 1:
                    answer = registry.send("POST", f"/v2/{place}/blobs/uploads/?digest={sha256(layer)}", layer)
                case 2:
                    answer = registry.put(place, f"{sha256(images[n])}?tag={tag}&tag=common", images[n])
                case 3 | 4:
                    answer = registry.put(place, tag, indexes[n], INDEX)
                case 5:
                    digest = sha256(chance.choice([images[n], indexes[n]]))
                    answer = registry.send("DELETE", f"/v2/{place}/manifests/{chance.choice([digest, tag])}")
                case 6:
                    answer = registry.send("DELETE", f"/v2/{place}/blobs/{sha256(layer)}")
                case _:
                    source = chance.choice(places)
                    query = f"mount={sha256(layer)}&from={source}"
                    answer = registry.send("POST", f"/v2/{place}/blobs/uploads/?{query}")
            assert answer.status in ALLOWED, answer.body
            seen[answer.status] += 1
        return seen

    for place in places:
        for layer in [*layers, b"{}"]:
            registry.blob(place, layer)
    seen = sum(together([partial(client, number) for number in range(6)]), Counter())
    assert {201, 202, 404, 405} <= set(seen)
    registry.check()
