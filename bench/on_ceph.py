"""Blobs in a Ceph gateway, ours and distribution's, side by side in one run.

    python bench/on_ceph.py             about 12 minutes; --quick: 4

Needs `make tools` (distribution, radosgw, wrk, go). One cluster in memory holds the bucket of all; measures go round
the registries, which stay up, as in run.py, and large blobs that were pushed are removed after each, unmeasured. Bytes
go through the servers (redirects are off, in both), since what the store does by itself measures the store. CPU seconds
are the server's own: its processes with its PostgreSQL, not Ceph's and not the client's. Peak memory is that of a new
server, PostgreSQL's left out, on a cluster of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import botocore.session
from measures import MIB, Scale, Subject, checked, megabytes, rate
from registries import DISTRIBUTION, TOOLS, Kind, Registry, cpu, free_port, ours

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.drivers.rgw import Ceph

BUCKET, KEYS = "bench", ("dataforge", "not a secret")
UPLOADS = 16
FREED = 3
"""Seconds within which the store frees what was deleted: tests/drivers/rgw.py tells it to look each second."""


@dataclass(frozen=True)
class Row:
    """One kind of work: what it gives, and how many GiB or pieces of work it was, for the CPU's share."""

    name: str
    unit: str
    take: Callable[[Subject], tuple[float, float]]
    per: str
    writes: bool = False


def big(result: dict[str, Any]) -> tuple[float, float]:
    return megabytes(result), result["bytes"] / 1024**3


def small(result: dict[str, Any]) -> tuple[float, float]:
    return rate(result), result["count"] / 1000


ROWS = (
    Row("blob PUT", "MiB/s", lambda s: big(s.load("put", repo="bench/put", size=s.scale.big)), "GiB", writes=True),
    Row(
        "chunked PATCH 8 MiB",
        "MiB/s",
        lambda s: big(s.load("patch", repo="bench/patch", size=s.scale.big, span=8 * MIB)),
        "GiB",
        writes=True,
    ),
    Row("blob GET", "MiB/s", lambda s: big(s.load("get", path=s.big, n=2)), "GiB"),
    Row("blob GET, 4 at once", "MiB/s", lambda s: big(s.load("get", path=s.big, c=4, n=4)), "GiB"),
    Row(
        "64 KiB ranges (16)",
        "req/s",
        lambda s: small(s.load("range", path=s.big, size=s.scale.big, c=16, seconds=s.scale.seconds)),
        "1,000",
    ),
    Row(
        "small artifacts pushed (16)",
        "/s",
        lambda s: small(s.load("push", repo="bench/small", c=16, n=s.scale.artifacts)),
        "1,000",
    ),
)


def storage(endpoint: str, root: str) -> dict[str, Any]:
    """The same section for both."""
    s3 = {
        "accesskey": KEYS[0],
        "secretkey": KEYS[1],
        "region": "us-east-1",
        "regionendpoint": endpoint,
        "bucket": BUCKET,
        "rootdirectory": f"/{root}",
        "forcepathstyle": True,
        "secure": False,
    }
    return {"s3": s3, "delete": {"enabled": True}, "redirect": {"disable": True}}


def on(kind: Kind, endpoint: str) -> Kind:
    """The registry with its blobs there."""

    def command(folder: Path, address: str) -> list[str]:
        config = folder / "config.json"  # JSON is YAML
        store = {"storage": storage(endpoint, folder.name)}
        if kind.ours:
            config.write_text(json.dumps(store))
            return [*kind.command(folder, address), "--config", str(config)]
        log = {"level": "error", "accesslog": {"disabled": True}}
        config.write_text(json.dumps({"version": 0.1, "http": {"addr": address}, "log": log} | store))
        return [kind.program, "serve", str(config)]

    return replace(kind, command=command)


class Store:
    """A cluster with the bucket, and its address."""

    def __init__(self, gib: int) -> None:
        port = free_port()
        self._ceph, self.endpoint = Ceph(port, *KEYS, memory=gib << 30), f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": KEYS[0], "aws_secret_access_key": KEYS[1]}
        self._client = botocore.session.get_session().create_client(
            "s3", "us-east-1", endpoint_url=self.endpoint, **keys
        )
        self._client.create_bucket(Bucket=BUCKET)
        self.end = self._ceph.end

    def large(self) -> set[str]:
        """The names of objects above 1 MiB."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {found["Key"] for page in pages for found in page.get("Contents", ()) if found["Size"] > MIB}

    def empty(self, kept: set[str]) -> None:
        """Remove all large objects but those, and give the store the time to free them."""
        for name in self.large() - kept:
            self._client.delete_object(Bucket=BUCKET, Key=name)
        time.sleep(FREED)


def peak(kind: Kind, folder: Path, size: int) -> tuple[float, float]:
    """MiB resident before and at the height of 16 uploads at once."""
    store = Store(3 + (3 * UPLOADS * size >> 30))  # what is uploaded is copied once, in all of them
    registry = Registry(on(kind, store.endpoint), folder)
    try:
        subject = Subject(registry, Scale(1, 1, size, 1))
        subject.load("push", repo="bench/warm", n=100, c=16)
        before = registry.peak_memory()
        flags = [f"-base={registry.base}", "-repo=bench/memory", f"-n={UPLOADS}", f"-c={UPLOADS}", f"-size={size}"]
        checked("put", [str(TOOLS / "load"), *flags, "put"])
        return before / MIB, registry.peak_memory() / MIB
    finally:
        registry.stop()
        store.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round with blobs of 64 MiB")
    quick = parser.parse_args().quick
    scale = Scale(1, 200, 64 * MIB, 1) if quick else Scale(4, 1000, 256 * MIB, 1)
    kinds = [DISTRIBUTION, ours("hypercorn", 1), ours("hypercorn", 2), ours("granian", 1)]
    subprocess.run(["go", "build", "-o", str(TOOLS / "load"), "."], cwd=Path(__file__).parent / "load", check=True)
    figures: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as name:
        Path(name).chmod(0o755)
        store, registries = Store(8), list[Registry]()
        try:
            for number, kind in enumerate(kinds):
                registries.append(Registry(on(kind, store.endpoint), Path(name) / f"r{number}"))
            subjects = [Subject(registry, scale) for registry in registries]
            for subject in subjects:
                (blob,) = subject.load("put", repo="bench/big", n=1, size=scale.big)["seeded"]
                subject.big = f"/v2/bench/big/blobs/{blob['layer']}"
            kept = store.large()
            for turn in range(1 if quick else 3):
                for row in ROWS:
                    for subject in subjects[turn:] + subjects[:turn]:
                        spent = cpu(subject.registry.process)
                        figure, amount = row.take(subject)
                        spent = (cpu(subject.registry.process) - spent) / amount
                        figures[row.name, subject.registry.kind.name].append((figure, spent))
                        print(f"{row.name}, {subject.registry.kind.name}: {figure:.1f} {row.unit}", file=sys.stderr)
                        if row.writes:
                            store.empty(kept)
        finally:
            for registry in registries:
                registry.stop()
            store.end()
        print(f"| | {' | '.join(kind.name for kind in kinds)} |\n|---|{'---|' * len(kinds)}")
        for row in ROWS:
            of_peer = median(figure for figure, _ in figures[row.name, kinds[0].name])
            cells = []
            for kind in kinds:
                figure, spent = (median(column) for column in zip(*figures[row.name, kind.name], strict=True))
                cells.append(f"{figure:,.0f} ({figure / of_peer:.2f}), {spent:.2f} s")
            print(f"| {row.name}, {row.unit} (ratio), CPU per {row.per} | {' | '.join(cells)} |")
        cells = []
        for number, kind in enumerate(kinds):
            before, height = peak(kind, Path(name) / f"m{number}", scale.big)
            cells.append(f"{before:,.0f} -> {height:,.0f}")
            print(f"{UPLOADS} uploads, {kind.name}: {cells[-1]} MiB", file=sys.stderr)
        print(f"| {UPLOADS} uploads of {scale.big // MIB} MiB at once, MiB resident | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
