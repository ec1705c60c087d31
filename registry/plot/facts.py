"""What is said of a curve version in words: its header, statistics and where it came from."""

from ...core.curves import schema
from ...core.curves.artifact.placed import span
from ...core.curves.schema import Config
from ..client.history import Opened


def facts_of(curve: Opened) -> list[tuple[str, str]]:
    """Name and value, empty ones left out."""
    config = curve.version.config
    run = f"run {config.run}" if config.run else ""
    said = [
        ("curve", f"{curve.reference.repository}  {config.description}".strip()),
        ("version", f"{curve.reference.target}  {curve.version.digest}" if ":" not in curve.reference.target else ""),
        ("digest", str(curve.version.digest) if ":" in curve.reference.target else ""),
        ("well", _joined(config.well.name, config.well.uwi, config.well.field)),
        ("frame", _joined(config.frame, run if run != config.frame else "", config.service_company, config.acquired)),
        ("unit", _joined(config.unit or "none", config.family)),
        ("index", index_words(config)),
        ("samples", _samples(config)),
        ("values", _values(config)),
        ("stored", _stored(curve)),
    ]
    lineage = config.lineage
    if lineage:
        said.append(("made by", _joined(lineage.operation, lineage.message, lineage.tool)))
        said += [(each.role, each.ref) for each in lineage.inputs]
    parent = curve.version.manifest.annotations.get(schema.PARENT, "")
    if not any(value.endswith(f"@{parent}") for _, value in said):
        said.append(("parent", parent))
    if config.original:
        said.append(("from", _joined(config.original.file, config.original.format)))
        said += [("found", finding) for finding in config.original.findings]
    return [(name, value) for name, value in said if value]


def index_words(config: Config) -> str:
    """`MD 2587.0 to 9110.0 ft, step 0.5, recorded up`."""
    index, (first, last) = config.index, span(config)
    said = f"{index.kind} {first} to {last} {index.unit}".rstrip()
    step = f"step {index.regular.step}" if index.regular else "no constant step"
    return f"{said}, {step}, recorded {index.recorded_direction}"


def _samples(config: Config) -> str:
    wide = f" of {config.width}" if config.width > 1 else ""
    nulls = config.stats.nulls
    return f"{config.rows:,}{wide}, {f'{nulls:,}' if nulls else 'none'} absent, {config.dtype}"


def _values(config: Config) -> str:
    stats = config.stats
    if stats.min is None:
        return ""
    named = ("min", stats.min), ("p01", stats.p01), ("p50", stats.p50), ("p99", stats.p99), ("max", stats.max)
    spread = [("mean", stats.mean), ("std", stats.std)]
    return "  ".join(f"{name} {value:.6g}" for name, value in (*named, *spread) if value is not None)


def _stored(curve: Opened) -> str:
    layers = curve.version.manifest.layers
    return f"{sum(layer.size for layer in layers):,} bytes in {len(layers)} layers"


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)
