"""Conditions on the claims of a token: what a rule says, and what a token has for it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..oci.errors import QueryInvalid
from ..policies.globs import regex

MOST, LONGEST = 20, 512
_WILD = set("*?/{},[]")


@dataclass(frozen=True)
class Condition:
    """A claim, and the text it must be; or a pattern (globs.py) that this text must match. One of the two is ""."""

    claim: str
    equals: str = ""
    matches: str = ""


def check(conditions: Sequence[Condition]) -> None:
    """Return where the conditions can be kept; QueryInvalid where they say nothing or cannot be."""
    if not 1 <= len(conditions) <= MOST:
        raise QueryInvalid(f"a rule has 1 to {MOST} conditions: issuer and audience alone would trust everybody there")
    for each in conditions:
        if not each.claim or bool(each.equals) == bool(each.matches):
            raise QueryInvalid("a condition names a claim and either equals or matches")
        if "\0" in each.claim + each.equals + each.matches or max(map(len, (each.claim, each.equals))) > LONGEST:
            raise QueryInvalid(f"claims and values have at most {LONGEST} characters, and no NUL")
        regex(each.matches)
    if not any(each.equals or set(each.matches) - _WILD for each in conditions):
        raise QueryInvalid("at least one condition must say more than that a claim is there")


def stored(conditions: Sequence[Condition]) -> str:
    """What robot_trust keeps of them."""
    return json.dumps([_stored(each) for each in conditions])


def _stored(condition: Condition) -> dict[str, str]:
    if condition.equals:
        return {"claim": condition.claim, "equals": condition.equals}
    return {"claim": condition.claim, "matches": condition.matches, "regex": regex(condition.matches)}


def regexes(conditions: Sequence[Condition]) -> list[str]:
    """What their patterns mean to PostgreSQL, which alone knows whether it can use them."""
    return [regex(each.matches) for each in conditions if each.matches]


def read(text: str) -> tuple[Condition, ...]:
    """The conditions that `stored` gave."""
    return tuple(Condition(each["claim"], each.get("equals", ""), each.get("matches", "")) for each in json.loads(text))


def texts(claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """What conditions see of claims: of each its text, or those of its list; numbers and flags as JSON writes them."""
    return {name: found for name, value in claims.items() if _plain(name) and (found := _texts(value))}


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    plain = (json.dumps(each) if isinstance(each, (bool, int)) else each for each in listed)
    return [each for each in plain if isinstance(each, str) and _plain(each)]


def _plain(text: str) -> bool:
    return "\0" not in text and text.isprintable()
