"""What is measured, and how: one function per kind of work, each giving one figure for one running registry."""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registries import TOOLS, Registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PATHS = Path(__file__).with_name("paths.lua")
MIB = 1 << 20
TAGGED = "bench/tagged"


@dataclass(frozen=True)
class Scale:
    """How much of each work is done: seconds a rate is taken over, artifacts that are read, bytes of the big blob, tags
    of the long list."""

    seconds: float
    artifacts: int
    big: int
    tags: int


QUICK = Scale(seconds=1, artifacts=300, big=128 * MIB, tags=10_000)
FULL = Scale(seconds=2, artifacts=1000, big=512 * MIB, tags=100_000)


@dataclass
class Subject:
    """A running registry with what it was seeded with: files of paths for the readers, the big blob's path."""

    registry: Registry
    scale: Scale
    runs: int = 0
    big: str = ""
    paths: dict[str, Path] = field(default_factory=dict)

    def load(self, work: str, **options: object) -> dict[str, Any]:
        """One run of the load client; its figures. Any failed request is a failure of the run."""
        self.runs += 1
        given = {"base": self.registry.base, "run": f"r{self.runs}"} | options
        flags = [f"-{name}={value}" for name, value in given.items()]
        return checked(work, [str(TOOLS / "load"), *flags, work])

    def wrk(self, paths: str, connections: int) -> float:
        """GET requests answered each second, for paths taken at random."""
        threads = 1 if connections < 64 else 2
        shape = [f"-t{threads}", f"-c{connections}", f"-d{self.scale.seconds:g}s", "-s", str(PATHS)]
        figures = checked(
            paths, ["wrk", *shape, self.registry.base, "--", str(self.paths[paths]), "GET", accept(paths)]
        )
        return figures["count"] / figures["seconds"]

    def head(self, paths: str, connections: int) -> float:
        where = {"path": self.paths[paths], "accept": accept(paths), "c": connections, "seconds": self.scale.seconds}
        return rate(self.load("head", **where))


def accept(paths: str) -> str:
    return "*/*" if paths == "blob" else MANIFEST


def checked(work: str, command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{work}: {done.stderr.strip() or done.stdout.strip()}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if figures["errors"]:
        raise RuntimeError(f"{work}: {figures['errors']} requests failed: {figures.get('error', 'see the log')}")
    return figures


def rate(figures: dict[str, Any]) -> float:
    return figures["count"] / figures["seconds"]


def megabytes(figures: dict[str, Any]) -> float:
    return figures["bytes"] / figures["seconds"] / MIB


def seed(registry: Registry, scale: Scale, folder: Path) -> Subject:
    """Pushes what is read: artifacts of one 8 KiB layer and a config, one big blob, two lists of tags."""
    subject = Subject(registry, scale)
    entries = subject.load("seed", repo="bench/read", n=scale.artifacts, c=16)["seeded"]
    for name, kind, key in (("tag", "manifests", "tag"), ("digest", "manifests", "digest"), ("blob", "blobs", "layer")):
        subject.paths[name] = folder / f"{registry.folder.name}.{name}.paths"
        subject.paths[name].write_text("".join(f"/v2/bench/read/{kind}/{entry[key]}\n" for entry in entries))
    (big,) = subject.load("put", repo="bench/big", n=1, size=scale.big)["seeded"]
    subject.big = f"/v2/bench/big/blobs/{big['layer']}"
    for count in (100, scale.tags):
        many_tags(subject, f"{TAGGED}-{count}", count)
    return subject


def many_tags(subject: Subject, repository: str, count: int) -> None:
    """`count` tags on one manifest. Ours takes a hundred a request; a peer's are laid into its storage as it would."""
    if subject.registry.kind.ours:
        subject.load("tagmany", repo=repository, n=count, c=4)
        return
    subject.load("seed", repo=repository, n=1)
    home = subject.registry.folder / "data/docker/registry/v2/repositories" / repository / "_manifests/tags"
    (example,) = home.iterdir()
    link = (example / "current" / "link").read_text()
    for number in range(count):
        tag = home / f"many-{number:07d}"
        for place in (tag / "current", tag / "index" / link.replace(":", "/")):
            place.mkdir(parents=True)
            (place / "link").write_text(link)


@dataclass(frozen=True)
class Measure:
    """One line of the table. `more` tells whether more is better."""

    name: str
    unit: str
    take: Callable[[Subject], float]
    aims: tuple[float, float] | None = None
    more: bool = True


def pages(count: Callable[[Scale], int]) -> Callable[[Subject], float]:
    def take(s: Subject) -> float:
        tags = count(s.scale)
        return s.load("pages", repo=f"{TAGGED}-{tags}", size=tags, n=20)["p50"]

    return take


def big_get(connections: int) -> Callable[[Subject], float]:
    return lambda s: megabytes(s.load("get", path=s.big, c=connections, seconds=s.scale.seconds))


def span(connections: int) -> Callable[[Subject], float]:
    return lambda s: rate(s.load("range", path=s.big, size=s.scale.big, c=connections, seconds=s.scale.seconds))


def reads(connections: int, manifest_aim: float) -> tuple[Measure, ...]:
    """`aims`: the ratio to distribution that hypercorn x2, and granian, should reach."""
    aims = (manifest_aim, 2.0)
    at = f"({connections})"
    return (
        Measure(f"manifest GET by tag {at}", "req/s", lambda s: s.wrk("tag", connections), aims),
        Measure(f"manifest HEAD by tag {at}", "req/s", lambda s: s.head("tag", connections), aims),
        Measure(f"manifest GET by digest {at}", "req/s", lambda s: s.wrk("digest", connections), aims),
        Measure(f"blob HEAD {at}", "req/s", lambda s: s.head("blob", connections)),
        Measure(f"blob GET 8 KiB {at}", "req/s", lambda s: s.wrk("blob", connections), (2.0, 2.0)),
        Measure(f"64 KiB range of a big blob {at}", "req/s", span(connections), (2.0, 2.0)),
    )


MEASURES = (
    *reads(16, 0.6),
    *reads(64, 0.9),
    Measure(
        "small artifacts pushed (16)",
        "/s",
        lambda s: rate(s.load("push", repo="bench/small", c=16, seconds=2 * s.scale.seconds)),
        (1.5, 3.0),
    ),
    Measure("retag (16)", "/s", lambda s: rate(s.load("retag", repo="bench/retag", c=16, seconds=s.scale.seconds))),
    Measure("blob PUT", "MiB/s", lambda s: megabytes(s.load("put", repo="bench/put", size=s.scale.big)), (1.0, 1.0)),
    Measure(
        "chunked PATCH 8 MiB",
        "MiB/s",
        lambda s: megabytes(s.load("patch", repo="bench/patch", size=s.scale.big, span=8 * MIB)),
        (1.0, 1.0),
    ),
    Measure("blob GET", "MiB/s", big_get(1), (1.0, 1.0)),
    Measure("blob GET, 4 at once", "MiB/s", big_get(4), (1.0, 1.0)),
    Measure("tags page of 100, of 100 tags", "ms p50", pages(lambda scale: 100), more=False),
    Measure("tags page of 100, of all tags", "ms p50", pages(lambda scale: scale.tags), more=False),
)
