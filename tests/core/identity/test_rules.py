"""Conditions on claims: what can be kept comes back, and what a token has for them is plain text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.identity import rules
from dataforge_registry.core.identity.rules import Condition
from dataforge_registry.core.oci.errors import QueryInvalid

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(st.builds(Condition, st.text(), st.text(), st.text())))
def test_what_is_kept_comes_back(conditions: list[Condition]) -> None:
    try:
        rules.check(conditions)
    except QueryInvalid:
        return
    assert rules.read(rules.stored(conditions)) == tuple(conditions)


@given(st.dictionaries(st.text(), ANY))
def test_claims_of_any_kind_become_texts(claims: dict[str, Any]) -> None:
    found = rules.texts(claims)
    json.dumps(found).encode()
    for name, texts in found.items():
        listed = claims[name] if isinstance(claims[name], list) else [claims[name]]
        said = [each if isinstance(each, str) else json.dumps(each) for each in listed]
        assert texts and set(texts) <= set(said)
        assert all(text.isprintable() and "\0" not in text for text in [name, *texts])


@pytest.mark.parametrize("pattern", ["*", "**", "**/*", "?", "{*,**}", "[]"])
def test_a_pattern_that_says_nothing_is_no_condition(pattern: str) -> None:
    with pytest.raises(QueryInvalid):
        rules.check([Condition("sub", matches=pattern)])
    if pattern != "[]":
        rules.check([Condition("sub", matches=pattern), Condition("repository", equals="a/b")])
