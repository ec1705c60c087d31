"""Plain log files pushed with other people's clients, as they come: the curves are there soon after."""

import asyncio
import os
import subprocess
import sys
import time
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


def said(server: Any, command: str, reference: str) -> str:
    """What dfr prints."""
    environment = {**os.environ, "DFR_REGISTRY": server.url, "DFR_USERNAME": "", "COLUMNS": "200"}
    arguments = [sys.executable, "-m", "dataforge_registry.registry", command, reference]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_what_became_of_a_plain_push_is_listed(open_server: Any, logs: Any, tmp_path: Path) -> None:
    """Nobody signed in: all is done as whoever everybody is."""
    host = open_server.url.removeprefix("http://")
    (tmp_path / "good.las").write_bytes(logs.las("Listed 1", {"GR": logs.smooth(50)}))
    (tmp_path / "bad.las").write_bytes(logs.las("Listed 2", {"GR": logs.smooth(50)})[:-20] + b"\n3 [red] 4\n")
    client = OrasClient(hostname=host, insecure=True)
    for name in ("good", "bad"):
        path = str(tmp_path / f"{name}.las")
        client.push(target=f"{host}/ingest-listed/inbox:{name}", files=[path], disable_path_validation=True)
    end = time.monotonic() + 60
    while any(word not in said(open_server, "ls", "ingest-listed/inbox") for word in ("done", "failed")):
        assert time.monotonic() < end
    for command in ("ls", "show"):
        lines = {line.split()[0]: line for line in said(open_server, command, "ingest-listed/inbox").splitlines()[2:]}
        assert lines["good"].split()[1:] == ["done", "1", "ingest-listed/listed-1"]
        assert "failed" in lines["bad"] and "bad.las: line " in lines["bad"]
    assert "import" not in said(open_server, "ls", "ingest-listed/listed-1")
