"""What differs between two versions of a curve. No I/O: the caller fetches.

wanted = plan(Version.parse(manifest, config), Version.parse(other_manifest, other_config))
diff = assemble(wanted, {digest: fetch(digest) for digest in wanted.digests})

The result is a CurveDiff (differences.py), ready for `schema.encode`. Content ids are asked first: a segment that both
versions hold at the same place is not fetched, and equal values at other depths are a shift, for which nothing is. Only
an index that is irregular and changed makes all segments wanted. old_digests and new_digests say which repository has
what; the two may be of different curves. Samples are matched by index value (alignment.py) and compared as they print
(changes.py). plan reads JSON only; assemble opens Parquet, so a server calls both in its sandbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ..artifact.decode import decode_index, decode_values
from ..artifact.layout import index_layers, value_layers
from ..artifact.packed import Previous
from ..artifact.parquet import index_ticks
from ..artifact.placed import Placed, placed
from ..dtypes import arrow_type
from ..errors import ContentMismatch, CurveError
from ..model import Ticks, Values, tick_text
from ..schema import Config, Descriptor
from .alignment import Axis, Rows, common_axis, constant_shift, match, regular_ticks, same_steps, shifts
from .changes import Changes, changes
from .differences import CurveDiff, SegmentCounts, figure, header_changes, index_change, intervals, runs

MOST_INTERVALS = 1000
Version = Previous
"""One version of a curve: its manifest and config, as `Version.parse(manifest, config)` reads their bytes."""


@dataclass(frozen=True)
class DiffPlan:
    """What is known without values, and the layers that the rest has to be read from.

    by_rows: the k-th row stands for the k-th (one index, or two that cannot be told apart); else rows are matched by
    index value under one of `shifts`, which are ticks of `axis`, and not at all where there is none.
    """

    old: Version
    new: Version
    axis: Axis | None
    by_rows: bool
    shifts: tuple[int, ...]
    old_layers: tuple[Descriptor, ...] = field(default=(), repr=False)
    new_layers: tuple[Descriptor, ...] = field(default=(), repr=False)

    @property
    def old_digests(self) -> list[str]:
        """What has to be fetched of the old version."""
        return list(dict.fromkeys(layer.digest for layer in self.old_layers))

    @property
    def new_digests(self) -> list[str]:
        """What has to be fetched of the new version besides."""
        brought = set(self.old_digests)
        return [digest for digest in dict.fromkeys(layer.digest for layer in self.new_layers) if digest not in brought]

    @property
    def digests(self) -> list[str]:
        """What has to be fetched, each once."""
        return self.old_digests + self.new_digests

    def unmatched(self, shift: int) -> tuple[list[int], list[int]]:
        """Positions of the segments, old and new, that are not the same at the same place under a shift."""
        old, new = self.old.config, self.new.config
        if not self.by_rows and not same_steps(old.index, new.index):
            return list(range(len(old.segments))), list(range(len(new.segments)))
        mine = {self._place(segment, shift): at for at, segment in enumerate(placed(old))}
        theirs = {self._place(segment, 0): at for at, segment in enumerate(placed(new))}
        return (
            [at for place, at in mine.items() if place not in theirs],
            [at for place, at in theirs.items() if place not in mine],
        )

    def _place(self, segment: Placed, shift: int) -> tuple[str, int, int]:
        place = segment.first_row
        if not self.by_rows and self.axis:
            place = self.axis.tick(segment.index[0]) + shift
        return segment.content, segment.rows, place


def plan(old: Version, new: Version) -> DiffPlan:
    """What a comparison needs, told from configs alone. CurveError where a config contradicts its manifest."""
    for version in (old, new):
        if not version.config.segments or len(value_layers(version.manifest)) != len(version.config.segments):
            raise CurveError(f"{version.digest} is no curve: its config tells of other segments than its layers")
    a, b = old.config, new.config
    axis, same_index = common_axis(a.index, b.index), a.index.index_id == b.index.index_id
    if a.values_id == b.values_id:
        bare = DiffPlan(old, new, axis, by_rows=True, shifts=())
    elif same_index or (axis is None and a.rows == b.rows):
        bare = DiffPlan(old, new, axis, by_rows=True, shifts=(0,))
    else:
        bare = DiffPlan(old, new, axis, by_rows=False, shifts=shifts(a, b, axis) if axis else ())
    parts: list[tuple[Descriptor, ...]] = []
    for side, version in enumerate((old, new)):
        read = {at for shift in bare.shifts for at in bare.unmatched(shift)[side]}
        layers = [layer for at, layer in enumerate(value_layers(version.manifest)) if at in read]
        if version.config.index.regular is None and (not same_index or (layers and version is new)):
            layers += index_layers(version.manifest)
        parts.append(tuple(layers))
    return replace(bare, old_layers=parts[0], new_layers=parts[1])


def assemble(wanted: DiffPlan, blobs: Mapping[str, bytes], most: int = MOST_INTERVALS) -> CurveDiff:
    """The comparison. blobs: all of wanted.digests, each checked (ContentMismatch). most: intervals that are listed."""
    a, b = wanted.old.config, wanted.new.config
    new = _Side.read(wanted.new, wanted.new_layers, blobs)
    old = _Side.read(wanted.old, wanted.old_layers, blobs)
    old = replace(old, ticks=new.ticks) if a.index.index_id == b.index.index_id else old
    axis, both = wanted.axis, None
    if axis and old.ticks is not None and new.ticks is not None:
        both = axis.ticks(old.ticks, a.index), axis.ticks(new.ticks, b.index)
    tried = list(wanted.shifts)
    if tried and both and not wanted.by_rows and not same_steps(a.index, b.index):
        tried += [constant for constant in [constant_shift(*both)] if constant is not None and constant not in tried]
    found = min((_compare(wanted, shift, old, new, both) for shift in tried), key=_Found.differing, default=None)
    same = a.values_id == b.values_id
    if found is None:
        found = _Found.all(0 if same else a.rows, 0 if same else b.rows)
    header, index = header_changes(a, b), index_change(a, b, axis, both, None if same else found.shift)
    return CurveDiff(
        old=wanted.old.digest,
        new=wanted.new.digest,
        equal=not found.differing() and not header and not index,
        values_equal=not found.differing(),
        rows_old=a.rows,
        rows_new=b.rows,
        header=header,
        index=index,
        segments=_segments(a, b),
        new_bytes=new_bytes(wanted.old, wanted.new),
        **found.told(old, new, most),
    )


def new_bytes(old: Version | None, new: Version) -> int:
    """Bytes that a version brought: its manifest, and the config and layers that the old one does not name."""
    known = {part.digest for part in _parts(old)} if old else set()
    size = sum({part.digest: part.size for part in _parts(new) if part.digest not in known}.values())
    return size + (len(new.raw) if old is None or old.digest != new.digest else 0)


def _parts(version: Version) -> list[Descriptor]:
    config = version.manifest.config
    return [*version.manifest.layers, *([config] if config else [])]


def _segments(old: Config, new: Config) -> SegmentCounts:
    known = {segment.content for segment in old.segments}
    shared = sum(segment.content in known for segment in new.segments)
    return SegmentCounts(old=len(old.segments), new=len(new.segments), shared=shared)


@dataclass(frozen=True, eq=False)
class _Side:
    """What was read of one version: the ticks of all its rows where they are known, and segments by position."""

    config: Config
    ticks: Ticks | None
    parts: dict[int, Values]

    @classmethod
    def read(cls, version: Version, layers: Sequence[Descriptor], blobs: Mapping[str, bytes]) -> "_Side":
        config, parts = version.config, {}
        wanted = {layer.digest for layer in layers}
        for at, (layer, segment) in enumerate(zip(value_layers(version.manifest), config.segments, strict=True)):
            if layer.digest in wanted:
                parts[at] = _typed(decode_values(layer.check(blobs[layer.digest]), segment.rows), config, layer)
        ticks = regular_ticks(config.index)
        index = [layer for layer in index_layers(version.manifest) if layer.digest in wanted]
        if index:
            ticks = np.concatenate([index_ticks(decode_index(layer.check(blobs[layer.digest]))[1]) for layer in index])
        if ticks is not None and len(ticks) != config.rows:
            raise ContentMismatch(f"{version.digest} has {len(ticks)} index values for {config.rows} samples")
        return cls(config, ticks, parts)

    def gather(self, positions: Sequence[int]) -> tuple[Rows, Values]:
        """Row numbers and values of some segments."""
        if not positions:
            return np.empty(0, dtype=np.int64), pa.array([], pa.float32())
        segments = placed(self.config)
        chosen = [segments[at] for at in positions]
        rows = [np.arange(each.first_row, each.first_row + each.rows, dtype=np.int64) for each in chosen]
        return np.concatenate(rows), pa.concat_arrays([self.parts[at] for at in positions])

    def at(self, rows: Rows) -> Ticks:
        """The index values of some rows."""
        return rows if self.ticks is None else self.ticks[rows]


def _typed(values: Values, config: Config, layer: Descriptor) -> Values:
    """A layer's values in the type that the config says, since Parquet has no lists of fixed size."""
    try:
        return values.cast(arrow_type(config.dtype, config.width))
    except pa.ArrowException as error:
        wanted = config.dtype if config.width == 1 else f"{config.width} {config.dtype} a row"
        raise ContentMismatch(f"layer {layer.digest} holds {values.type}, not {wanted}") from error


@dataclass(frozen=True, eq=False)
class _Found:
    """Rows that differ under a shift: changed ones of both versions, removed of the old, added of the new."""

    shift: int
    old_rows: Rows
    new_rows: Rows
    removed: Rows
    added: Rows
    how: Changes | None  # of old_rows and new_rows, which are all changed

    @classmethod
    def all(cls, old: int, new: int) -> "_Found":
        """Where no index value of one means one of the other, all samples went and others came."""
        none = np.empty(0, dtype=np.int64)
        return cls(0, none, none, np.arange(old, dtype=np.int64), np.arange(new, dtype=np.int64), None)

    def differing(self) -> int:
        return len(self.new_rows) + len(self.removed) + len(self.added)

    def told(self, old: _Side, new: _Side, most: int) -> dict[str, Any]:
        """The fields of a CurveDiff that tell of samples."""
        amount = self.how.amount if self.how else np.empty(0)
        before, after = old.config.index.scale, new.config.index.scale
        listed, count = intervals(
            [
                runs("changed", after, new.at(self.new_rows), amount, self.old_rows, self.new_rows),
                runs("added", after, new.at(self.added), None, self.added),
                runs("removed", before, old.at(self.removed), None, self.removed),
            ],
            most,
        )
        peak = int(np.nanargmax(amount)) if self.how and self.how.count else None
        return {
            "largest": None if peak is None else figure(float(amount[peak])),
            "largest_at": None if peak is None else tick_text(int(new.at(self.new_rows[[peak]])[0]), after),
            "mean": figure(self.how.total / self.how.count) if self.how and self.how.count else None,
            "changed": len(self.new_rows),
            "added": len(self.added),
            "removed": len(self.removed),
            "nulled": int(self.how.nulled.sum()) if self.how else 0,
            "filled": int(self.how.filled.sum()) if self.how else 0,
            "intervals": listed,
            "interval_count": count,
        }


def _compare(wanted: DiffPlan, shift: int, old: _Side, new: _Side, both: tuple[Ticks, Ticks] | None) -> _Found:
    keep_old, keep_new = wanted.unmatched(shift)
    (a_rows, a_values), (b_rows, b_values) = old.gather(keep_old), new.gather(keep_new)
    if wanted.by_rows or both is None:
        mine, theirs = match(a_rows, b_rows)
    else:
        mine, theirs = match(both[0][a_rows] + shift, both[1][b_rows])
    removed, added = np.delete(a_rows, mine), np.delete(b_rows, theirs)
    if not len(mine):
        return _Found(shift, mine, theirs, removed, added, None)
    how = changes(a_values.take(mine), b_values.take(theirs))
    at = how.changed
    return _Found(shift, a_rows[mine[at]], b_rows[theirs[at]], removed, added, how.only())
