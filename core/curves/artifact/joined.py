"""A whole curve as one Parquet file, index and values side by side: what readers that know no registry are given.

The bytes follow from the manifest and this writer alone, so any process of one version makes the same.
"""

import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ...oci import media
from .. import schema
from .parquet import encode_pieces
from .read import as_said, assemble, parts, plan, rows_of

WRITER = f"1-{pa.__version__}"
"""Names the writer; it grows with each change of the bytes that are written here."""
_SMALLEST_GROUP = 4096
_PART_ROWS = 1 << 18


def joined_file(argument: Any, blobs: list[bytes]) -> tuple[None, list[bytes]]:
    """For a sandbox. blobs: manifest, config, and the layers in the order of `plan(manifest).digests`. Back comes the
    file: the index column under its kind, the values under the mnemonic, units in the footer's metadata."""
    manifest, config = schema.parse_manifest(blobs[0], media.CURVE), schema.parse_config(blobs[1])
    wanted = plan(manifest)
    layers = dict(zip(wanted.digests, blobs[2:], strict=True))
    notes = {
        schema.WELL: config.well.name,
        schema.UWI: config.well.uwi,
        schema.FRAME: config.frame,
        schema.MNEMONIC: config.mnemonic,
        schema.UNIT: config.unit,
        schema.INDEX_KIND: config.index.kind,
        schema.INDEX_UNIT: config.index.unit,
    }

    def pieces() -> Iterator[pa.Table]:
        for part in parts(wanted, _PART_ROWS):
            yield as_said(assemble(part, layers), config)

    return None, [encode_pieces(pieces(), group_rows(rows_of(wanted)), notes)]


def group_rows(rows: int) -> int:
    """Rows of a row group: with `sqrt(rows)` of them both the footer and what a window costs stay small."""
    return max(_SMALLEST_GROUP, 1 << round(math.log2(16 * math.sqrt(max(rows, 1)))))
