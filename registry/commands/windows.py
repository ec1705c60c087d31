"""The options of commands that read windows of curves."""

from pathlib import Path
from typing import Annotated

import typer

Refs = Annotated[
    list[str], typer.Argument(metavar="REF", help="PROJECT/WELL[/FRAME[/CURVE]][:TAG|@DIGEST], one or more.")
]
Start = Annotated[str | None, typer.Option("--from", help="First depth or time, included, in --unit.", metavar="A")]
Stop = Annotated[str | None, typer.Option("--to", help="Last depth or time, included, in --unit.", metavar="B")]
Step = Annotated[
    str | None,
    typer.Option(help="A regular grid of this step: numbers interpolated, never over gaps.", metavar="STEP"),
]
Unit = Annotated[str | None, typer.Option(help="Unit of the index, m or ft or s ...; else its own.", metavar="UNIT")]
At = Annotated[
    str | None, typer.Option("--at", help="As the tags of wells and curves were then (ISO 8601).", metavar="TIME")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="A file to write instead of the screen.")]
FormatName = Annotated[
    str, typer.Option("--format", help="las, csv, parquet, arrow, json, jwlf or dlis.", metavar="FORMAT")
]
