"""Many pushers of one blob: all get 201, stored once, charged once (reliability 3.2.1).

`PUSHERS=200 SIZE=8388608 pytest tests/faults/test_same_blob.py` for many.
"""

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

from .server import Server, sha256

PUSHERS = int(os.environ.get("PUSHERS", "40"))
SIZE = int(os.environ.get("SIZE", str(1 << 20)))


def test_many_pushers_of_one_blob_store_it_once(server: Server, second: Server) -> None:
    data = secrets.token_bytes(SIZE)
    digest = sha256(data)

    def push(number: int) -> int:
        chosen, name = (server, second)[number % 2], f"/v2/faults/same{number % 3}"
        if number % 4:
            return chosen.send("POST", f"{name}/blobs/uploads/?digest={digest}", data)[0]
        location = chosen.send("POST", f"{name}/blobs/uploads/")[1]["location"]
        return chosen.send("PUT", f"{location}?digest={digest}", data)[0]

    with ThreadPoolExecutor(PUSHERS) as pushers:
        assert list(pushers.map(push, range(PUSHERS))) == [201] * PUSHERS
    for number in range(3):
        assert second.send("GET", f"/v2/faults/same{number}/blobs/{digest}")[2] == data
    assert len(server.objects(digest)) == 1
    # One blob and no manifest, so a project charged twice would not add up.
    assert server.violations() == []
