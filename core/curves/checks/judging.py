"""What the bytes of a curve's layers say of the claims of its config. For a process with limits (core/sandbox.py).

Every content id is made again from the values, so that what passes here may be named by others instead of sent.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from ...oci import media
from ...oci.digest import Digest
from .. import schema
from ..artifact.decode import decode_index, decode_values
from ..artifact.layout import index_layers
from ..artifact.parquet import index_ticks, scale_of
from ..artifact.placed import placed
from ..artifact.stats import extremes, stats_of
from ..content import Samples, index_id
from ..dtypes import elements_of
from ..errors import CurveError
from ..model import Index, Values, parse_tick
from ..schema import Config, Descriptor, Stats

MOST_FINDINGS = 20
_CLOSE = 1e-6


class Judged(msgspec.Struct):
    """What was found: one line for each claim that does not hold (none: the version is good), and the pairs
    (content id in hex, blob digest) that do."""

    findings: list[str]
    verified: list[tuple[str, str]]


def check_layers(manifest: bytes, config: bytes, fetch: Callable[[str], bytes]) -> list[str]:
    """What only the bytes of a version's layers tell, which fetch(digest) gives, checked against their digests.

    manifest and config are those that verify.check_manifest finds nothing wrong with. Not for a server's own process.
    """
    layers = schema.parse_manifest(manifest, media.CURVE).layers
    try:
        blobs = [manifest, config, *(layer.check(fetch(layer.digest)) for layer in layers)]
    except CurveError as error:
        return [str(error)]
    judged, _ = judge(None, blobs)
    findings: list[str] = judged["findings"]
    return findings


def judge(_: Any, blobs: list[bytes]) -> tuple[Any, Sequence[bytes]]:
    """Of manifest, config and then the bytes of each layer, in the manifest's order: a Judged, as builtins."""
    manifest, config = schema.parse_manifest(blobs[0], media.CURVE), schema.parse_config(blobs[1])
    contents = list(zip(manifest.layers, blobs[2:], strict=True))
    found, first = Judged([], []), len(index_layers(manifest))
    _judge_index(config, contents[:first], found.findings)
    _judge_values(config, contents[first:], found)
    found.findings = found.findings[:MOST_FINDINGS]
    return msgspec.to_builtins(found), []


def _judge_index(config: Config, layers: list[tuple[Descriptor, bytes]], findings: list[str]) -> None:
    parts: list[Values] = []
    for layer, data in layers:
        try:
            parts.append(decode_index(data)[1])
        except CurveError as error:
            findings.append(f"index layer {_title(layer)}: {error}")
            return
    if len({part.type for part in parts}) > 1:
        findings.append("the index layers hold different types")
        return
    scale, header = scale_of(parts[0]), config.index
    ticks = np.concatenate([index_ticks(part) for part in parts])
    if scale != header.scale:
        findings.append(f"the index layer has {scale} decimals, the config says {header.scale}")
        return
    try:
        content = index_id(Index(header.kind, header.mnemonic, header.unit, header.unit_original, ticks, scale))
    except CurveError as error:
        findings.append(f"the index: {error}")
        return
    if len(ticks) != config.rows:
        findings.append(f"the index layers hold {len(ticks)} rows, the config {config.rows}")
        return
    if content != header.index_id:
        findings.append(f"the index has the content id {content}, the config says {header.index_id}")
    if header.regular is not None:
        step = int(parse_tick(header.regular.step, 6 if scale is None else scale))
        if np.any(np.diff(ticks) != step):
            findings.append(f"the index does not move by {header.regular.step} everywhere")
    for number, part in enumerate(placed(config)):
        ends = (ticks[part.first_row], ticks[part.first_row + part.rows - 1])
        if any(parse_tick(text, scale) != int(tick) for text, tick in zip(part.index, ends, strict=True)):
            findings.append(f"segment {number} does not run from {part.index[0]} to {part.index[1]} on the index")


def _judge_values(config: Config, layers: list[tuple[Descriptor, bytes]], found: Judged) -> None:
    parts: list[Values] = []
    for number, ((layer, data), claim) in enumerate(zip(layers, config.segments, strict=True)):
        try:
            values = decode_values(data, claim.rows)
            samples = Samples.of(values)
        except CurveError as error:
            found.findings.append(f"value layer {number} ({_title(layer)}): {error}")
            continue
        parts.append(values)
        if (samples.dtype, samples.width) != (config.dtype, config.width):
            held = f"{samples.dtype} of width {samples.width}"
            found.findings.append(
                f"value layer {number} holds {held}, the config says {config.dtype} of {config.width}"
            )
        elif samples.content_id != claim.content:
            found.findings.append(f"value layer {number} has the content id {samples.content_id}, not {claim.content}")
        else:
            found.verified.append((Digest(claim.content).hex, layer.digest))
            if nan := samples.nulls - elements_of(values).null_count:
                found.findings.append(f"value layer {number} has NaN in {nan} places: absent values are null")
            if samples.nulls != claim.nulls:
                found.findings.append(f"value layer {number} has {samples.nulls} nulls, its segment says {claim.nulls}")
    if len(parts) == len(layers) and len({part.type for part in parts}) == 1:
        _judge_whole(config, Samples.of(pa.concat_arrays(parts)), found.findings)


def _judge_whole(config: Config, samples: Samples, findings: list[str]) -> None:
    stats = config.stats
    if samples.content_id != config.values_id:
        findings.append(f"the values have the content id {samples.content_id}, the config says {config.values_id}")
    if samples.nulls != stats.nulls or not _alike(samples, extremes(samples), (stats.min, stats.max)):
        findings.append("the statistics have other extremes or absences than the values")
    else:
        findings.extend(_other_statistics(samples, stats, stats_of(samples)))


def _other_statistics(samples: Samples, said: Stats, true: Stats) -> Iterator[str]:
    """What the statistics say else, of what they say."""
    near = _CLOSE * max(abs(true.min or 0), abs(true.max or 0))
    for name, claimed, value in (("mean", said.mean, true.mean), ("std", said.std, true.std)):
        if claimed is not None and (value is None or abs(claimed - value) > near):
            yield f"the {name} of the values is {_figure(value)}, the statistics say {claimed:.9g}"
    for name in ("p01", "p05", "p50", "p95", "p99"):
        claimed, value = getattr(said, name), getattr(true, name)
        if claimed is not None and not _alike(samples, (value,), (claimed,)):
            yield f"{name} of the values is {_figure(value)}, the statistics say {claimed:.9g}"
    # a sample at the edge of a bin may fall to either side by how the edge was reckoned
    strays = sum(abs(one - other) for one, other in zip(said.hist, true.hist, strict=False))
    if said.hist and (len(said.hist) != len(true.hist) or strays > 2 + sum(true.hist) // 50):
        yield "the histogram is not that of the values"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g}"


def _alike(samples: Samples, true: Sequence[float | None], said: Sequence[float | None]) -> bool:
    """Equal as values of the curve: a float32 may be written with its own digits or as the float64 it becomes."""
    if samples.numbers is None or None in said:
        return list(true) == list(said)
    kind = samples.numbers.dtype.type if samples.numbers.dtype.kind == "f" else np.float64
    return list(map(kind, true)) == list(map(kind, said))


def _title(layer: Descriptor) -> str:
    return layer.annotations.get(schema.TITLE, layer.digest)
