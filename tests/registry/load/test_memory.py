"""Memory measured where the kernel says it, and levels that do not flap."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.registry.load.memory import EASE, Level, Limit, Memory, limits


def written(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def group(root: Path, folder: str, most: str, used: int, cache: int) -> None:
    base = root / folder
    base.mkdir(parents=True, exist_ok=True)
    (base / "memory.max").write_text(f"{most}\n")
    (base / "memory.current").write_text(f"{used}\n")
    (base / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\nactive_file 10\nshmem 3\n")


def test_a_container_sees_its_own_group_as_the_outermost(tmp_path: Path) -> None:
    written(tmp_path, proc__self__cgroup="0::/\n")
    group(tmp_path, "sys/fs/cgroup", "1000", 700, 90)
    (found,) = limits(None, tmp_path)
    assert (found.name, found.most, found.used()) == ("cgroup", 1000, 600)


def test_the_groups_around_ours_count_too(tmp_path: Path) -> None:
    written(tmp_path, proc__self__cgroup="0::/system.slice/dfr.service\n")
    group(tmp_path, "sys/fs/cgroup/system.slice/dfr.service", "1000", 310, 200)
    group(tmp_path, "sys/fs/cgroup/system.slice", "2000", 1910, 0)
    found = limits(None, tmp_path)
    assert [(limit.most, limit.used()) for limit in found] == [(1000, 100), (2000, 1900)]
    memory = Memory(found, 0.85, 0.94)
    assert memory.look() == Level.REFUSE and memory.share == 0.95


def test_a_group_without_a_limit_is_none(tmp_path: Path) -> None:
    written(tmp_path, proc__self__cgroup="0::/x\n")
    group(tmp_path, "sys/fs/cgroup/x", "max", 1 << 40, 0)
    assert limits(None, tmp_path) == []
    assert limits(None, tmp_path / "elsewhere") == []
    assert Memory([], 0.85, 0.95).look() == Level.FREE


@pytest.mark.parametrize(("most", "expected"), [("1000", [(1000, 500)]), (str(2**63 - 4096), [])])
def test_version_1(tmp_path: Path, most: str, expected: list[tuple[int, int]]) -> None:
    written(
        tmp_path,
        proc__self__cgroup="4:memory:/docker/ab\n1:cpu,cpuacct:/docker/ab\n",
        sys__fs__cgroup__memory__docker__ab__memory_limit="",
    )
    base = tmp_path / "sys/fs/cgroup/memory/docker/ab"
    (base / "memory.limit_in_bytes").write_text(most)
    (base / "memory.usage_in_bytes").write_text("800")
    (base / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 200\ntotal_active_file 100\n")
    assert [(limit.most, limit.used()) for limit in limits(None, tmp_path)] == expected


def test_a_configured_limit_is_of_what_is_resident() -> None:
    found = [limit for limit in limits(1 << 40) if limit.name == "limits.memory"]
    assert len(found) == 1 and (1 << 20) < found[0].used() < (1 << 36)


@given(st.lists(st.floats(0, 1.2), max_size=50))
def test_a_level_ends_only_clearly_below_where_it_began(shares: list[float]) -> None:
    used = 0.0
    memory = Memory([Limit("x", 1, lambda: used)], 0.85, 0.95)  # type: ignore[arg-type, return-value]
    before = Level.FREE
    for used in shares:
        level = memory.look()
        for threshold, at in ((Level.SHED, 0.85), (Level.REFUSE, 0.95)):
            if level >= threshold > before:
                assert used >= at
            if before >= threshold > level:
                assert used < at - EASE
        before = level
