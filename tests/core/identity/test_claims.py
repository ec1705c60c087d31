"""What is made of claims, whatever a provider sends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.identity import claims

ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner))
CLAIMS = st.dictionaries(st.sampled_from(["preferred_username", "email", "name", "groups"]), ANY)


@pytest.mark.parametrize(
    ("said", "claim", "name"),
    [
        ({"preferred_username": "ann", "email": "a@b", "name": "Ann B"}, "", "ann"),
        ({"preferred_username": " ", "email": "a@b"}, "", "a@b"),
        ({"name": "Ann B"}, "", "Ann_B"),
        ({"name": "Ann B", "upn": "x"}, "upn", "x"),
        ({"name": "Ann B"}, "upn", ""),
        ({"name": ["Ann"]}, "", ""),
    ],
)
def test_names(said: dict[str, Any], claim: str, name: str) -> None:
    assert claims.username(said, claim) == name


@given(CLAIMS)
def test_claims_of_any_kind_are_read(said: dict[str, Any]) -> None:
    assert isinstance(claims.username(said, ""), str)
    found = claims.groups(said, "groups")
    assert len(found) <= claims.MOST_GROUPS and all(0 < len(each) <= claims.LONGEST_GROUP for each in found)
    assert not any(char < " " for each in found for char in each)
    for text in (claims.email(said), claims.realname(said)):
        assert text is None or (len(text) <= 255 and not any(char < " " for char in text))


def test_groups_have_an_end() -> None:
    assert len(claims.groups({"g": [f"g{number:04}" for number in range(2000)]}, "g")) == claims.MOST_GROUPS
    assert claims.groups({"g": "one"}, "g") == ["one"]
