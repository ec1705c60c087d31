"""How manifests leave: each by a PUT of its own, or, to a registry of ours that says so, with all that wait.

While one message is under way, the pushes that come wait for the next (core/batch.py): nothing is held back, and a
slow way makes longer messages.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import msgspec

from ...core.batch import Batch
from ...core.oci import media
from ...core.oci.bundle import bundled
from ...core.oci.digest import Digest
from ...core.oci.errors import RegistryError, Unavailable
from ...core.oci.pushes import PUSHES, ROOM, ManifestPush, Pushes, PushResult, PushResults
from .answer import Answer
from .transport import Transport

TOGETHER = "Dataforge-Api-Version"
"""The header of the version check by which a registry says that it takes many pushes at once."""
_PATH = "/api/v1/pushes"


@dataclass(frozen=True, eq=False, kw_only=True)
class Push:
    """A manifest for a repository, under all tags or none. match: the digest that they must name now; none: there must
    be no such tags; along: tags that go with them wherever they stand; blobs: small ones of it, which travel along."""

    repository: str
    raw: bytes = field(repr=False)
    media_type: str
    tags: Sequence[str]
    match: str | None = None
    none: bool = False
    along: Sequence[str] = ()
    numbered: bool = False
    blobs: Sequence[bytes] = field(default=(), repr=False)


class Way:
    """The pushes of one registry. `together`: many in one request; until the version check has told, each alone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._batch: Batch[None, Push, list[str]] = Batch(nullcontext, self._send_all)
        self.together = False

    async def put(self, push: Push) -> list[str]:
        """The tags that the registry says it has set, as far as it says; the RegistryError that says why not."""
        return await (self._batch.get(push) if self.together else self._put(push))

    async def _put(self, push: Push) -> list[str]:
        """end-7, end-7b."""
        raw, headers = push.raw, {"Content-Type": push.media_type}
        if push.blobs:
            raw, headers["Content-Type"] = bundled(push.media_type, raw, push.blobs), media.BUNDLE
        if push.match is not None:
            headers["If-Match"] = f'"{push.match}"'
        if push.none:
            headers["If-None-Match"] = "*"
        one = push.numbered or len(push.tags) == 1
        reference: str = push.tags[0] if one else Digest.of(push.raw)
        query = [("version", "next")] if push.numbered else []
        query += [("tag", tag) for tag in push.tags[one:]] + [("along", tag) for tag in push.along]
        path = f"/v2/{push.repository}/manifests/{quote(reference, safe=':')}"
        answer = await self._transport.request(
            "PUT", path, push.repository, query=query, headers=headers, data=raw, expect=(201,)
        )
        return [unquote(name.strip()) for name in answer.headers.get("Oci-Tag", "").split(",")]

    async def _send_all(self, _: None, pushes: Sequence[Push]) -> list[list[str] | Exception]:
        told: list[list[str] | Exception] = []
        for message in _messages(pushes):
            try:
                told += await self._send(message)
            except RegistryError as error:
                told += [error] * len(message)
        return told

    async def _send(self, pushes: Sequence[Push]) -> list[list[str] | Exception]:
        body, headers = msgspec.msgpack.encode(_body(pushes), enc_hook=str), {"Content-Type": media.PUSHES}
        answer = await self._transport.request("POST", _PATH, pushes[0].repository, headers=headers, data=body)
        try:
            results = msgspec.json.decode(answer.body, type=PushResults).results
        except msgspec.DecodeError:
            results = []
        if len(results) != len(pushes):
            raise Unavailable(f"{self._transport.base} answers pushes with something else; is a proxy in between?")
        return [_told(push, result) for push, result in zip(pushes, results, strict=True)]


def _messages(pushes: Sequence[Push]) -> list[list[Push]]:
    """As few as their sizes allow."""
    messages: list[list[Push]] = []
    room = 0
    for push in pushes:
        size = len(push.raw) + sum(map(len, push.blobs))
        if not messages or size > room or len(messages[-1]) == PUSHES:
            messages.append([])
            room = ROOM
        messages[-1].append(push)
        room -= size
    return messages


def _body(pushes: Sequence[Push]) -> Pushes:
    places: dict[bytes, int] = {}
    for push in pushes:
        for blob in push.blobs:
            places.setdefault(blob, len(places))
    return Pushes([_plain(push, places) for push in pushes], list(places))


def _plain(push: Push, places: Mapping[bytes, int]) -> ManifestPush:
    return ManifestPush(
        repository=push.repository,
        media_type=push.media_type,
        manifest=push.raw,
        tags=list(push.tags),
        along=list(push.along),
        match=push.match,
        none=push.none,
        numbered=push.numbered,
        blobs=[places[blob] for blob in dict.fromkeys(push.blobs)],
    )


def _told(push: Push, result: PushResult) -> list[str] | Exception:
    if result.status == 201:
        return result.tags
    body = msgspec.json.encode({"errors": result.errors})
    return Answer(result.status, {}, body).error("PUT", f"/v2/{push.repository}/manifests/{push.tags[0]}")
