"""What `limits` costs a read of a manifest, and what slow clients cost it (promise P13), in one run and in turn.

    python bench/limits.py              about 2 minutes; --quick: half of one

Needs `make tools` (wrk, go). Three servers of one process: without limits, with the gates of every configuration, and
with rates too, which nobody reaches. Then the second of them alone, with 1,000 clients that do not end their heads,
1,000 that do not end their bodies and 500 that do not read, held for as long as it is asked.
"""

import argparse
import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from measures import MANIFEST, MIB, PATHS, Scale, Subject, checked
from registries import TOOLS, Kind, Registry, cpu, ours

OFF = ("REQUESTS=0", "UPLOADS=0")
RATES = ("RATE_ADDRESS=1000000",)
KINDS = {"no limits": OFF, "gates": (), "gates and rates": RATES}
HEADS, BODIES, READERS = 1000, 1000, 500
SETTLING = 30
"""Seconds within which the server has nothing more to do for them."""


def limited(name: str, settings: tuple[str, ...]) -> Kind:
    """Ours with these limits."""
    plain = ours("hypercorn", 1)
    given = [f"REGISTRY_LIMITS_{setting}" for setting in settings]
    return replace(plain, name=name, command=lambda folder, address: ["env", *given, *plain.command(folder, address)])


def seeded(kind: Kind, folder: Path, scale: Scale) -> Subject:
    """With what is read: manifests, and a blob larger than sockets hold."""
    subject = Subject(Registry(kind, folder), scale)
    entries = subject.load("seed", repo="bench/read", n=scale.artifacts, c=8)["seeded"]
    subject.paths["tag"] = folder.with_suffix(".paths")
    subject.paths["tag"].write_text("".join(f"/v2/bench/read/manifests/{entry['tag']}\n" for entry in entries))
    (big,) = subject.load("put", repo="bench/big", n=1, size=scale.big)["seeded"]
    subject.big = f"/v2/bench/big/blobs/{big['layer']}"
    return subject


def reads(subject: Subject, connections: int) -> dict[str, Any]:
    """wrk's figures of GETs by tag, and the server's seconds of CPU meanwhile in `cpu`."""
    before = cpu(subject.registry.process)
    shape = ["-t1", f"-c{connections}", f"-d{subject.scale.seconds:g}s", "--timeout", "30s", "-s", str(PATHS)]
    command = ["wrk", *shape, subject.registry.base, "--", str(subject.paths["tag"]), "GET", MANIFEST]
    figures = checked("tag", command)
    if not figures["count"]:
        raise RuntimeError("nobody was answered")
    return figures | {"cpu": cpu(subject.registry.process) - before}


def slow(subject: Subject, stack: ExitStack) -> None:
    """Those who take their time, connected until the stack ends. Returns when the server waits for them: it first sends
    the readers what their sockets hold."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    address = ("127.0.0.1", int(subject.registry.address.rpartition(":")[2]))
    body = f"POST /v2/bench/slow/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: {8 * MIB}\r\n\r\nsome"
    reader = f"GET {subject.big} HTTP/1.1\r\nHost: x\r\n\r\n"
    for count, first in ((HEADS, "GET / HTTP/1.1\r\nHost:"), (BODIES, body), (READERS, reader)):
        for _ in range(count):
            stack.enter_context(socket.create_connection(address, timeout=60)).sendall(first.encode())
    for _ in range(SETTLING):
        before = cpu(subject.registry.process)
        time.sleep(1)
        if cpu(subject.registry.process) - before < 0.1:
            return
    raise RuntimeError("the server is still at work for clients that do nothing")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    quick = parser.parse_args().quick
    scale = Scale(1 if quick else 4, 300, 32 * MIB, 0)
    subprocess.run(["go", "build", "-o", str(TOOLS / "load"), "."], cwd=Path(__file__).parent / "load", check=True)
    figures: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as name:
        Path(name).chmod(0o755)
        kinds = [limited(kind, settings) for kind, settings in KINDS.items()]
        subjects = [seeded(kind, Path(name) / f"r{number}", scale) for number, kind in enumerate(kinds)]
        try:
            for turn in range(3 if quick else 9):
                for subject in subjects[turn % 3 :] + subjects[: turn % 3]:
                    figures[subject.registry.kind.name].append(reads(subject, 16))
            alone = reads(subjects[1], 4)
            before = subjects[1].registry.peak_memory()
            with ExitStack() as stack:
                slow(subjects[1], stack)
                beside = reads(subjects[1], 4)
            more = subjects[1].registry.peak_memory() - before
        finally:
            for subject in subjects:
                subject.registry.stop()
    print("| manifest GET by tag (16) | req/s | CPU each, PostgreSQL's too |\n|---|---|---|")
    for kind in KINDS:
        rate = median(each["count"] / each["seconds"] for each in figures[kind])
        spent = median(each["cpu"] / each["count"] for each in figures[kind])
        print(f"| {kind} | {rate:,.0f} | {spent * 1e6:,.0f} us |")
    crowd = {"heads": HEADS, "bodies": BODIES, "readers": READERS}
    print(
        f"beside slow clients {json.dumps(crowd)}: p99 {beside['p99']:.1f} ms, alone {alone['p99']:.1f} ms (4 at once)"
    )
    print(f"memory of the server: {more / MIB:+.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
