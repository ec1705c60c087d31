"""docs/example.md runs as it stands: its blocks in order, on a real server, and its pictures are the ones it shows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURES = ("example-log.svg", "example-edit.svg")

for needed in ("matplotlib", "pandas", "polars", "duckdb"):
    pytest.importorskip(needed)


@pytest.fixture
def url() -> Iterator[str]:
    """A registry that asks nobody who is there."""
    with tempfile.TemporaryDirectory(prefix="dfr-example-") as folder:
        Path(folder).chmod(0o755)  # a private PostgreSQL runs as a user of its own
        command = [sys.executable, "-m", "dataforge_registry.registry", "serve", "--auth", "none", "--port", "0"]
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--data", f"{folder}/data"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "http://" in line, (Path(folder) / "log").read_text()
            yield "http://" + line.split("http://")[1].strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)
            process.stdout.close()


def script() -> str:
    """All blocks as one Python script: a line of a shell block is a subprocess of its own."""
    parts = ["import shlex, subprocess, sys", "DFR = [sys.executable, '-m', 'dataforge_registry.registry']"]
    for kind, body in BLOCK.findall((DOCS / "example.md").read_text()):
        if kind == "python":
            parts.append(body)
            continue
        for line in body.splitlines():
            command, _, allowed = line.partition(" || ")
            program, _, rest = command.partition(" ")
            start = "DFR" if program == "dfr" else "[sys.executable]"
            parts.append(f"done = subprocess.run({start} + shlex.split({rest!r}))")
            parts.append(f"assert done.returncode in {(0, 1) if allowed else (0,)}, {line!r}")
    return "\n".join(parts)


@pytest.mark.timeout(900)  # a dozen processes, one after the other
def test_the_example_runs_and_draws_its_pictures(url: str, tmp_path: Path) -> None:
    shutil.copy(DOCS / "field.py", tmp_path)
    environment = {**os.environ, "DFR_REGISTRY": url, "DFR_CACHE": str(tmp_path / "cache"), "COLUMNS": "120"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(DOCS.parent), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script()], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("v2: ", "41 changed", "1640.0", "1648.0", "tool stuck from 1640 to 1648 m", "edited"):
        assert said in done.stdout, done.stdout
    for name in PICTURES:
        picture = (tmp_path / name).read_text()
        assert "<svg" in picture and f"({name})" in (DOCS / "example.md").read_text()
        if os.environ.get("DFR_DRAW"):
            (DOCS / name).write_text(picture)
        assert (DOCS / name).stat().st_size > 10_000
