"""`dfr reindex` beside a running server: what a project's tables say counts for what was pushed before."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from .conftest import Logs, Served

PROJECT = "reindexed"


def dfr(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "DFR_"))}
    return subprocess.run(
        [sys.executable, "-m", "dataforge_registry.registry", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )


def api(server: Served, path: str, body: Any = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/api/v1/{path}", content, {"Content-Type": "application/json"})
    request.method = "GET" if body is None else "PUT"
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def families(server: Served) -> dict[str, str | None]:
    curves = api(server, f"search?project={PROJECT}")["curves"]
    return {curve["mnemonic"]: curve.get("family") for curve in curves}


def test_a_projects_tables_count_for_old_pushes_after_a_reindex(
    open_server: Served, logs: Logs, tmp_path: Path
) -> None:
    values = logs.smooth(40)
    (tmp_path / "a.las").write_bytes(logs.las("Well 1", {"GR": values, "QQX": values + 1}))
    imported = dfr("import", str(tmp_path / "a.las"), "--into", f"{open_server.url}/{PROJECT}")
    assert imported.returncode == 0, imported.stderr
    api(open_server, f"projects/{PROJECT}/mnemonics", {"mnemonics": [{"mnemonic": "QQX", "family": "odd"}]})
    assert families(open_server) == {"GR": "gamma_ray", "QQX": None}

    command = ["reindex", "--data", str(open_server.directory)]
    done = dfr(*command, "--project", PROJECT)
    assert (done.returncode, done.stdout) == (0, "2 versions in 2 repositories\n"), done
    assert families(open_server) == {"GR": "gamma_ray", "QQX": "odd"}
    assert api(open_server, f"curves/{PROJECT}/well-1/log/qqx")["version"] == 1

    absent = dfr(*command, "--project", "absent")
    assert (absent.returncode, absent.stdout) == (2, ""), absent
    assert absent.stderr.splitlines()[-1] == "dfr: there is no project absent"
