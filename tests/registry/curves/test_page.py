"""What docs/api.md shows works: its commands and its Python, on a running server."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..v2.conftest import Registry
from .conftest import frame, pushed, smooth

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def address(open_registry: Registry) -> str:
    first = pushed(open_registry, "field/north-1/log/gr", frame(smooth(2000)), "v1")
    pushed(open_registry, "field/north-1/log/gr", frame(smooth(2000, 5)), "v2", "latest", previous=first)
    pushed(open_registry, "field/north-1/log/rhob", frame(smooth(2000) / 30, mnemonic="RHOB", unit="g/cc"))
    return f"http://{open_registry.host}"


def test_its_python(registry: Registry, address: str) -> None:
    for block in blocks("python"):
        names: dict[str, Any] = {"REGISTRY": address}
        exec(block, names)
        assert (len(names["whole"]), names["window"].height) == (2000, 21)


def test_its_commands(registry: Registry, address: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for block in blocks("sh"):
        for command in block.splitlines():
            environment = {**os.environ, "REGISTRY": address}
            found = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=False)
            assert found.returncode == 0, command
            assert len(found.stdout) > 20
