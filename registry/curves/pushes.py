"""POST /api/v1/pushes: manifests for any repositories with their small blobs, in one request.

Each is what a PUT of it alone would be, by the same code: rights, quota, immutable tags, holds, audit and catalogue.
One that is refused leaves the others be. What they have in common is done once, since they wait for it together.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from ...core.access import ANONYMOUS
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import QueryInvalid, RegistryError, Unauthorized, Unavailable
from ...core.oci.names import check_repository, check_tag
from ...core.oci.pushes import LONGEST, ManifestPush, PushError, Pushes, PushResult, PushResults
from ...core.records.artifacts import Precondition
from ..endpoint import Endpoint, NoQuery, answer
from ..errors import error_answer
from ..v2.answer import Answer
from .call import Call


class _Errors(msgspec.Struct):
    errors: list[PushError]


async def _push(call: Call[NoQuery]) -> Answer:
    if call.principal == ANONYMOUS:
        raise Unauthorized("sign in to push")
    wanted: Pushes = call.body
    if any(place >= len(wanted.blobs) for push in wanted.pushes for place in push.blobs):
        raise QueryInvalid(f"a push names a blob beyond the {len(wanted.blobs)} that came")
    blobs = [(Digest.of(blob), blob) for blob in wanted.blobs]
    told = await asyncio.gather(*(_one(call, push, blobs) for push in wanted.pushes), return_exceptions=True)
    if errors := [each for each in told if isinstance(each, BaseException)]:
        raise errors[0]
    return answer(PushResults([each for each in told if isinstance(each, PushResult)]))


async def _one(call: Call[NoQuery], push: ManifestPush, blobs: Sequence[tuple[Digest, bytes]]) -> PushResult:
    try:
        repository = call.repository(check_repository(push.repository))
        tags = [check_tag(tag) for tag in dict.fromkeys((*push.tags, *push.along))]
        along = tuple(tag for tag in push.along if tag not in push.tags)
        expected = Precondition(push.match, push.none, along)
        manifest, pushed = await repository.push_whole(
            push.manifest, push.media_type, dict(blobs[place] for place in push.blobs), tags, expected, push.numbered
        )
    except (Unauthorized, Unavailable):  # the whole request is sent again: with other credentials, or later
        raise
    except RegistryError as error:
        told = error_answer(error)
        assert isinstance(told.body, bytes)
        return PushResult(told.status, errors=msgspec.json.decode(told.body, type=_Errors).errors)
    numbers = [f"v{pushed.version}"] if push.numbered else []
    return PushResult(201, manifest.digest, list(dict.fromkeys([*tags, *numbers])))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/pushes",
        "Push manifests with their small blobs, each as a PUT of it would",
        _push,
        body=Pushes,
        takes=media.PUSHES,
        most=LONGEST,
        result=PushResults,
    ),
)
