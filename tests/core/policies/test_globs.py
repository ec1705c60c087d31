"""Patterns of rules: what they match, in PostgreSQL and as told by a second reading of the grammar."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci.errors import QueryInvalid
from dataforge_registry.core.policies.globs import regex
from dataforge_registry.core.records.database import Database

# A pattern as segments, each "**" or parts: a character, "*", "?", ("class", text, negated), ("any", [[part ...] ...]).
CHARS = "ab.-v1_ é{"
Part = Any


def text_of(part: Part) -> str:
    if isinstance(part, str):
        return part if part in ("*", "?") or part.isalnum() else "\\" + part
    kind, inner, *negated = part
    if kind == "class":
        return "[" + "^" * negated[0] + "".join("\\" + char for char in inner) + "]"
    return "{" + ",".join("".join(map(text_of, choice)) for choice in inner) + "}"


def pattern_of(segments: Sequence[Any]) -> str:
    return "/".join("**" if segment == "**" else "".join(map(text_of, segment)) for segment in segments)


def ends(parts: Sequence[Part], text: str, start: int) -> set[int]:
    """Where the parts may end that begin at a place of a text."""
    found = {start}
    for part in parts:
        found = {end for at in found for end in ends_of(part, text, at)}
    return found


def ends_of(part: Part, text: str, at: int) -> set[int]:
    here = text[at : at + 1]
    if part == "*":
        length = len(text[at:].partition("/")[0])
        return set(range(at, at + length + 1))
    if part == "?":
        return {at + 1} if here and here != "/" else set()
    if isinstance(part, str):
        return {at + 1} if here == part else set()
    kind, inner, *negated = part
    if kind == "class":
        return {at + 1} if here and here != "/" and (here in inner) != negated[0] else set()
    return {end for choice in inner for end in ends(choice, text, at)}


def matches(segments: Sequence[Any], texts: Sequence[str]) -> bool:
    """Whether a text, as its segments, is matched."""
    if not segments:
        return not texts
    if segments[0] == "**":
        if len(segments) == 1:
            return True
        return any(matches(segments[1:], texts[n:]) for n in range(len(texts)))
    if not texts or len(texts[0]) not in ends(segments[0], texts[0], 0):
        return False
    if len(segments) == 1 or len(texts) == 1:
        return len(segments) == len(texts)
    return matches(segments[1:], texts[1:])


plain = st.sampled_from(CHARS)
part = st.recursive(
    st.one_of(
        plain,
        st.sampled_from("*?"),
        st.tuples(st.just("class"), st.text(CHARS, min_size=1, max_size=4), st.booleans()),
    ),
    lambda inner: st.tuples(st.just("any"), st.lists(st.lists(inner, max_size=3), min_size=1, max_size=3)),
    max_leaves=6,
)
# Two stars side by side in one segment are one; as the whole segment they would be "**".
segment = st.lists(part, min_size=1, max_size=4).filter(
    lambda parts: not re.search(r"\*\*|\*\{|\}\*|\{[^}]*\*", "".join(map(text_of, parts)))
)
segments = st.lists(st.one_of(st.just("**"), segment), min_size=1, max_size=4)
texts = st.lists(st.text("ab.-v1_ é{", min_size=1, max_size=4), min_size=1, max_size=4)


@given(segments, texts)
def test_a_pattern_matches_what_a_second_reading_says(pattern: list[Any], names: list[str]) -> None:
    found = re.fullmatch(regex(pattern_of(pattern)), "/".join(names), re.DOTALL)
    assert (found is not None) == matches(pattern, names), pattern_of(pattern)


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_told_why_not(pattern: str) -> None:
    try:
        re.compile(regex(pattern))
    except QueryInvalid as refused:
        assert refused.message


KNOWN = [
    ("**", "a/b/c", True),
    ("", "anything", True),
    ("*", "a/b", False),
    ("v[0-9]*", "v12", True),
    ("v[0-9]*", "vx", False),
    ("{final,approved}", "final", True),
    ("{final,approved}", "finale", False),
    ("well-*/**", "well-1/frame/gr", True),
    ("well-*/**", "well-1", False),
    ("**/gr", "gr", True),
    ("**/gr", "a/b/gr", True),
    ("a/**/gr", "a/gr", True),
    ("a/**/gr", "a/b/c/gr", True),
    ("a/**/gr", "ab/gr", False),
    ("v?.?", "v1.2", True),
    ("v1.2", "v1x2", False),
    ("[!a]*", "b", True),
    ("[^a]*", "a", False),
    ("**a", "xa", True),
    ("**a", "x/a", False),
    ("{a/b,c}/d", "a/b/d", True),
    ("{**/x,y}", "p/q/x", True),
    (r"\*", "*", True),
    (r"\*", "a", False),
    ("(a|b)+", "a", False),
    ("(a|b)+", "(a|b)+", True),
]


@pytest.mark.asyncio
async def test_postgresql_reads_the_expressions_the_same(database: Database) -> None:
    async with database.acquire() as conn:
        for pattern, name, expected in KNOWN:
            assert (re.fullmatch(regex(pattern), name) is not None) == expected, pattern
            assert await conn.fetchval("SELECT $1::text ~ $2", name, regex(pattern)) == expected, pattern


@pytest.mark.asyncio
async def test_no_pattern_makes_a_match_take_long(database: Database) -> None:
    """What ties an engine that goes back in knots is one walk here: its statement would run into its limit."""
    name = "a" * 120
    async with database.acquire() as conn:
        for pattern in ("*a" * 100 + "b", "{a,{a,{a,a*}*}*}*" * 10 + "b", "**/" * 60 + "b"):
            assert not await conn.fetchval("SELECT $1::text ~ $2", name, regex(pattern))


@pytest.mark.parametrize("pattern", ["[", "[a", "[]", "{a", "{a,b", "a\\", "[z-a]", "x" * 513, "\0", "{" * 9 + "}" * 9])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(QueryInvalid):
        regex(pattern)
