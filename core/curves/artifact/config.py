"""The config of a curve version: everything that is said of a curve, beside its values; and back."""

from dataclasses import fields

from .. import schema
from ..content import Samples
from ..errors import CurveError
from ..families import canonical_unit, family_of
from ..model import Curve, Frame, Index, Ticks, tick_text
from ..origin import Original, Well
from ..schema import Config, Lineage
from .segments import ALGORITHM, Span
from .stats import stats_of

_WELL = [field.name for field in fields(Well) if field.name != "aliases"]
_INDEX = ("kind", "mnemonic", "unit", "unit_original", "scale", "datum")
_RUN = ("run", "wellbore", "pass_", "service_company", "acquired")


def config_of(
    frame: Frame,
    curve: Curve,
    index_id: str,
    samples: Samples,
    parts: list[tuple[Span, Samples]],
    avg: int,
    lineage: Lineage | None,
) -> Config:
    """Of a curve cut into parts of avg rows on average, on an index with that content id."""
    _check_names(frame, curve)
    index, original = frame.index, frame.original
    regular = None
    if index.step is not None:
        step = tick_text(index.step, index.scale if index.scale is not None else 6)  # times: seconds
        regular = schema.Regular(start=index.text(0), step=step, count=len(index))
    return Config(
        schema=1,
        well=_well(frame.well),
        frame=frame.name,
        **{name: getattr(frame, name) for name in _RUN},
        mnemonic=curve.mnemonic,
        description=curve.description,
        family=family_of(curve.mnemonic),
        unit=curve.unit,
        unit_canonical=canonical_unit(curve.unit),
        dtype=samples.dtype,
        width=samples.width,
        null_original=curve.null_original,
        text_decimals=curve.text_decimals,
        index=schema.IndexHeader(
            **{name: getattr(index, name) for name in _INDEX},
            regular=regular,
            recorded_direction=index.direction,
            index_id=index_id,
        ),
        values_id=parts[0][1].content_id if len(parts) == 1 else samples.content_id,
        chunking=schema.Chunking(algorithm=ALGORITHM, avg=avg),
        stats=stats_of(samples),
        segments=[_segment(index, span, part, regular is not None) for span, part in parts],
        lineage=lineage,
        original=schema.OriginalHeader(
            file=original.file,
            format=original.format,
            sha256=original.sha256,
            header={"~C": curve.definition},
            findings=list(original.findings),
        )
        if original
        else None,
    )


def index_of(header: schema.IndexHeader, ticks: Ticks) -> Index:
    """Ticks as an index like another."""
    return Index(**{name: getattr(header, name) for name in _INDEX}, ticks=ticks, direction=header.recorded_direction)


def frame_of(config: Config, index: Index, curve: Curve) -> Frame:
    """A frame of one curve, in the well and run of another."""
    original = config.original
    return Frame(
        well=well_of(config.well),
        name=config.frame,
        index=index,
        curves=(curve,),
        original=Original(original.file, original.format, original.sha256, tuple(original.findings))
        if original
        else None,
        **{name: getattr(config, name) for name in _RUN},
    )


def _check_names(frame: Frame, curve: Curve) -> None:
    names = {"well": frame.well.name, "frame": frame.name, "curve": curve.mnemonic}
    for kind, name in names.items():
        if not 0 < len(name) <= schema.MAX_NAME or "\0" in name:
            said = repr(name[:40]) + ("..." if len(name) > 40 else "")
            raise CurveError(f"a {kind} is called {said}: names have 1 to {schema.MAX_NAME} characters and no NUL")


def _well(well: Well) -> schema.WellHeader:
    return schema.WellHeader(**{name: getattr(well, name) for name in _WELL}, aliases=list(well.aliases))


def well_of(header: schema.WellHeader) -> Well:
    """The well that a config tells of."""
    return Well(**{name: getattr(header, name) for name in _WELL}, aliases=tuple(header.aliases))


def _segment(index: Index, span: Span, part: Samples, regular: bool) -> schema.SegmentHeader:
    return schema.SegmentHeader(
        content=part.content_id,
        rows=len(span),
        index=None if regular else [index.text(span.start), index.text(span.stop - 1)],
        nulls=part.nulls,
    )
