"""Measures this registry beside its peers, in one run and in turn, and writes bench/RESULTS.md.

    make bench                          about 8 minutes
    make bench ARGS=--quick             about 2 minutes, nothing written
    make bench ARGS="--only granian"    kinds whose names contain the word, and distribution
    make bench ARGS=--memory            also 4 GiB in and out of each of ours, and the most memory it took

Needs `make tools` (distribution, docker-registry, wrk, go). All servers are up at once and idle but one: each measure
goes round all of them before the next one starts, so that a slow minute of the machine meets them all. Client and
server share the machine: ratios say more than absolute figures.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from measures import FULL, MEASURES, QUICK, Measure, Scale, Subject, megabytes, seed
from registries import DISTRIBUTION, KINDS, TOOLS, Kind, Registry, present
from report import Memory, Table, markdown

HERE = Path(__file__).parent
ROUNDS = 2
MEMORY_BYTES = 4 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, printed only")
    parser.add_argument("--only", metavar="WORD", default="", help="kinds whose names contain WORD, and distribution")
    parser.add_argument("--memory", action="store_true", help="4 GiB in and out of ours, with the peak memory")
    parser.add_argument(
        "--directory", type=Path, help="where the servers keep their data (default: a temporary folder)"
    )
    options = parser.parse_args()

    wanted = [kind for kind in KINDS if options.only in kind.name or kind is DISTRIBUTION]
    kinds = [kind for kind in wanted if present(kind)]
    for kind in wanted:
        if kind not in kinds:
            print(f"bench: {kind.name} is left out: {kind.program} is not installed (make tools)", file=sys.stderr)
    for program in ("wrk", "go"):
        if shutil.which(program) is None:
            print(f"bench: {program} is not installed (make tools)", file=sys.stderr)
            return 2
    subprocess.run(["go", "build", "-o", str(TOOLS / "load"), "."], cwd=HERE / "load", check=True)

    with tempfile.TemporaryDirectory(prefix="dfr-bench-", dir=options.directory) as folder:
        Path(folder).chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        table = run(kinds, QUICK if options.quick else FULL, 1 if options.quick else ROUNDS, Path(folder))
        memory = [peak(kind, Path(folder)) for kind in kinds if kind.ours] if options.memory else []
        text = markdown(table, memory, kinds)  # before the folder goes, which takes minutes: a peer's tags are folders
        print(text, flush=True)
        if not options.quick and not options.only:
            (HERE / "RESULTS.md").write_text(text)
    return 1 if table.failures else 0


def run(kinds: list[Kind], scale: Scale, rounds: int, folder: Path) -> Table:
    table = Table(defaultdict(list), [], rounds, scale)
    registries: list[Registry] = []
    try:
        subjects: list[Subject] = []
        for number, kind in enumerate(kinds):
            say(f"starting and seeding {kind.name}")
            registries.append(Registry(kind, folder / f"r{number}"))
            subjects.append(seed(registries[-1], scale, folder))
        for number in range(rounds):
            for measure in MEASURES:
                say(f"round {number + 1} of {rounds}: {measure.name}")
                # Another one goes first each time: what the one before leaves behind (writes, caches) is shared out.
                for subject in subjects[number:] + subjects[:number]:
                    take(table, measure, subject)
    finally:
        for registry in registries:
            registry.stop()
    return table


def take(table: Table, measure: Measure, subject: Subject) -> None:
    kind = subject.registry.kind
    try:
        table.figures[measure.name, kind.name].append(measure.take(subject))
    except RuntimeError as error:
        table.failures.append(f"{kind.name}, {measure.name}: {error}")
        say(table.failures[-1])


def peak(kind: Kind, folder: Path) -> Memory:
    """The most memory a server took before, and after, one blob of 4 GiB went in and out."""
    say(f"4 GiB in and out of {kind.name}")
    registry = Registry(kind, folder / "memory")
    try:
        subject = Subject(registry, FULL)
        subject.load("push", repo="bench/warm", n=200, c=16)
        before = registry.peak_memory()
        put = subject.load("put", repo="bench/memory", size=MEMORY_BYTES)
        (blob,) = put["seeded"]
        get = subject.load("get", path=f"/v2/bench/memory/blobs/{blob['layer']}", n=1)
        return Memory(kind.name, before, registry.peak_memory(), megabytes(put), megabytes(get))
    finally:
        registry.stop()
        shutil.rmtree(folder / "memory")


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
