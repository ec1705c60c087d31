"""The config of a curve version: everything that is said of a curve, beside its values."""

from . import schema
from .content import Samples
from .errors import CurveError
from .families import canonical_unit, family_of
from .model import Curve, Frame, Index, tick_text
from .origin import Well
from .schema import Config, Lineage
from .segments import ALGORITHM, Span
from .stats import stats_of


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
        wellbore=frame.wellbore,
        frame=frame.name,
        run=frame.run,
        pass_=frame.pass_,
        service_company=frame.service_company,
        acquired=frame.acquired,
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
            kind=index.kind,
            mnemonic=index.mnemonic,
            unit=index.unit,
            unit_original=index.unit_original,
            scale=index.scale,
            regular=regular,
            recorded_direction=index.direction,
            datum=index.datum,
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


def _check_names(frame: Frame, curve: Curve) -> None:
    names = {"well": frame.well.name, "frame": frame.name, "curve": curve.mnemonic}
    for kind, name in names.items():
        if not 0 < len(name) <= schema.MAX_NAME or "\0" in name:
            said = repr(name[:40]) + ("..." if len(name) > 40 else "")
            raise CurveError(f"a {kind} is called {said}: names have 1 to {schema.MAX_NAME} characters and no NUL")


def _well(well: Well) -> schema.WellHeader:
    return schema.WellHeader(
        name=well.name,
        uwi=well.uwi,
        aliases=list(well.aliases),
        operator=well.operator,
        api=well.api,
        country=well.country,
        field=well.field,
        latitude=well.latitude,
        longitude=well.longitude,
    )


def _segment(index: Index, span: Span, part: Samples, regular: bool) -> schema.SegmentHeader:
    return schema.SegmentHeader(
        content=part.content_id,
        rows=len(span),
        index=None if regular else [index.text(span.start), index.text(span.stop - 1)],
        nulls=part.nulls,
    )
