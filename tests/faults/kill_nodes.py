"""Two nodes and a worker over one database and one bucket behind deploy/'s nginx, of which one is killed, again and
again, and PostgreSQL now and then.

Clients push through nginx all the while, so an upload's requests go to either node, and those of a dying one to the
other. `python -m tests.faults.kill_nodes --kills 200` by hand; tests/faults/test_kill_nodes.py a few times.
"""

import argparse
import asyncio
import http.client
import os
import random
import signal
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from dataforge_registry.core.oci.digest import Digest, blob_key, manifest_key
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.work.reaper import Reaper
from dataforge_registry.drivers import open_driver

from ..core.gc.conftest import Yard
from ..deploy.proxies import Nginx, nginx
from ..drivers.stores import BUCKET, S3, ceph
from .pushers import Acknowledged, pushing
from .server import SECONDS, Server, Worker

LEASE = timedelta(hours=1)
KEYS = "SELECT digest, generation, key FROM artifact_blob WHERE state = 'live' AND content IS NULL"


@dataclass
class Cluster:
    """Nodes, what stands before them, and the store below them."""

    nodes: list[Server]
    workers: list[Worker]
    front: Nginx
    store: S3
    root: str

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """As Server.send, through nginx."""
        trusted = ssl.create_default_context(cafile=self.front.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", self.front.port, timeout=SECONDS, context=trusted)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """End all nodes and workers, as an operator would."""
        for process in (*self.workers, *self.nodes):
            process.stop()

    def swept(self) -> list[str]:
        """What one sweep, after every window has passed, leaves in the bucket without a record, or the other way.
        Nobody may push meanwhile."""
        with PrivatePostgres.start(self.nodes[0].data) as joined:
            return asyncio.run(self._swept(joined.dsn))

    async def _swept(self, dsn: str) -> list[str]:
        database, driver = await Database.open(dsn, size=2), open_driver("s3", self.store.parameters(self.root))
        try:
            yard = Yard(database, driver, lease=LEASE, undo=LEASE)
            async with database.transaction() as conn:
                await conn.execute("UPDATE upload SET lease = NULL, expires_at = now()")
            reaper = Reaper(database, driver, grace=0)
            await reaper.uploads()
            await reaper.stagings()
            await reaper.strays()
            await yard.settle()
            await yard.collect()
            async with database.acquire() as conn:
                blobs = await conn.fetch(KEYS)
                manifests = await conn.fetch("SELECT DISTINCT digest FROM artifact")
            expected = {row["key"] or blob_key(Digest(row["digest"]), row["generation"]) for row in blobs}
            copies = {manifest_key(Digest(row["digest"])) for row in manifests}
            found = {stat.key async for stat in driver.list("")}
        finally:
            await driver.close()
            await database.close()
        left = [f"an orphan: {key}" for key in sorted(found - expected - copies)]
        return [*left, *(f"nothing is at {key}" for key in sorted(expected - found)), *await self._multiparts()]

    async def _multiparts(self) -> list[str]:
        async with self.store.client() as client:
            page = await client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{self.root}/")
        return [f"a multipart: {upload['Key']}" for upload in page.get("Uploads", ())]


@contextmanager
def cluster(folder: Path, store: S3, workers: int = 0) -> Iterator[Cluster]:
    """Two nodes, running, and so many workers of their own; without, the nodes do what these would."""
    root = uuid4().hex
    settings = store.environment(root) | {
        "REGISTRY_UPLOAD_LEASE": "1s",
        "REGISTRY_GC_LEASE": "1h",
        "REGISTRY_HTTP_TRUSTED_PROXIES": "[127.0.0.1]",
        "REGISTRY_WORKER_ENABLED": "false" if workers else "true",
    }
    nodes = [Server(folder, **settings) for _ in range(2)]
    beside = [Worker(folder, **settings) for _ in range(workers)]
    try:
        for process in (*nodes, *beside):
            process.start()
        with nginx(folder, [node.port for node in nodes]) as front:
            yield Cluster(nodes, beside, front, store, root)
    finally:
        for process in (*beside, *nodes):
            process.stop()


def campaign(running: Cluster, kills: int) -> Acknowledged:
    """Kill a node or worker so many times while clients push, and PostgreSQL too, once in fifty; all run at the end."""
    noted = Acknowledged()
    with pushing(noted, running):
        for number in range(kills):
            time.sleep(random.uniform(0.05, 1.0))
            if number % 50 == 1:
                os.kill(running.nodes[0].postgres(), signal.SIGKILL)
            process = random.choice([*running.nodes, *running.workers])
            process.stop(signal.SIGKILL)
            process.start()
    return noted


def main() -> None:
    """Say what came of it; exit code 1 where something was lost or left over."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory(prefix="dfr-faults-") as name:
        Path(name).chmod(0o755)
        with cluster(Path(name), ceph(), workers=1) as running:
            noted = campaign(running, kills)
            lost = noted.lost(running)
            running.stop()
            left = running.swept()
    acknowledged = f"{len(noted.contents)} contents and {len(noted.tags)} tags acknowledged"
    print(f"{kills} kills, {acknowledged}, {len(noted.refusals)} refused, {len(lost)} lost, {len(left)} left over")
    print("\n".join([*lost, *left]))
    raise SystemExit(bool(lost or left))


if __name__ == "__main__":
    main()
