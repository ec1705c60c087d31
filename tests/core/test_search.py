"""The query grammar: what it reads, and that nothing else than QueryInvalid comes out of it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci.errors import QueryInvalid
from dataforge_registry.core.search import Condition, parse_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", Condition("a", "equals", ("1",))),
        ('a="x, y=z"', Condition("a", "equals", ("x, y=z",))),
        ("a=15/9-19 B T2", Condition("a", "equals", ("15/9-19 B T2",))),
        ("a=~gr", Condition("a", "contains", ("gr",))),
        ("a=RHO*", Condition("a", "starts", ("RHO",))),
        ("a=[1~2]", Condition("a", "between", ("1", "2"))),
        ("a=[~2]", Condition("a", "between", (None, "2"))),
        ('a=["2026-01-02 03:04:05"~"x"]', Condition("a", "between", ("2026-01-02 03:04:05", "x"))),
        ("a=[~'x']", Condition("a", "between", (None, "x"))),
        ("a={'x' O'Brien \"\"}", Condition("a", "any", ("x", "O'Brien"))),
        ('a={x "y z"}', Condition("a", "any", ("x", "y z"))),
        ("a=(x y)", Condition("a", "all", ("x", "y"))),
    ],
)
def test_conditions(text: str, expected: Condition) -> None:
    assert parse_query(text) == [expected]
    assert parse_query(f" {text} , b=2") == [expected, Condition("b", "equals", ("2",))]


@given(st.text(alphabet='ab=~[]{}(),"* 1\0é', max_size=40))
def test_nothing_else_comes_out(text: str) -> None:
    with contextlib.suppress(QueryInvalid):
        for condition in parse_query(text):
            assert condition.values
            assert all(value is None or value for value in condition.values)
