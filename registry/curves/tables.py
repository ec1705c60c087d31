"""The tables a project extends: GET and PUT /api/v1/projects/{project}/mnemonics and /units."""

from typing import Annotated, Any

import msgspec

from ...core.access import Action
from ...core.curves.names import checked_project, normal
from ...core.oci.errors import QueryInvalid
from ...core.records import catalog_tables
from ...core.records.catalog_tables import MOST
from ..endpoint import Endpoint, NoQuery, answer
from ..v2.answer import Answer
from .call import Call

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class MnemonicRow(msgspec.Struct, frozen=True):
    """A mnemonic's family, of one service company or of any. own: the project's, else it is for all."""

    mnemonic: Word
    family: Word
    service_company: Word | None = None
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 0
    own: bool = True


class Mnemonics(msgspec.Struct, frozen=True):
    """A PUT replaces the project's own rows; others in it are left out. They count for what is pushed from then on, and
    for what is there already once `dfr reindex` has run."""

    mnemonics: Annotated[list[MnemonicRow], msgspec.Meta(max_length=MOST)]


class UnitRow(msgspec.Struct, frozen=True):
    """A spelling's unit, of one family or of any: value in unit = value * factor + offset."""

    spelling: Word
    unit: Word
    family: Word | None = None
    factor: float = 1.0
    offset: float = 0.0
    own: bool = True


class Units(msgspec.Struct, frozen=True):
    """As Mnemonics."""

    units: Annotated[list[UnitRow], msgspec.Meta(max_length=MOST)]


async def _project(call: Call[Any], action: Action) -> int:
    rights = await call.require(action, checked_project(call.path["project"]))
    assert rights.project_id is not None
    return rights.project_id


async def _mnemonics(call: Call[NoQuery]) -> Answer:
    return await _shown_mnemonics(call, await _project(call, Action.PULL))


async def _shown_mnemonics(call: Call[NoQuery], project_id: int) -> Answer:
    rows = await catalog_tables.mnemonics(call.services.store.database, project_id)
    return answer(
        Mnemonics(
            [
                MnemonicRow(row["mnemonic"], row["family"], row["service_company"], row["priority"], row["own"])
                for row in rows
            ]
        )
    )


async def _put_mnemonics(call: Call[NoQuery]) -> Answer:
    project_id = await _project(call, Action.PUSH)
    given: list[MnemonicRow] = [row for row in call.body.mnemonics if row.own]
    _plain(text for row in given for text in (row.mnemonic, row.family, row.service_company or ""))
    for row in given:
        if not normal(row.mnemonic):
            raise QueryInvalid(f"{row.mnemonic!r} is no mnemonic: it has neither letters nor digits")
    rows = [(row.mnemonic, row.service_company, row.family, row.priority) for row in given]
    await catalog_tables.put_mnemonics(call.services.store.database, call.principal, project_id, rows, **_caller(call))
    return await _shown_mnemonics(call, project_id)


async def _units(call: Call[NoQuery]) -> Answer:
    return await _shown_units(call, await _project(call, Action.PULL))


async def _shown_units(call: Call[NoQuery], project_id: int) -> Answer:
    rows = await catalog_tables.units(call.services.store.database, project_id)
    shown = ("spelling", "unit", "family", "factor", "offset_", "own")
    return answer(Units([UnitRow(*(row[name] for name in shown)) for row in rows]))


async def _put_units(call: Call[NoQuery]) -> Answer:
    project_id = await _project(call, Action.PUSH)
    given: list[UnitRow] = [row for row in call.body.units if row.own]
    _plain(text for row in given for text in (row.spelling, row.unit, row.family or ""))
    if any(row.factor == 0 for row in given):
        raise QueryInvalid("a factor is not 0")
    rows = [(row.spelling, row.family, row.unit, row.factor, row.offset) for row in given]
    await catalog_tables.put_units(call.services.store.database, call.principal, project_id, rows, **_caller(call))
    return await _shown_units(call, project_id)


def _plain(texts: Any) -> None:
    """QueryInvalid for what the database can hold in no text."""
    if any("\0" in text or any("\ud800" <= char <= "\udfff" for char in text) for text in texts):
        raise QueryInvalid("texts hold no NUL and no half of a surrogate pair")


def _caller(call: Call[Any]) -> dict[str, str]:
    return {"address": call.actor.address, "request_id": call.actor.request_id}


_MNEMONICS, _UNITS = "/projects/{project}/mnemonics", "/projects/{project}/units"
ENDPOINTS = (
    Endpoint("GET", _MNEMONICS, "Families of mnemonics", _mnemonics, result=Mnemonics),
    Endpoint(
        "PUT",
        _MNEMONICS,
        "Replace the project's own, for pushes from then on",
        _put_mnemonics,
        body=Mnemonics,
        result=Mnemonics,
    ),
    Endpoint("GET", _UNITS, "Spellings of units", _units, result=Units),
    Endpoint("PUT", _UNITS, "Replace the project's own, for pushes from then on", _put_units, body=Units, result=Units),
)
