"""Selectors of Harbor's rules: which repositories, tags and labels a rule is about."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from ..oci.errors import QueryInvalid
from .globs import LONGEST, regex

Word = Annotated[str, msgspec.Meta(max_length=LONGEST)]
MOST: Final = 16
_DECORATIONS = {
    ("repository", "doublestar"): {"repoMatches": False, "repoExcludes": True},
    ("tag", "doublestar"): {"matches": False, "excludes": True},
    ("tag", "label"): {"withLabels": False, "withoutLabels": True},
}


class Selector(msgspec.Struct, frozen=True):
    """One selector as it is sent, its kind always said. pattern: a glob, or names of labels with commas between;
    extras: `{"untagged":true}` as a text."""

    kind: Word = "doublestar"
    decoration: Word = ""
    pattern: Word = ""
    extras: Word | msgspec.UnsetType = msgspec.UNSET


class Extras(msgspec.Struct):
    """What extras may say."""

    untagged: bool | None = None


Selectors = Annotated[list[Selector], msgspec.Meta(max_length=MOST)]
Scopes = Annotated[dict[str, Selectors], msgspec.Meta(max_length=MOST)]


def repositories(scopes: Mapping[str, Sequence[Selector]]) -> list[dict[str, Any]]:
    """The compiled selectors of repositories, all of which must hold: `{re, not}`. Without any: every repository."""
    if unknown := scopes.keys() - {"repository"}:
        raise QueryInvalid(f"scope_selectors: there is no scope {min(unknown)[:80]!r}, only repository")
    return [_compiled("repository", each) for each in scopes.get("repository", ())]


def tags(selectors: Sequence[Selector]) -> list[dict[str, Any]]:
    """The compiled selectors of tags, all of which must hold: `{re, not, untagged}` or `{labels, not}`."""
    return [_compiled("tag", each) for each in selectors]


def _compiled(of: str, selector: Selector) -> dict[str, Any]:
    known = _DECORATIONS.get((of, selector.kind))
    if known is None:
        kinds = ", ".join(kind for scope, kind in _DECORATIONS if scope == of)
        raise QueryInvalid(f"selectors of a {of} have kind {kinds}, not {selector.kind[:80]!r}")
    if selector.decoration not in known:
        raise QueryInvalid(f"decoration of a {of}: {' or '.join(known)}, not {selector.decoration[:80]!r}")
    negated = known[selector.decoration]
    if selector.kind == "label":
        labels = [name.strip() for name in selector.pattern.split(",") if name.strip()]
        if not labels:
            raise QueryInvalid("a selector by label names at least one in its pattern")
        return {"labels": labels, "not": negated}
    return {"re": regex(selector.pattern), "not": negated, "untagged": _untagged(selector, negated)}


def _untagged(selector: Selector, negated: bool) -> bool:
    """Whether artifacts without a tag are selected too: unless said otherwise they are, by `matches` and `excludes`
    alike; `untagged` of extras says of `matches` that they are, and of `excludes` that they are not."""
    if not selector.extras:
        return True
    try:
        said = msgspec.json.decode(selector.extras, type=Extras).untagged
    except (msgspec.DecodeError, RecursionError):
        raise QueryInvalid('extras is a JSON text such as {"untagged":true}') from None
    return bool(said) != negated
