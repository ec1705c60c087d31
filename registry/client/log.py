"""What was read: one or several curves on an index, and the ways out of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...core.curves.artifact.parquet import index_floats
from ...core.curves.artifact.read import WHOLE, Window
from ...core.curves.dtypes import elements_of
from ...core.curves.errors import CurveError
from ...core.curves.windows.aligned import Aligned

if TYPE_CHECKING:
    import numpy as np
    import pandas
    import polars
    import xarray


Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Waits for a coroutine: what the blocking face has."""


class Original:
    """The LAS file that all the curves of a Log came from, fetched when it is wanted.

    run: waits for it where it was not awaited before; None: then it is left out.
    """

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, bytes | None]], run: Run | None) -> None:
        self._fetch, self._run = fetch, run
        self._content: list[bytes | None] = []

    async def fetched(self) -> bytes | None:
        """Its bytes; None where they came from no LAS file, or from several, or where it is gone."""
        if not self._content:
            self._content.append(await self._fetch())
        return self._content[0]

    def content(self) -> bytes | None:
        """The same, without awaiting it."""
        if not self._content and self._run:
            self._run(self.fetched())
        return self._content[0] if self._content else None


class Log:
    """Rows on an ascending index. exact: a table of the index (decimals or UTC timestamps) and one column a curve.

    Absent samples are nulls, NaN or NA by what the library has for them. unit: of the index, None where it was not
    asked for. window: what was asked for, of which these are all the rows. original: the file it came from.
    """

    def __init__(
        self,
        exact: pa.Table,
        aligned: Callable[[], Aligned],
        unit: str | None = None,
        window: Window = WHOLE,
        original: Original | None = None,
    ) -> None:
        self.exact = exact
        self.unit = unit
        self.window = window
        self.original = original
        self._aligned = aligned

    def __len__(self) -> int:
        return self.exact.num_rows

    def __repr__(self) -> str:
        columns = ", ".join(self.exact.column_names[1:])
        if not len(self):
            return f"Log({columns}: no rows)"
        first, last = (self.exact.column(0)[row].as_py() for row in (0, len(self) - 1))
        return f"Log({columns}: {len(self)} rows, {self.exact.column_names[0]} {first} to {last})"

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        """One column as numpy: the index or a curve, by name."""
        columns = self.to_numpy()
        if name not in columns:
            raise CurveError(f"there is no column {name!r}: there are {', '.join(columns)}")
        return columns[name]

    @property
    def aligned(self) -> Aligned:
        """The same with the header of each curve; fetches it where it was not needed so far."""
        return self._aligned()

    @property
    def index(self) -> np.ndarray[Any, Any]:
        """Depths as float64, or times as datetime64[us] (UTC), of shape (rows,)."""
        return next(iter(self.to_numpy().values()))

    def to_arrow(self) -> pa.Table:
        """A pyarrow.Table: the index as float64 or UTC timestamps, values as stored."""
        index = self.exact.column(0).combine_chunks()
        return self.exact.set_column(0, self.exact.column_names[0], index_floats(index))

    def to_numpy(self) -> dict[str, np.ndarray[Any, Any]]:
        """Name -> array of shape (rows,) or (rows, width): floats with NaN, times as datetime64[us], texts as objects.

        Whole numbers stay whole where none is absent."""
        return {name: _numpy(column.combine_chunks()) for name, column in _columns(self.to_arrow())}

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas.DataFrame whose index is the depth or time."""
        _need("pandas", "pandas")
        table = self.to_arrow()
        return table.to_pandas().set_index(table.column_names[0])

    def to_polars(self) -> polars.DataFrame:
        """A polars.DataFrame whose first column is the depth or time."""
        found = _need("polars", "polars").from_arrow(self.to_arrow())
        return found  # type: ignore[no-any-return]  # a table makes a DataFrame

    def to_xarray(self) -> xarray.Dataset:
        """An xarray.Dataset over the index; units and descriptions as attributes."""
        library = _need("xarray", "xarray")
        aligned, columns = self.aligned, self.to_numpy()
        index = aligned.kind
        data = {}
        for column in aligned.columns:
            values = columns[column.name]
            dimensions = (index, *(f"{column.name}_{axis}" for axis in range(1, values.ndim)))
            notes = {"units": column.unit, "long_name": column.config.description, "mnemonic": column.config.mnemonic}
            data[column.name] = (dimensions, values, {key: note for key, note in notes.items() if note})
        coordinates = {index: (index, columns[index], {"units": aligned.unit} if aligned.unit else {})}
        notes = {"well": aligned.columns[0].config.well.name, "uwi": aligned.columns[0].config.well.uwi}
        return library.Dataset(data, coordinates, {key: note for key, note in notes.items() if note})  # type: ignore[no-any-return]

    def to_las(self, path: str | os.PathLike[str]) -> Path:
        """A LAS 2.0 file with the header of the file as received where all came from one; the path it was written to.

        Of the asynchronous twin, `await log.original.fetched()` gets that header; it is made from the configs else.
        """
        target = Path(path)
        target.write_bytes(self._las())
        return target

    def to_welly(self) -> Any:
        """A welly.Well."""
        library = _need("welly", "welly")
        import lasio

        return library.Well.from_lasio(lasio.read(self._las().decode()))

    def _las(self) -> bytes:
        from ...core.curves.writers import Format, write

        header = self.original.content() if self.original else None
        return b"".join(write(Format.las, [self.aligned], header=header))


def _columns(table: pa.Table) -> list[tuple[str, pa.ChunkedArray[Any]]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _numpy(column: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    kind = column.type
    if pa.types.is_timestamp(kind):
        found = column.cast(pa.int64()).to_numpy(zero_copy_only=False).astype("datetime64[us]")
    elif pa.types.is_fixed_size_list(kind):
        found = elements_of(column).to_numpy(zero_copy_only=False).reshape(len(column), kind.list_size)
    else:
        found = column.to_numpy(zero_copy_only=False)
    return np.asarray(found)


def _need(name: str, extra: str) -> Any:
    """A library that is an extra of ours, or one line that says how to get it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise CurveError(f"this needs {name}: pip install 'dataforge-registry[{extra}]'") from error
