"""Curves as files that any Parquet reader opens by range: GET and HEAD /api/v1/files/..."""

import msgspec

from ...core.curves.artifact.joined import WRITER, joined_file
from ...core.curves.artifact.read import plan
from ...core.curves.names import LATEST, Reference
from ...core.oci.errors import ManifestUnknown, QueryInvalid
from ...core.oci.media import PARQUET
from ..endpoint import Endpoint
from ..ranges import parse_range
from ..v2.answer import Answer, Request
from ..v2.conditional import not_modified, wanted_range
from .call import Call, Services
from .opened import OpenedCurve, open_curve
from .times import At

SUFFIX = ".parquet"
IMMUTABLE, REVALIDATE = "private, max-age=31536000, immutable", "private, no-cache"
STATUSES = {
    206: "The range that was asked for.",
    304: "The file is still the one that If-None-Match names.",
    416: "No byte of the range lies in the file.",
}


async def file_answer(
    request: Request, services: Services, curve: OpenedCurve, name: str, fixed: bool, headers: dict[str, str]
) -> Answer:
    """A curve version as one file. fixed: the address names this version for ever.

    A pull is counted where the end of the file is sent: readers of Parquet read it once, by whatever ranges.
    """
    tag = f"{curve.digest}.{WRITER}"
    headers = {
        "content-type": PARQUET,
        "etag": f'"{tag}"',
        "accept-ranges": "bytes",
        "cache-control": IMMUTABLE if fixed else REVALIDATE,
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
        **headers,
    }
    if not_modified(request, tag):
        return Answer(304, headers)
    file = await services.files.get(tag, lambda: _make(services, curve))
    spans = [] if request.method == "HEAD" else parse_range(wanted_range(request, tag), file.size)
    start, stop = (spans[0].start, spans[0].stop) if len(spans) == 1 else (0, file.size)
    headers["content-length"] = str(stop - start)
    if len(spans) == 1:  # of several ranges the whole: no reader of Parquet asks for such
        headers["content-range"] = spans[0].content_range
    if request.method != "HEAD" and stop == file.size:
        curve.count()
    return Answer(206 if len(spans) == 1 else 200, headers, file.read(start, stop))


async def _make(services: Services, curve: OpenedCurve) -> bytes:
    if curve.size > services.file_limit:
        raise QueryInvalid(
            f"the curve holds {curve.size} bytes, and files are made of up to {services.file_limit}: "
            "read windows of it, /api/v1/curves/.../data?from=&to="
        )
    layers = await curve.blobs([curve.config_digest, *plan(curve.manifest).digests])
    _, (content,) = await services.sandbox.run(joined_file, blobs=[curve.raw, *layers])
    return content


def file_name(reference: Reference) -> str:
    """What a browser saves it as: only letters, digits, dots, dashes and lines come in."""
    target = reference.target.rpartition(":")[2][:12] if ":" in reference.target else reference.target
    return f"{'_'.join([*reference.segments[1:], target])}{SUFFIX}"


class FileQuery(msgspec.Struct, frozen=True):
    """Which version."""

    at: At = None


async def _answer(call: Call[FileQuery]) -> Answer:
    path = call.path
    if not path["file"].endswith(SUFFIX):
        raise ManifestUnknown(f"files here end in {SUFFIX}: CURVE{SUFFIX} or CURVE@TAG{SUFFIX}")
    stem = path["file"].removesuffix(SUFFIX)
    reference = Reference.parse("/".join([path["project"], path["well"], path["frame"], stem]))
    curve = await open_curve(call, reference, call.query.at)
    fixed = ":" in reference.target
    return await file_answer(call.request, call.services, curve, file_name(reference), fixed, {})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/files/{project}/{well}/{frame}/{file}",
        f"A curve as one Parquet file, read by ranges. file: CURVE{SUFFIX} ({LATEST}), CURVE@TAG{SUFFIX}, "
        f"CURVE:TAG{SUFFIX} or CURVE@sha256:HEX{SUFFIX}",
        _answer,
        query=FileQuery,
        produces=(PARQUET,),
        statuses=STATUSES,
    ),
)
