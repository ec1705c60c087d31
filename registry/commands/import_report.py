"""What an import tells at its end: a table for people, the same as JSON for machines."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from ...core.importing.discovery import Found
from ...core.importing.report import Counts, FileReport
from . import screen

_LISTED = 20
"""Findings that are shown; the report has all."""
_NAMED = 3
"""Wells that are named."""


@dataclass
class Outcome:
    """names: of all files, in order; files: reports in the order they were done. ended: none is missing among them."""

    registry: str
    project: str
    dry_run: bool
    found: Found
    names: list[str] = field(default_factory=list)
    files: list[FileReport] = field(default_factory=list)
    interrupted: bool = False
    ended: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def reports(self) -> list[FileReport]:
        """Of all files in the order they were given, then of what could not be found."""
        place = {name: number for number, name in enumerate(self.names)}
        reports = sorted(self.files, key=lambda report: place.get(report.file, 0))
        return reports + [FileReport(file=n, status="refused", reason=why) for n, why in self.found.problems.items()]

    @property
    def bad(self) -> list[FileReport]:
        """What was refused or failed."""
        return [report for report in self.reports if not report.done]

    @property
    def totals(self) -> Counts:
        """Over all that is there."""
        totals = Counts()
        for report in self.files:
            if report.done:
                totals.add(report)
        return totals

    def count(self, status: str) -> int:
        """Files of a status."""
        return sum(report.status == status for report in self.reports)

    def write(self, path: Path) -> None:
        """The report for machines; Failed where it cannot be written."""
        totals = self.totals
        body: dict[str, Any] = {
            "registry": self.registry,
            "project": self.project,
            "dry_run": self.dry_run,
            "interrupted": self.interrupted,
            **{status: self.count(status) for status in ("imported", "unchanged", "refused", "failed")},
            "skipped": self.found.skipped,
            "curves": totals.curves,
            "new_versions": totals.new,
            "samples": totals.samples,
            "bytes": totals.received,
            "bytes_sent": totals.sent,
            "blobs_sent": totals.blobs_sent,
            "blobs_reused": totals.blobs_reused,
            "seconds": round(time.monotonic() - self.started, 3),
            "wells": sorted(totals.wells),
            "frames": sorted(totals.frames),
            "files": [report.plain() for report in self.reports],
        }
        try:
            path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise screen.Failed(f"{path} cannot be written: {error.strerror}") from error


def show(outcome: Outcome) -> None:
    """What is wrong on standard error, a line each; then the table."""
    for report in outcome.bad:  # lines, not a table: paths and reasons are long
        typer.echo(f"dfr: {report.status}: {screen.plain(report.file)}: {screen.plain(report.reason)}", err=True)
    if not outcome.found.files:
        return
    console, totals = screen.console(), outcome.totals
    table = screen.table("", "")
    for name, value in _rows(outcome, totals):
        table.add_row(name, value)
    table.show_header = False
    console.print(table)
    findings = [f"{Path(report.file).name}: {found}" for report in outcome.files for found in report.findings]
    for finding in findings[:_LISTED]:
        console.print(f"found: {screen.plain(finding)}", markup=False)
    if len(findings) > _LISTED:
        console.print(f"found: and {len(findings) - _LISTED} more; --report has them all", markup=False)
    if outcome.interrupted:
        console.print("interrupted: the same command goes on from here", markup=False)


def _rows(outcome: Outcome, totals: Counts) -> Iterator[tuple[str, str]]:
    wells = sorted(totals.wells)
    names = ", ".join(wells[:_NAMED]) + (f" and {len(wells) - _NAMED} more" if len(wells) > _NAMED else "")
    if outcome.dry_run:
        yield "dry run", "nothing was sent; these figures are of what would be"
    yield "files", ", ".join(_files(outcome))
    yield "wells", names
    yield "frames", str(len(totals.frames))
    yield "curves", f"{totals.curves:,} ({totals.new:,} new versions)"
    yield "samples", f"{totals.samples:,}"
    yield "bytes in", f"{totals.received:,}"
    yield "bytes sent", f"{totals.sent:,}"
    yield "blobs sent", f"{totals.blobs_sent:,}"
    yield "blobs reused", f"{totals.blobs_reused:,}"
    yield "seconds", f"{time.monotonic() - outcome.started:.1f}"


def _files(outcome: Outcome) -> Iterator[str]:
    for status in ("imported", "unchanged", "refused", "failed"):
        if (number := outcome.count(status)) or status == "imported":
            yield f"{number} {status}"
    if outcome.found.skipped:
        yield f"{outcome.found.skipped} skipped that are no log files by their names"
