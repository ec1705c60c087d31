"""What a curve's manifest claims against what its config claims: told without a byte of the layers."""

from ..oci import media
from ..oci.digest import Digest
from ..oci.errors import RegistryError
from . import schema
from .errors import CurveError
from .schema import Config, Manifest

_NOTES = (
    (schema.WELL, "well name"),
    (schema.MNEMONIC, "mnemonic"),
    (schema.UNIT, "unit"),
    (schema.VALUES_ID, "values_id"),
)
MAX_WIDTH = 1 << 20


def check_claims(manifest: Manifest, config: Config) -> None:
    """CurveError, in one line, for the first thing in which they differ."""
    if manifest.config is None or manifest.config.mediaType != media.CURVE_CONFIG:
        raise CurveError(f"the config of a curve has the media type {media.CURVE_CONFIG}")
    layers = [layer for layer in manifest.layers if layer.annotations.get(schema.ROLE) == "values"]
    index = [layer for layer in manifest.layers if layer.annotations.get(schema.ROLE) == "index"]
    if len(layers) + len(index) != len(manifest.layers):
        raise CurveError(f"each layer of a curve says in {schema.ROLE} whether it is index or values")
    if not index:
        raise CurveError("there is no index layer")
    if len(layers) != len(config.segments) or not layers:
        raise CurveError(f"the config lists {len(config.segments)} segments, the manifest {len(layers)} value layers")
    if not 1 <= config.width <= MAX_WIDTH:
        raise CurveError(f"width is {config.width}: it is from 1 to {MAX_WIDTH}")
    if any(layer.mediaType != media.PARQUET for layer in manifest.layers):
        raise CurveError(f"the layers of a curve have the media type {media.PARQUET}")
    titles = [layer.annotations.get(schema.TITLE, "") for layer in manifest.layers]
    if len(set(titles)) < len(titles):
        raise CurveError("two layers have one title: files of a curve have names of their own")
    _check_rows(layers, config)
    for digest in (config.values_id, config.index.index_id, *(part.content for part in config.segments)):
        _check_id(digest)
    said = (config.well.name, config.mnemonic, config.unit, config.values_id)
    for (note, what), true in zip(_NOTES, said, strict=True):
        if manifest.annotations.get(note, true) != true:
            raise CurveError(f"the manifest's {note} is {manifest.annotations[note]!r}, the config's {what} {true!r}")


def _check_rows(layers: list[schema.Descriptor], config: Config) -> None:
    first = 0
    for number, (layer, part) in enumerate(zip(layers, config.segments, strict=True)):
        rows = f"{part.first_row}/{part.first_row + part.rows}"
        if part.rows < 1 or part.first_row != first or not 0 <= part.nulls <= part.rows * config.width:
            raise CurveError(f"segment {number} of the config does not follow the one before it")
        if layer.annotations.get(schema.ROWS, rows) != rows:
            raise CurveError(f"value layer {number} says rows {layer.annotations[schema.ROWS]}, the config {rows}")
        span = "/".join(part.index)
        if len(part.index) != 2 or layer.annotations.get(schema.SPAN, span) != span:
            said = layer.annotations.get(schema.SPAN)
            raise CurveError(f"value layer {number} says index {said}, the config {span}")
        first += part.rows
    if config.stats.count != first * config.width or not 0 <= config.stats.nulls <= config.stats.count:
        raise CurveError(f"the segments hold {first} rows, the statistics {config.stats.count} samples")
    if sum(part.nulls for part in config.segments) != config.stats.nulls:
        raise CurveError("the absent samples of the segments are not those of the statistics")


def _check_id(digest: str) -> None:
    try:
        if Digest.parse(digest).algorithm == "sha256":
            return
    except RegistryError as error:
        raise CurveError(f"{digest[:100]!r} is no content id: {error.message}") from None
    raise CurveError(f"{digest!r} is no content id: they are SHA-256")
