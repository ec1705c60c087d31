"""Token buckets: what passes, how it is told, and that they never hold more memory than a bound."""

from hypothesis import example, given
from hypothesis import strategies as st

from dataforge_registry.registry.load.rates import Buckets

STEPS = st.lists(st.tuples(st.floats(0, 50), st.sampled_from("ab"), st.integers(1, 5)), max_size=60)


@given(st.floats(0.1, 50), st.floats(1, 60), STEPS)
def test_no_key_gets_more_than_its_bucket_and_what_flows_into_it(
    rate: float, seconds: float, steps: list[tuple[float, str, int]]
) -> None:
    buckets, now, passed = Buckets(rate, seconds), 0.0, {"a": 0, "b": 0}
    for pause, key, parts in steps:
        now += pause
        taken = buckets.take(key, parts, now)
        passed[key] += taken.passes
        assert 0 <= taken.left <= taken.holds
        assert taken.wait == 0 if taken.left else taken.wait >= 1
    for count in passed.values():
        assert count <= max(1.0, rate * seconds) + rate * now + 1e-6


@given(st.floats(0.1, 50), st.floats(1, 60), st.integers(1, 8))
@example(1.2, 1.0, 6)  # 5 s of rate / parts are 0.9999999999999999
def test_whoever_waits_as_long_as_he_is_told_passes(rate: float, seconds: float, parts: int) -> None:
    buckets, now = Buckets(rate, seconds), 0.0
    while (taken := buckets.take("a", parts, now)).passes:
        assert taken.full_in >= 1
    assert buckets.take("a", parts, now + taken.wait).passes


def test_the_limit_is_divided_by_the_processes_that_share_it() -> None:
    alone, shared = Buckets(10, 10), Buckets(10, 10)
    assert sum(alone.take("a", 1, 0.0).passes for _ in range(200)) == 100
    assert sum(shared.take("a", 2, 0.0).passes for _ in range(200)) == 50
    assert sum(shared.take("a", 2, 4.0).passes for _ in range(200)) == 20


def test_a_bucket_holds_one_however_many_share_it() -> None:
    buckets = Buckets(1, 2)
    assert buckets.take("a", 100, 0.0).passes
    assert not buckets.take("a", 100, 1.0).passes
    assert buckets.take("a", 100, 101.0).passes


@given(st.integers(1, 20), st.lists(st.integers(0, 100), max_size=200))
def test_the_buckets_of_those_who_asked_last_are_kept(most: int, keys: list[int]) -> None:
    buckets = Buckets(1, 1, most)
    for key in keys:
        buckets.take(str(key), 1, 0.0)
    assert len(buckets) <= most
    latest = list(dict.fromkeys(reversed(keys)))[:most]
    assert not any(buckets.take(str(key), 1, 0.0).passes for key in latest)
