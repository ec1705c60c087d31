"""Secrets made here: told from any other text, and compared without saying where they differ."""

from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core import issued


def test_a_secret_is_long_new_and_plain() -> None:
    secret = issued.issue()
    assert issued.is_issued(secret) and secret != issued.issue()
    assert secret.startswith("dfr_") and len(secret) == 53
    assert secret.removeprefix("dfr_").isalnum()


@given(st.integers(4, 52), st.characters())
def test_a_mistyped_secret_is_none_of_ours(place: int, character: str) -> None:
    secret = issued.issue()
    other = secret[:place] + character + secret[place + 1 :]
    assert issued.is_issued(other) is (other == secret)


@given(st.text())
def test_no_other_text_is_taken_for_one(text: str) -> None:
    assert not issued.is_issued(text)
    assert not issued.matches(issued.kept(issued.issue()), text)
    assert issued.matches(issued.kept(text), text)
    assert not issued.matches(None, text)


def test_what_is_kept_does_not_hold_the_secret() -> None:
    secret = issued.issue()
    assert secret[4:] not in issued.kept(secret)
    assert len(issued.kept(secret)) == len("sha256:") + 64
