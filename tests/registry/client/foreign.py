"""A registry that is not ours: the reference implementation, where `make tools` has brought it."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30


@contextmanager
def distribution(folder: Path) -> Iterator[str]:
    """The address of a CNCF distribution registry over a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "config.json"  # JSON is YAML
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}}
    log = {"level": "error", "accesslog": {"disabled": True}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}, "log": log}))
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(["registry", "serve", str(config)], stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(f"http://{address}/v2/", process, folder / "log")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace")[-2000:])
