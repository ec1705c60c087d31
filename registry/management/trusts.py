"""Keyless robots: rules by which tokens of other issuers pass for a robot's secret. Harbor has no such thing."""

from datetime import datetime

import msgspec

from ...core.access import Action, SystemAction
from ...core.identity.rules import LONGEST, Condition
from ...core.oci.errors import Denied, QueryInvalid
from ...core.records import trusts
from ...core.records.trusts import Trust
from ..endpoint import NoQuery, answer
from ..identity.issuers import check_url
from ..v2.answer import Answer
from .answers import created, done
from .operation import Anyone, Call, Operation
from .robots import held, readable
from .users import Line


class TrustCondition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A claim of the token, and what it must be: `equals` a text, or `matches` a pattern as refs/heads/**."""

    claim: str
    equals: str = ""
    matches: str = ""


class TrustCreate(msgspec.Struct, frozen=True):
    """Tokens of this issuer, made for this audience, where all conditions hold."""

    issuer: Line
    audience: Line
    conditions: list[TrustCondition]


class TrustShown(msgspec.Struct, frozen=True):
    """A rule."""

    id: int
    issuer: str
    audience: str
    conditions: list[TrustCondition]
    creator: str
    creation_time: datetime


def _shown(trust: Trust) -> TrustShown:
    conditions = [TrustCondition(each.claim, each.equals, each.matches) for each in trust.conditions]
    return TrustShown(trust.id, trust.issuer, trust.audience, conditions, trust.creator, trust.creation_time)


def check_issuer(issuer: str, audience: str) -> None:
    """Return where a rule may say so; QueryInvalid for what is no issuer's address, or no audience."""
    check_url(issuer, "issuer")
    if not 1 <= len(audience) <= LONGEST:
        raise QueryInvalid(f"audience: a text of 1 to {LONGEST} characters that tokens for this registry are made for")


async def _list(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        robot = await readable(conn, call, Action.ROBOT_READ, SystemAction.ROBOT_READ)
        return answer([_shown(each) for each in await trusts.list_trusts(conn, robot.id)])


async def _create(call: Call[NoQuery]) -> Answer:
    asked: TrustCreate = call.body
    conditions = [Condition(each.claim, each.equals, each.matches) for each in asked.conditions]
    async with call.database.transaction() as conn:
        robot = await held(conn, call)
        check_issuer(asked.issuer, asked.audience)
        # an issuer is fetched from: only who runs the registry says where to
        if not call.rights.admin and asked.issuer not in call.services.config.auth.keyless.issuers:
            raise Denied("only a system administrator may trust an issuer that auth.keyless.issuers does not list")
        made = await trusts.create(conn, call.principal, robot, asked.issuer, asked.audience, conditions, **call.audit)
    return created(f"/robots/{robot.id}/trusts/{made}")


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        robot = await held(conn, call)
        await trusts.delete(conn, call.principal, robot, call.number("trust_id"), **call.audit)
    return done()


_TRUSTS, _SIGNED = "/robots/{robot_id}/trusts", Anyone.SIGNED_IN
OPERATIONS = (
    Operation("GET", _TRUSTS, "Whose tokens pass for a robot's secret", _list, result=list[TrustShown], needs=_SIGNED),
    Operation(
        *("POST", _TRUSTS, "Let tokens of an issuer pass for a robot's secret", _create),
        body=TrustCreate,
        status=201,
        needs=_SIGNED,
    ),
    Operation("DELETE", _TRUSTS + "/{trust_id}", "Let them no longer; the robot's tokens end", _delete, needs=_SIGNED),
)
