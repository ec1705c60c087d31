"""`dataforge://`: wells, frames and curves as folders, curve versions as Parquet files, for whatever reads by fsspec.

    pandas.read_parquet("dataforge://permian/university-6-17/run2/gr@v3.parquet", storage_options={"registry": URL})

A file is the curve's index and values side by side, made here of its layers (docs/format.md), so any OCI registry
serves; what was read is kept by the client's cache. Nothing can be written: `commit` makes versions.
"""

import asyncio
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, ClassVar

from fsspec.spec import AbstractFileSystem

from ...core.curves.artifact.joined import joined_file
from ...core.curves.artifact.read import plan
from ...core.curves.errors import CurveError
from ...core.curves.names import LATEST, Reference
from ...core.oci.errors import BlobUnknown, ManifestUnknown, NameUnknown
from .blocking import wait
from .connection import DEFAULT, Registry, connect
from .curve import AsyncCurve
from .well import Listed

SUFFIX = ".parquet"
_HELD = 8
"""Files of the last curves that were opened, so that a reader's many ranges make each once."""


class DataForgeFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """registry: its address; username, password, cache: as for `connect`. Blocking; usable in a running loop."""

    protocol: ClassVar[str] = "dataforge"
    root_marker = ""

    def __init__(
        self,
        registry: str | None = None,
        username: str | None = None,
        password: str | None = None,
        cache: Any = DEFAULT,
        **options: Any,
    ) -> None:
        super().__init__(registry=registry, username=username, password=password, cache=cache, **options)
        self.connection: Registry = connect(registry, username=username, password=password, cache=cache)
        self._held: dict[str, bytes] = {}

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return str(path).removeprefix("dataforge://").strip("/")

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """Projects; the wells of one; the frames of a well; the curves of a frame, as files of their latest version."""
        path = self._strip_protocol(path)
        parts = path.split("/") if path else []
        if len(parts) < 2:
            wells = [well.split("/") for well in self.connection.wells(parts[0] if parts else "")]
            names = sorted({"/".join(well[: len(parts) + 1]) for well in wells})
            if parts and not names:
                raise FileNotFoundError(path)
            entries = [_folder(name) for name in names]
        elif len(parts) < 4:
            entries = self._curves(path, len(parts))
        else:
            entries = [self.info(path)]
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """name, type and size in bytes; of a file also digest, the version that the path names now."""
        path = self._strip_protocol(path)
        parts = path.split("/") if path else []
        if len(parts) == 4:
            digest, data = self._file(path)
            return {"name": path, "type": "file", "size": len(data), "digest": digest}
        if parts:
            self.ls(path)
        return _folder(path)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """Bytes [start, end) of a file; negative ones count from its end."""
        return self._file(self._strip_protocol(path))[1][start:end]

    def modified(self, path: str) -> Any:
        """When the version was made, as its manifest says; 1970 where it does not."""
        curve = self._curve(self._strip_protocol(path))
        created = wait(curve.open()).manifest.annotations.get("org.opencontainers.image.created", "")
        return datetime.fromisoformat(created) if created else datetime.fromtimestamp(0, UTC)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> BytesIO:
        if mode != "rb":
            raise CurveError(f"{path} is read only; registry.curve(...).commit(...) makes a new version")
        return BytesIO(self._file(self._strip_protocol(path))[1])

    def _curves(self, path: str, depth: int) -> list[dict[str, Any]]:
        try:
            listed: list[Listed] = self.connection.well(path).curves()
        except (ManifestUnknown, NameUnknown) as error:
            raise FileNotFoundError(path) from error
        if depth == 2:
            return [_folder(name) for name in sorted({each.reference.rpartition("/")[0] for each in listed})]
        return [
            {"name": f"{each.reference}{SUFFIX}", "type": "file", "size": None, "digest": each.digest}
            for each in listed
        ]

    def _curve(self, path: str) -> AsyncCurve:
        if not path.endswith(SUFFIX) or path.count("/") != 3:
            raise FileNotFoundError(f"{path}: files are PROJECT/WELL/FRAME/CURVE[@TAG]{SUFFIX}")
        reference = Reference.parse(path.removesuffix(SUFFIX))
        return self.connection._twin.curve(
            reference.repository, None if reference.target == LATEST else reference.target
        )

    def _file(self, path: str) -> tuple[str, bytes]:
        curve = self._curve(path)
        try:
            version = wait(curve.open())
            if version.digest not in self._held:
                layers = wait(_blobs(curve))
                _, (made,) = joined_file(None, layers)
                while len(self._held) >= _HELD:
                    del self._held[next(iter(self._held))]
                self._held[version.digest] = made
            return version.digest, self._held[version.digest]
        except (ManifestUnknown, NameUnknown, BlobUnknown) as error:
            raise FileNotFoundError(path) from error


async def _blobs(curve: AsyncCurve) -> list[bytes]:
    """Manifest, config and layers of the version that was opened, as joined_file takes them."""
    version = curve.opened or await curve.open()
    config = [version.manifest.config.digest] if version.manifest.config else []
    digests = [*config, *plan(version.manifest).digests]
    return [version.raw, *await asyncio.gather(*(version.repository.read_blob(digest) for digest in digests))]


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "type": "directory", "size": 0}
