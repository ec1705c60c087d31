"""Judging curve artifacts of anybody against the format (docs/format.md section 10): findings, one line each.

What manifest and config say alone, cheap enough for each push; what only the bytes of the layers tell is judging.py's.
Pure functions; no finding is no objection.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise, zip_longest

from ...oci import media
from ...oci.digest import Digest
from ...oci.errors import RegistryError
from .. import schema
from ..artifact.layout import Layout, layout_notes
from ..artifact.placed import Placed, placed
from ..errors import CurveError
from ..names import is_segment, slug
from ..schema import Config, Descriptor, IndexHeader, Manifest
from ..ticks import parse_tick

_UNSAFE = re.compile(r"[\\\x00-\x1f\x7f]|(^|/)\.{0,2}(/|$)|(^|/)[A-Za-z]:")
_CREATED = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_MAX_TITLE = 1024
_ORDER = ("min", "p01", "p05", "p50", "p95", "p99", "max")
_NUL = b"\\u0000"


def check_manifest(manifest: bytes, config: bytes, repository: str | None = None) -> list[str]:
    """What is wrong with a curve version, told from its manifest and config alone; with its names, if the repository is
    given (`project/well/frame/curve`)."""
    try:
        claimed, claims = schema.parse_manifest(manifest, media.CURVE), schema.parse_config(config)
    except (CurveError, RegistryError) as error:
        return [str(error)]
    found = [*_bytes(claimed, manifest, config), *contradictions(claimed, claims)]
    return found + (check_names(claims, repository) if repository is not None else [])


def contradictions(manifest: Manifest, config: Config) -> list[str]:
    """What is wrong with a curve's manifest and config, each by itself and beside the other."""
    found = [*_documents(manifest), *_titles(manifest.layers), *_stats(config), *_annotations(manifest, config)]
    if config.index.scale is None and config.index.kind != "TIME":
        return [*found, f"an index of kind {config.index.kind} has a scale"]
    try:
        segments = placed(config)
        ticks = [parse_tick(text, config.index.scale) for segment in segments for text in segment.index]
    except CurveError as error:
        return [*found, str(error)]
    return [*found, *_segments(config, ticks), *_layers(manifest, config, segments)]


def check_names(config: Config, repository: str) -> list[str]:
    """Where a repository's name is not made of the true names in the config (docs/format.md section 7)."""
    segments = repository.split("/")
    if len(segments) != 4:
        return [f"a curve lies in PROJECT/WELL/FRAME/CURVE, not in {repository}"]
    found = []
    for kind, name, segment in zip(
        ("well", "frame", "curve"), (config.well.name, config.frame, config.mnemonic), segments[1:], strict=True
    ):
        if not is_segment(segment, name, kind):
            found.append(
                f"{repository} is of the {kind} {segment}; its config says {name!r}, which is {slug(name, kind)}"
            )
    return found


def check_title(title: str) -> str | None:
    """What is wrong with the name of a file that `oras pull` would write, or None: it stays in the target folder."""
    if not title:
        return "a layer has no title"
    if len(title) > _MAX_TITLE or _UNSAFE.search(title):
        return f"title {title[:80]!r} is no plain relative path"
    return None


def _bytes(claimed: Manifest, manifest: bytes, config: bytes) -> Iterator[str]:
    described = claimed.config
    if described and (described.size != len(config) or not _is_digest(described.digest, config)):
        yield f"the config is not the {described.size} bytes of {described.digest}"
    if _NUL in config or _NUL in manifest:
        yield "a text holds the character U+0000"


def _documents(manifest: Manifest) -> Iterator[str]:
    if manifest.mediaType not in ("", media.OCI_MANIFEST):
        yield f"mediaType is {manifest.mediaType}, not {media.OCI_MANIFEST}"
    if manifest.config is None:
        yield "the manifest has no config"
    elif manifest.config.mediaType != media.CURVE_CONFIG:
        yield f"the config's mediaType is {manifest.config.mediaType}, not {media.CURVE_CONFIG}"
    for layer in manifest.layers:
        if layer.mediaType != media.PARQUET:
            yield f"layer {layer.digest} has mediaType {layer.mediaType}, not {media.PARQUET}"


def _is_digest(digest: str, data: bytes) -> bool:
    try:
        return Digest.of(data, Digest.parse(digest).algorithm) == digest
    except RegistryError:
        return False


def _titles(layers: list[Descriptor]) -> Iterator[str]:
    seen: set[str] = set()
    for layer in layers:
        title = layer.annotations.get(schema.TITLE, "")
        wrong = check_title(title)
        if wrong:
            yield f"{wrong} (layer {layer.digest})"
        elif title.casefold() in seen:
            yield f"two layers are called {title}"
        seen.add(title.casefold())


def _layers(manifest: Manifest, config: Config, segments: tuple[Placed, ...]) -> Iterator[str]:
    """Whether the layers are those of the segments."""
    for key, due in layout_notes(config, segments).items():
        words = zip_longest(manifest.annotations.get(key, "").split(" "), due.split(" "))
        for number, (said, word) in enumerate(words, 1):
            if said != word:
                yield f"annotation {key} says {(said or 'nothing')[:40]} as its word {number}, the config {word}"
                return
    try:
        Layout.of(manifest)
    except CurveError as error:
        yield str(error)


def _segments(config: Config, ticks: list[Decimal]) -> Iterator[str]:
    """Spans ordered, counts that add up, one id where there is one segment. ticks: both ends of each segment."""
    if config.dtype == "utf8" and config.width != 1:
        yield f"texts have width 1, not {config.width}"
    for number, segment in enumerate(config.segments, 1):
        if segment.nulls > segment.rows * config.width:
            yield f"segment {number} has {segment.nulls} nulls in {segment.rows * config.width} values"
    if any(after < before for before, after in pairwise(ticks)):
        yield "the index spans of the segments do not ascend"
    yield from _regular(config.index, config.rows, ticks)


def _regular(index: IndexHeader, rows: int, ticks: list[Decimal]) -> Iterator[str]:
    if index.regular is None:
        return
    scale = index.scale
    try:
        start = parse_tick(index.regular.start, scale)
        step = parse_tick(index.regular.step, 6 if scale is None else scale)
    except CurveError as error:
        yield f"index.regular: {error}"
        return
    if index.regular.count != rows or start != ticks[0] or start + step * (rows - 1) != ticks[-1]:
        yield (
            f"index.regular says {index.regular.count} rows from {index.regular.start} by {index.regular.step}; "
            f"the segments have {rows} rows and other ends"
        )


def _limits(name: str, low: float | None, high: float | None) -> Iterator[str]:
    if (low is None) != (high is None) or (low is not None and high is not None and low > high):
        yield f"{name} has min {low} and max {high}"


def _stats(config: Config) -> Iterator[str]:
    stats = config.stats
    values = config.rows * config.width
    if stats.count != values:
        yield f"stats.count is {stats.count}; the segments have {values} values"
    nulls = sum(segment.nulls for segment in config.segments)
    if stats.nulls != nulls:
        yield f"stats.nulls is {stats.nulls}; the segments have {nulls}"
    yield from _limits("stats", stats.min, stats.max)
    given = [(name, value) for name in _ORDER if (value := getattr(stats, name)) is not None]
    for (name, value), (after, larger) in pairwise(given):
        if value > larger:
            yield f"stats.{name} {value} is above stats.{after} {larger}"
    if stats.std is not None and stats.std < 0:
        yield f"stats.std is {stats.std}"
    if stats.hist and (len(stats.hist) != 32 or sum(stats.hist) > values - nulls):
        yield f"stats.hist has {len(stats.hist)} bins of {sum(stats.hist)} samples, not 32 of at most {values - nulls}"
    if config.dtype == "utf8" and (given or stats.hist or stats.mean is not None):
        yield "texts have no statistics but count and nulls"


def _annotations(manifest: Manifest, config: Config) -> Iterator[str]:
    """What the manifest repeats of the config says the same."""
    notes = manifest.annotations
    for key, said in (
        (schema.WELL, config.well.name),
        (schema.UWI, config.well.uwi),
        (schema.FRAME, config.frame),
        (schema.MNEMONIC, config.mnemonic),
        (schema.UNIT, config.unit),
        (schema.FAMILY, config.family or ""),
        (schema.VALUES_ID, config.values_id),
    ):
        if notes.get(key, said) != said:
            yield f"annotation {key} is {notes[key]!r}, the config says {said!r}"
    if schema.CREATED in notes and not _CREATED.fullmatch(notes[schema.CREATED]):
        yield f"annotation {schema.CREATED} is {notes[schema.CREATED]!r}, no time of RFC 3339"
    if schema.PARENT in notes and not _reads_as_digest(notes[schema.PARENT]):
        yield f"annotation {schema.PARENT} is {notes[schema.PARENT]!r}, no digest"


def _reads_as_digest(text: str) -> bool:
    try:
        return bool(Digest.parse(text))
    except RegistryError:
        return False
