"""What was read once stays on this machine: blobs and manifests by digest, and what each tag named when last asked.

Several processes may use one folder: a file appears whole by a rename, and is checked against its digest whenever it is
read, so that a damaged one is as good as none. The files read longest ago go when all are over the bound.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...core.oci.digest import Digest
from ...core.oci.errors import RegistryError

DEFAULT_LIMIT = 1 << 30
_SLACK = 10  # a process looks at the folder each time that it has written a tenth of the bound


class Cache:
    """A folder of at most `limit` bytes; a process may pass the bound by a tenth before it tidies up."""

    def __init__(self, folder: Path | str, limit: int = DEFAULT_LIMIT) -> None:
        if limit < 0:
            raise ValueError(f"a cache holds 0 bytes or more, not {limit}")
        self.folder = Path(folder).expanduser()
        self.limit = limit
        self._written = limit  # unknown: what others left is counted at the first write

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r}, limit={self.limit})"

    def get(self, digest: Digest) -> bytes | None:
        """The bytes of a digest, checked, or None."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
            if Digest.of(data, digest.algorithm) == digest:
                os.utime(path)
                return data
            path.unlink()
        except OSError:
            pass
        return None

    def put(self, digest: Digest, data: bytes) -> None:
        """Keep bytes that have this digest. A disk that is full or closed to us costs the cache, not the reading."""
        if len(data) <= self.limit // _SLACK:
            self._write(self._path(digest), data)

    def named(self, address: str) -> tuple[Digest, str] | None:
        """Digest and media type of what an address of a tag (`http://HOST/v2/NAME/manifests/TAG`) named last."""
        try:
            digest, _, media_type = self._tag(address).read_text().partition(" ")
            return Digest.parse(digest), media_type
        except (OSError, ValueError, RegistryError):
            return None

    def name(self, address: str, digest: Digest, media_type: str) -> None:
        """Remember what a tag names now."""
        self._write(self._tag(address), f"{digest} {media_type}".encode())

    def clear(self) -> None:
        """Forget all."""
        for _, _, path in self._files():
            path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in self._files())

    def _path(self, digest: Digest) -> Path:
        return self.folder / digest.algorithm / digest.hex[:2] / digest.hex

    def _tag(self, address: str) -> Path:
        return self.folder / "tags" / hashlib.sha256(address.encode()).hexdigest()

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(beside, path)
            except BaseException:
                Path(beside).unlink(missing_ok=True)
                raise
        except OSError:
            return
        self._written += len(data)
        if self._written > self.limit // _SLACK:
            self._tidy()

    def _tidy(self) -> None:
        """Down to nine tenths of the bound, so that the next write does not tidy again."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self.limit * (_SLACK - 1) // _SLACK:
                break
            with contextlib.suppress(OSError):  # another process was first, or holds it open (Windows)
                path.unlink()
                total -= size
        self._written = 0

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """(when last read, bytes, path) of each; what vanishes meanwhile is left out."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder) / name
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    yield stat.st_mtime, stat.st_size, path


def default_folder() -> Path:
    """DFR_CACHE, else where this system keeps caches of a user."""
    if chosen := os.environ.get("DFR_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        return home / "dataforge-registry" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dataforge-registry"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dataforge-registry"
