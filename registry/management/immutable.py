"""Immutable tags: the rules of a project, in Harbor's selectors."""

from typing import Any, Literal

import msgspec

from ...core.access import Action
from ...core.oci.errors import QueryInvalid
from ...core.policies.selectors import Scopes, Selector, Selectors, repositories, tags
from ...core.records import immutable
from ..v2.answer import Answer
from .answers import created, done
from .lists import Listed, listed
from .operation import Call, Operation

PATH = "/projects/{project_name_or_id}/immutabletagrules"


class RuleBody(msgspec.Struct, frozen=True):
    """A rule: a tag stays where it is if its repository and itself are selected. Without selectors all are."""

    tag_selectors: Selectors = []
    scope_selectors: Scopes = {}
    disabled: bool | None = None
    priority: int = 0
    action: Literal["immutable", ""] = "immutable"
    template: Literal["immutable_template", ""] = "immutable_template"


class Rule(msgspec.Struct, frozen=True):
    """A rule that is there."""

    id: int
    priority: int
    disabled: bool
    action: str
    template: str
    tag_selectors: list[Selector]
    scope_selectors: dict[str, list[Selector]]
    params: dict[str, Any] = {}


def _rule(call: Call[Any]) -> immutable.Rule:
    body: RuleBody = call.body
    if not body.tag_selectors:
        raise QueryInvalid("tag_selectors: name the tags; the pattern ** selects all")
    said = msgspec.to_builtins(body)
    del said["disabled"]
    return immutable.Rule(said, repositories(body.scope_selectors), tags(body.tag_selectors), not body.disabled)


def _entry(found: immutable.Found) -> Rule:
    rule = msgspec.convert(found.rule, RuleBody)
    return Rule(
        found.id,
        rule.priority,
        not found.enabled,
        rule.action or "immutable",
        rule.template or "immutable_template",
        rule.tag_selectors,
        rule.scope_selectors,
    )


async def _list(call: Call[Listed]) -> Answer:
    async with call.database.acquire() as conn:
        found, total = await immutable.page(conn, call.project_id, call.query.asked)
    return listed(call, [_entry(each) for each in found], total)


async def _create(call: Call[Any]) -> Answer:
    rule = _rule(call)
    async with call.database.transaction() as conn:
        found = await immutable.create(conn, call.principal, call.project_id, rule, call.audit)
    return created(f"/projects/{call.project_id}/immutabletagrules/{found}")


async def _change(call: Call[Any]) -> Answer:
    """Without selectors `disabled` alone is set, as Harbor's clients switch a rule."""
    body, rule_id = call.body, call.number("immutable_rule_id")
    where = (call.principal, call.project_id, rule_id)
    async with call.database.transaction() as conn:
        if not body.tag_selectors and body.disabled is not None:
            await immutable.switch(conn, *where, not body.disabled, call.audit)
        else:
            await immutable.change(conn, *where, _rule(call), call.audit)
    return done()


async def _delete(call: Call[Any]) -> Answer:
    rule_id = call.number("immutable_rule_id")
    async with call.database.transaction() as conn:
        await immutable.delete(conn, call.principal, call.project_id, rule_id, call.audit)
    return done()


ONE = PATH + "/{immutable_rule_id}"
OPERATIONS = (
    Operation(
        "GET",
        PATH,
        "Rules that keep tags where they are",
        _list,
        query=Listed,
        result=list[Rule],
        needs=Action.IMMUTABLE_LIST,
    ),
    Operation("POST", PATH, "A new rule", _create, body=RuleBody, status=201, needs=Action.IMMUTABLE_CREATE),
    Operation("PUT", ONE, "Another rule in its place", _change, body=RuleBody, needs=Action.IMMUTABLE_UPDATE),
    Operation("DELETE", ONE, "Take a rule away", _delete, needs=Action.IMMUTABLE_DELETE),
)
