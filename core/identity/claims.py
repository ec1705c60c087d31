"""From what a provider says of somebody to a Person: name, groups, administrator."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_GROUPS, LONGEST_GROUP = 500, 255
_NAMES = ("preferred_username", "email", "name")
_MAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def username(claims: Mapping[str, Any], claim: str) -> str:
    """The name that somebody would have here, "" where the claims do not tell: that of one claim, or the first of
    preferred_username, email and name."""
    for name in (claim,) if claim else _NAMES:
        value = claims.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip().replace(" ", "_")[:255]
    return ""


def email(claims: Mapping[str, Any]) -> str | None:
    """The address; it is shown and never decides who somebody is."""
    value = claims.get("email")
    return value if isinstance(value, str) and len(value) <= 255 and _MAIL.fullmatch(value) else None


def realname(claims: Mapping[str, Any]) -> str | None:
    """The name among people, on one line."""
    value = claims.get("name")
    return _CONTROLS.sub(" ", value)[:255] if isinstance(value, str) else None


def groups(claims: Mapping[str, Any], claim: str) -> Sequence[str]:
    """The names of somebody's groups: a list of texts, or one text. What can be no group's name is left out, and what
    is more than MOST_GROUPS."""
    value = claims.get(claim, [])
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    named = {each for each in listed if isinstance(each, str) and 0 < len(each) <= LONGEST_GROUP}
    return sorted(each for each in named if not _CONTROLS.search(each))[:MOST_GROUPS]
