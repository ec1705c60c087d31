"""Plain log files pushed with other people's clients, as they come: the curves are there soon after."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from oras.client import OrasClient

from dataforge_registry.core.curves.names import Reference
from dataforge_registry.core.oci.errors import ManifestUnknown
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.curves import list_curves, open_curve
from dataforge_registry.registry.client.remote import RemoteRegistry


async def curves(server: Any, well: str) -> list[str]:
    """The curves of a well, once it has any."""
    async with RemoteRegistry(server.url, ANONYMOUS) as registry:
        while True:
            try:
                if lines := await list_curves(registry, Reference.parse(well)):
                    return [line.annotations["io.dataforge.mnemonic"] for line in lines]
            except ManifestUnknown:
                pass
            await asyncio.sleep(0.1)


@pytest.mark.tool("oras")
@pytest.mark.asyncio
async def test_the_oras_command(open_server: Any, logs: Any, tmp_path: Path) -> None:
    values = logs.smooth(500)
    (tmp_path / "well.las").write_bytes(logs.las("By oras", {"GR": values, "SP": logs.smooth(500, 1)}))
    target = f"{open_server.url.removeprefix('http://')}/ingest-oras/inbox:monday"
    command = ["oras", "push", "--plain-http", target, "well.las"]
    await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True, capture_output=True)
    assert await curves(open_server, "ingest-oras/by-oras") == ["GR", "SP"]
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        table = await (await open_curve(registry, Reference.parse("ingest-oras/by-oras/log/gr"))).read()
    read = table.column(1).to_pylist()
    assert read[0] is None and read[1:97] == pytest.approx(values[1:97], abs=5e-4)


@pytest.mark.asyncio
async def test_oras_py(open_server: Any, logs: Any, tmp_path: Path) -> None:
    path = tmp_path / "well.las"
    path.write_bytes(logs.las("By oras-py", {"DT": logs.smooth(50)}))
    host = open_server.url.removeprefix("http://")

    def push() -> int:
        client = OrasClient(hostname=host, insecure=True)
        answer = client.push(target=f"{host}/ingest-py/inbox:v1", files=[str(path)], disable_path_validation=True)
        return int(answer.status_code)

    assert await asyncio.to_thread(push) == 201
    assert await curves(open_server, "ingest-py/by-oras-py") == ["DT"]
