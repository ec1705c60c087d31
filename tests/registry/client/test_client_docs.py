"""The examples of docs/client.md, run one after the other against a real registry."""

import asyncio
import re
from pathlib import Path
from typing import Any

import fsspec
import pytest

import dataforge_registry
from dataforge_registry.registry.client.filesystem import DataForgeFileSystem
from dataforge_registry.registry.client.wells import WellImport, open_las

DOCUMENT = Path(__file__).parents[3] / "docs" / "client.md"


def test_every_example_runs(open_server: Any, logs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def bring() -> None:
        async with dataforge_registry.connect_async(open_server.url, cache=None) as registry:
            content = logs.las("Example 1", {"GR": logs.smooth(4_000), "RHOB": logs.smooth(4_000, 1)})
            await WellImport(registry.remote, "demo").push(open_las(content, "example.las"))

    asyncio.run(bring())
    monkeypatch.setenv("DFR_REGISTRY", open_server.url)
    monkeypatch.setenv("DFR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    fsspec.register_implementation("dataforge", DataForgeFileSystem, clobber=True)
    DataForgeFileSystem.clear_instance_cache()
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert (tmp_path / "window.las").is_file()
    assert names["done"].version == 2
    assert [version.number for version in names["curve"].versions()] == [1, 2, 3]
    assert {each.mnemonic for each in names["well"].curves()} == {"GR", "RHOB", "VSH"}
    names["registry"].close()
