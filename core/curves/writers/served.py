"""A window of curves as bytes in a format, for a sandbox: layers in, a piece of an answer out.

A window of one curve comes in parts of some layers each, so that an answer of any length needs little memory; what has
to be seen whole (a grid, several curves, LAS, Parquet) comes in one.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from ...oci import media
from .. import schema
from ..artifact.read import Window, as_said, assemble, parts, plan
from ..schema import Config
from ..windows.aligned import align
from ..windows.binned import bins
from ..windows.index_units import reading_window
from . import Format, write

PART_ROWS = 1 << 16
STREAMED = (Format.json, Format.csv, Format.arrow)
"""Formats whose rows follow each other without end."""
WRITER = f"1-{pa.__version__}"


class Order(msgspec.Struct, frozen=True):
    """What of which curves. layers: for each curve how many blobs it has, manifest and config included; part, of parts:
    which part of the rows this is; step and window in `unit`, None the first curve's own; bins: an envelope instead."""

    format: Format
    layers: list[int]
    start: str | None = None
    stop: str | None = None
    unit: str | None = None
    step: str | None = None
    bins: int | None = None
    part: int = 0
    parts: int = 1


def serve(argument: Any, blobs: list[bytes]) -> tuple[int, list[bytes]]:
    """For a sandbox: the rows that the window has in this part, and the bytes of its part of the answer.

    blobs: for each curve its manifest, its config, and the layers of `part_of`'s plan in their order.
    """
    order = msgspec.convert(argument, Order)
    curves: list[list[bytes]] = []
    for count in order.layers:
        curves.append(blobs[:count])
        blobs = blobs[count:]
    configs = [schema.parse_config(found[1]) for found in curves]
    window = Window(order.start, order.stop)
    if order.bins is not None:
        rows, answer = bins(configs[0], _pieces(order, configs[0], curves[0]), order.bins, window, order.unit)
        return rows, [answer]
    series = [(config, next(_pieces(order, config, found))) for config, found in zip(configs, curves, strict=True)]
    aligned = align(series, step=order.step, unit=order.unit, window=window)
    return len(aligned), _cut(order, list(write(order.format, aligned.chunks(PART_ROWS))))


def _pieces(order: Order, config: Config, blobs: list[bytes]) -> Iterator[pa.Table]:
    """The rows asked for, in one table, or for bins in one after the other."""
    window = reading_window(config, Window(order.start, order.stop), order.unit, order.step)
    wanted = plan(schema.parse_manifest(blobs[0], media.CURVE), window)
    chosen = [wanted]
    if order.bins is not None:
        chosen = parts(wanted, PART_ROWS)
    elif order.parts > 1:
        chosen = [parts(wanted, PART_ROWS)[order.part]]
    digests = wanted.digests if order.bins is not None else chosen[0].digests
    layers = dict(zip(digests, blobs[2:], strict=True))
    for each in chosen:
        yield as_said(assemble(each, layers), config)


def _cut(order: Order, pieces: list[bytes]) -> list[bytes]:
    """This part's bytes of the whole answer: a head only with the first, a tail only with the last."""
    if order.parts == 1:
        return pieces
    first, last = order.part == 0, order.part == order.parts - 1
    if order.format is Format.csv:
        return pieces if first else pieces[1:]
    head, rows, tail = pieces[0], pieces[1:-1], pieces[-1]
    if order.format is Format.arrow:  # the head is the schema's message: its length stands behind the marker
        body = b"".join([head, *rows])
        start = 0 if first else 8 + int.from_bytes(body[4:8], "little")
        return [body[start:], *([tail] if last else [])]
    return [
        *([head] if first else []),
        *(piece if first or number else b"," + piece for number, piece in enumerate(rows)),
        *([tail] if last else []),
    ]
