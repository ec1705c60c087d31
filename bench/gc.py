"""Blobs that nobody names, collected: ours online, while others push, beside distribution's offline garbage-collect.

    python bench/gc.py                       100,000 blobs of 1 KiB each, in each of three heaps
    python bench/gc.py --blobs 10000

Ours runs as one process with its own sweep (gc.undo 0, so that all of it happens at once): one heap while nobody
pushes, one while 4 clients push small artifacts. The heaps are laid as pushes leave them, in rows and files;
distribution's in its own tree, beside the same pushed artifacts, and its server is stopped for it.
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
from measures import QUICK, Subject
from registries import DISTRIBUTION, TOOLS, Kind, Registry

from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.registry.config import load
from dataforge_registry.registry.provision import provisioned

SIZE = 1024
CLIENTS = 4
HEAP = """
WITH heap AS (SELECT id, size FROM artifact_blob WHERE content_type = $1),
linked AS (INSERT INTO repository_blob (repository_id, project_id, blob_id, keep_until)
  SELECT r.repository_id, r.project_id, h.id, now() FROM heap h, repository r WHERE r.name = 'bench/garbage'
  RETURNING id),
paid AS (INSERT INTO project_blob (project_id, blob_id, size)
  SELECT r.project_id, h.id, h.size FROM heap h, repository r WHERE r.name = 'bench/garbage'),
asked AS (INSERT INTO gc_review (kind, target, review_after) SELECT 'link', id, now() FROM linked)
UPDATE project SET storage_used = storage_used + (SELECT sum(size) FROM heap) WHERE name = 'bench'
"""
LEFT = """
SELECT EXISTS (SELECT FROM gc_review WHERE review_after <= now())
  OR EXISTS (SELECT FROM artifact_blob WHERE state = 'condemned') OR EXISTS (SELECT FROM gc_delete)
"""


def ours(folder: Path, address: str) -> list[str]:
    config = folder / "config.json"  # JSON is YAML
    port = int(address.rpartition(":")[2])
    settings = {"data": str(folder), "http": {"port": port}, "auth": {"mode": "none"}, "gc": {"undo": 0}}
    config.write_text(json.dumps(settings))
    return [sys.executable, "-m", "dataforge_registry.registry", "serve", "--config", str(config)]


OURS = Kind("dfr", True, sys.executable, ours, (), "", "/health")


def contents(heap: str, count: int) -> Iterator[tuple[str, bytes]]:
    """(hex digest, content), the same for every registry."""
    for number in range(count):
        content = f"{heap} {number} ".encode().ljust(SIZE, b".")
        yield hashlib.sha256(content).hexdigest(), content


def lay(root: Path, keys: Iterator[tuple[str, bytes]]) -> None:
    for key, content in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class Ours:
    """Our server in a folder, and its database."""

    def __init__(self, folder: Path, count: int) -> None:
        self.registry = Registry(OURS, folder)
        self.subject = Subject(self.registry, QUICK)
        self.folder, self.count = folder, count
        self.subject.load("seed", repo="bench/kept", n=200, c=CLIENTS)

    def sql(self, work: Any) -> Any:
        async def connected(url: str) -> Any:
            conn = await asyncpg.connect(url)
            try:
                return await work(conn)
            finally:
                await conn.close()

        with provisioned(load(self.folder / "config.json", env={})) as complete:
            return asyncio.run(connected(complete.database.url))

    def collect(self, heap: str, pushing: bool) -> tuple[float, list[float]]:
        """Blobs a second, and the p99 of pushes meanwhile, in ms, for each 2 seconds."""
        lay(
            self.folder / "storage",
            ((blob_key(Digest(f"sha256:{name}")), text) for name, text in contents(heap, self.count)),
        )
        pushed: list[float] = []
        done = threading.Event()

        def push() -> None:
            while not done.is_set():
                pushed.append(self.subject.load("push", repo="bench/pushed", c=CLIENTS, seconds=2)["p99"])

        async def work(conn: Any) -> float:
            await conn.execute("SELECT repository_make('bench', 'bench/garbage', true, 'bench', '', '')")
            rows = [(f"sha256:{name}", SIZE, "live", heap) for name, _ in contents(heap, self.count)]
            columns = ["digest", "size", "state", "content_type", "keep_until"]
            async with conn.transaction():
                began_at = await conn.fetchval("SELECT now()")
                records = [(*row, began_at) for row in rows]
                await conn.copy_records_to_table("artifact_blob", records=records, columns=columns)
                await conn.execute(HEAP, heap)
            began = time.monotonic()
            while await conn.fetchval(LEFT):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            return time.monotonic() - began

        thread = threading.Thread(target=push)
        if pushing:
            thread.start()
        try:
            seconds = self.sql(work)
        finally:
            done.set()
        if pushing:
            thread.join()
        left = sum(
            (self.folder / "storage" / blob_key(Digest(f"sha256:{name}"))).exists()
            for name, _ in contents(heap, self.count)
        )
        assert left == 0, f"{left} objects are left"
        return self.count / seconds, pushed


def theirs(folder: Path, count: int) -> float:
    """Blobs a second of `registry garbage-collect`, its server stopped."""
    registry = Registry(DISTRIBUTION, folder)
    Subject(registry, QUICK).load("seed", repo="bench/kept", n=200, c=CLIENTS)
    registry.stop()
    root = folder / "data/docker/registry/v2"
    lay(root, ((f"blobs/sha256/{name[:2]}/{name}/data", text) for name, text in contents("idle", count)))
    links = root / "repositories/bench/kept/_layers/sha256"
    lay(links, ((f"{name}/link", f"sha256:{name}".encode()) for name, _ in contents("idle", count)))
    began = time.monotonic()
    command = [str(TOOLS / "registry"), "garbage-collect", "--quiet", str(folder / "config.json")]
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - began
    left = sum((root / f"blobs/sha256/{name[:2]}/{name}/data").exists() for name, _ in contents("idle", count))
    assert left == 0, f"{left} objects are left"
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, default=100_000)
    parser.add_argument(
        "--directory", type=Path, help="where the servers keep their data (default: a temporary folder)"
    )
    options = parser.parse_args()
    subprocess.run(["go", "build", "-o", str(TOOLS / "load"), "."], cwd=Path(__file__).parent / "load", check=True)
    folder = Path(tempfile.mkdtemp(prefix="dfr-bench-gc-", dir=options.directory))
    folder.chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
    try:
        registry = Ours(folder / "ours", options.blobs)
        try:
            before = [registry.subject.load("push", repo="bench/before", c=CLIENTS, seconds=2)["p99"] for _ in range(5)]
            idle, _ = registry.collect("idle", pushing=False)
            busy, during = registry.collect("busy", pushing=True)
        finally:
            registry.registry.stop()
        print(f"{options.blobs:,} blobs of {SIZE} bytes that nobody names")
        print(f"dfr, online, nobody pushes:    {idle:8,.0f} blobs/s")
        print(f"dfr, online, {CLIENTS} clients push: {busy:8,.0f} blobs/s")
        print(
            f"push p99 without gc: {statistics.median(before):.0f} ms, during gc: {statistics.median(during):.0f} ms "
            f"(medians of 2 s each: {len(before)}, {len(during)})"
        )
        rate = theirs(folder / "theirs", options.blobs)
        print(f"distribution, offline:         {rate:8,.0f} blobs/s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
