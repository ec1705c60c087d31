"""A LAS 2.0 header made from the configs of curves alone."""

from ..windows.aligned import Aligned
from .extent import Extent
from .las_layout import LINE, Layout, decimals_of, index_unit, moved_items, widths_of
from .las_lines import Labels, curve_line, header_line, index_line, null_of
from .texts import printed


def clean(first: Aligned, extent: Extent, up: bool) -> Layout:
    """A LAS 2.0 header from the configs alone; the first curve's says what is said of the well."""
    columns = printed(first)
    null = null_of(first, None)
    decimals = decimals_of(first, extent)
    widths = widths_of(columns, null, first, extent, decimals)
    wrapped = sum(width + 1 for width in widths) > LINE
    config = first.columns[0].config
    moved = moved_items(first, extent, up, decimals)
    unit = index_unit(first)
    well = [
        ("STRT", unit, moved["STRT"], "FIRST INDEX VALUE"),
        ("STOP", unit, moved["STOP"], "LAST INDEX VALUE"),
        ("STEP", unit, moved["STEP"], "STEP, 0 WHERE IT VARIES"),
        ("NULL", "", null, "NULL VALUE"),
        ("COMP", "", config.well.operator, "COMPANY"),
        ("WELL", "", config.well.name, "WELL"),
        ("FLD", "", config.well.field, "FIELD"),
        ("LOC", "", "", "LOCATION"),
        ("CTRY", "", config.well.country, "COUNTRY"),
        ("SRVC", "", config.service_company or "", "SERVICE COMPANY"),
        ("DATE", "", config.acquired or "", "LOG DATE"),
        ("UWI", "", config.well.uwi, "UNIQUE WELL ID"),
        ("API", "", config.well.api, "API NUMBER"),
    ]
    parameters = [("RUN", "", config.run or "", "RUN"), ("DREF", "", config.index.datum or "", "DEPTH REFERENCE")]
    labels = Labels()
    lines = [
        "~Version",
        header_line("VERS", "", "2.0", "CWLS LOG ASCII STANDARD - VERSION 2.0"),
        header_line("WRAP", "", "YES" if wrapped else "NO", "SEVERAL LINES A ROW" if wrapped else "ONE LINE A ROW"),
        "~Well",
        *(header_line(*item) for item in well),
        "~Curve",
        index_line(first, labels),
        *(curve_line(column, labels) for column in columns),
        "~Parameter",
        *(header_line(*item) for item in parameters if item[2]),
        *(("~Other", *first.notes) if first.notes else ()),
        "~A",
    ]
    order = (-1, *range(len(columns)))
    return Layout("\n".join(lines) + "\n", order, null, decimals, widths, wrapped=wrapped)
