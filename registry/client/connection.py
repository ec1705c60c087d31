"""The Python API for people at a prompt: blocking, small, and usable inside a notebook's running loop.

registry = dataforge_registry.connect("http://127.0.0.1:5000")
table = registry.curve("permian/university-6-17-no-1/run-two/gr").read(depth=(3100, 3250))
"""

import asyncio
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pyarrow as pa

from ...core.curves.names import LATEST, Reference
from ...core.curves.parquet import index_floats
from ...core.curves.read import WHOLE, Window
from ...core.oci.digest import Digest
from .curves import list_curves, list_wells, open_curve
from .remote import RemoteRegistry
from .transport import DEFAULT_ADDRESS

T = TypeVar("T")
Bound = float | int | str | None


def connect(url: str | None = None) -> "Connection":
    """The registry at `http://HOST:PORT`; None: DFR_REGISTRY, else this machine's. Asks nothing yet.

    Credentials as in the command line: DFR_USERNAME and DFR_PASSWORD, else Docker's configuration.
    """
    return Connection((url or os.environ.get("DFR_REGISTRY") or DEFAULT_ADDRESS).rstrip("/"))


class Connection:
    """A registry. Every failure is a RegistryError or a CurveError with one line that says what to do."""

    def __init__(self, url: str) -> None:
        self.url = url

    def wells(self, project: str = "") -> list[str]:
        """The wells one may read, `project/well`, of all projects or of one."""

        async def work() -> list[str]:
            async with RemoteRegistry(self.url) as registry:
                return list(await list_wells(registry, project))

        return _wait(work())

    def curves(self, well: str) -> list[str]:
        """The curves of a well (`project/well`) or frame, each as a reference for `curve`."""
        reference = Reference.parse(well)

        async def work() -> list[str]:
            async with RemoteRegistry(reference.base or self.url) as registry:
                lines = await list_curves(registry, reference)
            return [f"{reference.well}/{line.annotations['io.dataforge.repository']}" for line in lines]

        return _wait(work())

    def curve(self, reference: str, version: str = LATEST) -> "Curve":
        """A curve: `project/well/frame/curve`, with `:tag` or `@digest` behind it or as `version`."""
        parsed = Reference.parse(reference)
        if version != LATEST:
            parsed = Reference(parsed.segments, version, parsed.base)
        return Curve(parsed.base or self.url, parsed)


class Curve:
    """One curve at one tag or digest."""

    def __init__(self, url: str, reference: Reference) -> None:
        self.url = url
        self.reference = reference

    @property
    def digest(self) -> Digest:
        """The version that the reference names now."""

        async def work() -> Digest:
            async with RemoteRegistry(self.url) as registry:
                return (await open_curve(registry, self.reference)).digest

        return _wait(work())

    def read(self, depth: tuple[Bound, Bound] | None = None) -> pa.Table:
        """Rows whose index lies in [a, b] (None is open), in the unit of the index; times as ISO 8601 text.

        Columns: the index as float64 or UTC timestamps, ascending; the values as stored, nulls for absent samples.
        Only the layers that hold the window are fetched.
        """
        start, stop = depth or (None, None)
        window = Window(_text(start), _text(stop)) if depth else WHOLE

        async def work() -> pa.Table:
            async with RemoteRegistry(self.url) as registry:
                return await (await open_curve(registry, self.reference)).read(window)

        table = _wait(work())
        return table.set_column(0, table.column_names[0], index_floats(table.column(0).combine_chunks()))

    def to_pandas(self, depth: tuple[Bound, Bound] | None = None) -> Any:
        """The same as a pandas.DataFrame with the index column as its index; needs pandas."""
        table = self.read(depth)
        return table.to_pandas().set_index(table.column_names[0])


def _text(bound: Bound) -> str | None:
    return None if bound is None else str(bound)


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: a notebook's thread has a running loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
