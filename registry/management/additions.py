"""What there is of a curve beside its manifest: header, statistics and lineage, as its config says them."""

from typing import Any

import msgspec

from ...core.access import SYSTEM, Action
from ...core.cataloguing import MOST_CONFIG
from ...core.curves import schema
from ...core.curves.errors import CurveError
from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.errors import BlobUnknown, NotFound, Unsupported
from ...core.oci.manifest import parse
from ...core.records import inventory
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .operation import Call, Operation
from .places import ARTIFACT, artifact
from .shown import ADDITIONS

_NOT_HEADER = ("stats", "segments", "lineage", "chunking")


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        place, found = await artifact(conn, call)
        row = await inventory.get(conn, found.id)
    name, known = call.path["addition"].lower(), ADDITIONS.get(row["type"], ())
    if name not in known:
        have = f"; it has {', '.join(known)}" if known else ""
        raise NotFound(f"an artifact of type {row['type']} has no addition {name[:80]}{have}")
    local = LocalRepository(call.services.store, SYSTEM, place.name, call.actor)  # rights were asked
    return answer(_part(name, await _config(local, found.digest)))


async def _config(local: LocalRepository, digest: str) -> schema.Config:
    stored, raw, _ = await local.open_manifest(digest)
    config = parse(raw, stored.media_type, Digest(digest)).config
    if config is None or config.size > MOST_CONFIG:
        raise NotFound("the artifact has no config that could be read as a curve's")
    try:
        return schema.parse_config(await local.read_blob(config.digest))
    except BlobUnknown:
        raise NotFound("the curve's config is not in this repository") from None
    except CurveError as error:
        raise NotFound(f"the artifact's config is no curve's: {error}") from None


def _part(name: str, config: schema.Config) -> Any:
    whole: dict[str, Any] = msgspec.to_builtins(config)
    match name:
        case "statistics":
            return {name: whole[name] for name in ("mnemonic", "unit", "dtype")} | whole["stats"]
        case "lineage":
            return whole.get("lineage") or {}
        case _:
            return {name: value for name, value in whole.items() if name not in _NOT_HEADER}


async def _vulnerabilities(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        await artifact(conn, call)
    raise Unsupported("nothing scans artifacts in this registry, so there is no report of vulnerabilities")


OPERATIONS = (
    Operation(
        "GET",
        ARTIFACT + "/additions/vulnerabilities",
        "Always refused: nothing scans here",
        _vulnerabilities,
        needs=Action.ADDITION_READ,
    ),
    Operation(
        "GET",
        ARTIFACT + "/additions/{addition}",
        "Header, statistics or lineage of a curve",
        _get,
        result=dict[str, Any],
        needs=Action.ADDITION_READ,
    ),
)
