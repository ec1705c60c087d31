"""Retention policies as Harbor's API writes them: checked, and as what the choice of artifacts is made from."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from ..oci.errors import QueryInvalid
from .selectors import Scopes, Selectors, repositories, tags

MOST_RULES: Final = 15
MOST: Final = 1_000_000
TEMPLATES: Final = {
    "latestPushedK": "the most recently pushed # artifacts",
    "latestPulledN": "the most recently pulled # artifacts",
    "nDaysSinceLastPush": "pushed within the last # days",
    "nDaysSinceLastPull": "pulled within the last # days",
    "always": "always",
}
"""The rules' templates, and what each says."""
EXPIRE: Final = "expireImmutableAfterDays"
"""A parameter of any rule, ours: artifacts that the rule selects go at that age though their tags are immutable."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=False):
    """A rule: of the artifacts that it selects, which are kept. Its number is its template's parameter."""

    template: str
    tag_selectors: Selectors
    scope_selectors: Scopes = {}
    params: dict[str, Any] | None = None
    disabled: bool = False
    priority: int = 0
    id: int = 0
    action: Literal["retain", ""] = "retain"


class Trigger(msgspec.Struct, frozen=True):
    """Schedule: by `settings.cron`, six fields, or by hand where it is empty. Event: after each push, too."""

    kind: Literal["Schedule", "Event", "Manual", ""] = "Schedule"
    settings: dict[str, Any] | None = None
    references: dict[str, Any] | None = None

    @property
    def cron(self) -> str:
        """When it runs by itself; empty: never by the clock."""
        found = (self.settings or {}).get("cron", "") if self.kind == "Schedule" else ""
        if not isinstance(found, str) or len(found) > 200:
            raise QueryInvalid("settings.cron is a text of six fields, such as '0 0 3 * * *'")
        return found.strip()


class Scope(msgspec.Struct, frozen=True):
    """What a policy is about: a project, by its id."""

    level: Literal["project"]
    ref: Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Policy(msgspec.Struct, frozen=True):
    """A policy: an artifact that any of its rules keeps stays. enabled: ours, false lets none but a person run it."""

    algorithm: Literal["or"]
    rules: Annotated[list[Rule], msgspec.Meta(max_length=MOST_RULES)]
    trigger: Trigger
    scope: Scope
    id: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Keep:
    """A rule that holds: compiled selectors, and what it keeps of what they select. expire: days, None never."""

    repositories: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    template: str
    number: int
    expire: int | None


def keeps(rules: list[Rule]) -> list[Keep]:
    """The rules of a policy that are not switched off. QueryInvalid says what is wrong with one."""
    said = [msgspec.json.encode(msgspec.structs.replace(rule, id=0, priority=0)) for rule in rules]
    if len(set(said)) < len(said):
        raise QueryInvalid("two rules of the policy say the same")
    return [found for rule in rules for found in [_keep(rule)] if not rule.disabled]


def _keep(rule: Rule) -> Keep:
    if rule.template not in TEMPLATES:
        raise QueryInvalid(f"template: one of {', '.join(TEMPLATES)}, not {rule.template[:80]!r}")
    if not rule.tag_selectors:
        raise QueryInvalid("tag_selectors: name the tags; the pattern ** selects all")
    params = rule.params or {}
    number = 0 if rule.template == "always" else _number(params, rule.template)
    if number is None:
        raise QueryInvalid(f"params: {rule.template} needs its number, {{{rule.template!r}: 10}}")
    expire = _number(params, EXPIRE)
    return Keep(repositories(rule.scope_selectors), tags(rule.tag_selectors), rule.template, number, expire)


def _number(params: dict[str, Any], name: str) -> int | None:
    found = params.get(name)
    if found is None:
        return None
    if isinstance(found, float) and found.is_integer():  # a client whose numbers are all of one kind
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MOST:
        raise QueryInvalid(f"params: {name} is a whole number from 0 to {MOST}")
    return found
