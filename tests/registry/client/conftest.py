"""Registries to talk to: our own as a process, open and with accounts; and log files to bring."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ...memory import home

STOP_SECONDS = 40


@dataclass(frozen=True)
class Served:
    """A running registry."""

    url: str
    directory: Path
    password: str = ""


@contextmanager
def served(*arguments: str, password: str = "", **settings: str) -> Iterator[Served]:
    """A registry in a process of its own; settings are its REGISTRY_ variables."""
    with home("dfr-client-") as folder:
        data = folder / "data"
        command = [sys.executable, "-m", "dataforge_registry.registry", "serve", "--data", str(data), "--port", "0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "DFR_"))}
        environment |= settings | ({"REGISTRY_AUTH_ADMIN_PASSWORD": password} if password else {})
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://" in line, (folder / "log").read_text()
            yield Served("http://" + line.split("http://")[1].strip(), data, password)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)
            process.stdout.close()


@pytest.fixture(scope="session")
def open_server() -> Iterator[Served]:
    """A registry that asks nobody who is there."""
    with served("--auth", "none") as server:
        yield server


@pytest.fixture(scope="session")
def locked_server() -> Iterator[Served]:
    """A registry with accounts and a project `locked`; admin has the password."""
    with served(password=secrets.token_urlsafe(16)) as server:
        command = [sys.executable, "-m", "dataforge_registry.registry", "project", "create", "locked"]
        subprocess.run([*command, "--data", str(server.directory)], check=True, capture_output=True)
        yield server


@dataclass(frozen=True)
class Logs:
    """Makes LAS files of one well."""

    def las(self, well: str, curves: dict[str, np.ndarray], start: float = 1000.0, extra: str = "") -> bytes:
        """LAS 2.0, step 0.5 m, three decimals; NaN is NULL."""
        rows = len(next(iter(curves.values())))
        head = "~Version\nVERS. 2.0 :\nWRAP. NO :\n~Well\n"
        head += f"STRT.M {start} :\nSTOP.M {start + (rows - 1) / 2} :\nSTEP.M 0.5 :\n"
        head += f"NULL. -999.25 :\nWELL. {well} :\n{extra}~Curve\nDEPT.M :\n"
        head += "".join(f"{mnemonic}.GAPI : made\n" for mnemonic in curves) + "~A\n"
        lines = [
            " ".join([f"{start + row / 2:.1f}", *(_text(values[row]) for values in curves.values())])
            for row in range(rows)
        ]
        return (head + "\n".join(lines) + "\n").encode()

    def smooth(self, rows: int, seed: int = 0) -> np.ndarray:
        """Log-like values of shape (rows,), three decimals, with gaps."""
        values = np.cumsum(np.random.default_rng(seed).normal(size=rows)).round(3)
        values[::97] = np.nan
        return values


def _text(value: float) -> str:
    return "-999.25" if np.isnan(value) else f"{value:.3f}"


@pytest.fixture(scope="session")
def logs() -> Logs:
    return Logs()
