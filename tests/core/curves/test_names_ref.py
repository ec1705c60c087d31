"""Slugs of true names, and REF in all its forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.errors import ReferenceInvalid
from dataforge_registry.core.curves.families import canonical_index_unit, canonical_unit, family_of, index_kind
from dataforge_registry.core.curves.names import MAX_SLUG, Reference, curve_slugs, slug, split_base, suffixed
from dataforge_registry.core.oci.names import check_repository

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GR", "gr"),
        ("UNIVERSITY 6-17 NO.1", "university-6-17-no-1"),
        ("15/9-19 SR", "15-9-19-sr"),
        ("ＧＲ", "gr"),
        ("[GR]", "gr"),
        ("метер", "curve-07b4e63a"),
        ("", "curve-e3b0c442"),
    ],
)
def test_slugs(name: str, expected: str) -> None:
    assert slug(name, "curve") == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_every_name_gives_a_repository_segment(name: str) -> None:
    for segment in (slug(name, "well"), suffixed(name, "well")):
        assert check_repository(segment) == segment and "/" not in segment
    assert len(slug(name, "well")) <= MAX_SLUG
    assert slug(slug(name, "well"), "well") == slug(name, "well")


@given(st.lists(st.sampled_from(["GR", "GR[1]", "GR:1", "GR 1", "gr", "RHOB"]), unique=True))
def test_segments_of_a_frame_are_distinct(mnemonics: list[str]) -> None:
    slugs = curve_slugs(mnemonics)
    assert len(set(slugs.values())) == len(mnemonics)
    if mnemonics:
        assert slugs[mnemonics[0]] == slug(mnemonics[0], "curve")


@pytest.mark.parametrize(
    ("text", "repository", "target", "base"),
    [
        ("permian/w1", "permian/w1", "latest", None),
        ("permian/w1/run2/gr", "permian/w1/run2/gr", "latest", None),
        ("permian/w1/run2/gr:v3", "permian/w1/run2/gr", "v3", None),
        ("permian/w1/run2/gr@v3", "permian/w1/run2/gr", "v3", None),
        (f"permian/w1/run2/gr@{DIGEST}", "permian/w1/run2/gr", DIGEST, None),
        ("http://h:5000/permian/w1/run2/gr:final", "permian/w1/run2/gr", "final", "http://h:5000"),
        ("https://h/permian/w1", "permian/w1", "latest", "https://h"),
        ("permian/University 6-17/Run 2/GR", "permian/university-6-17/run-2/gr", "latest", None),
    ],
)
def test_references(text: str, repository: str, target: str, base: str | None) -> None:
    reference = Reference.parse(text)
    assert (reference.repository, reference.target, reference.base) == (repository, target, base)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "permian",
        "a/b/c/d/e",
        "a//b",
        "ftp://h/a/b",
        "a/b:",
        "a/b@",
        "a/b@sha256:12",
        "a/b@md5:00",
        "UPPER CASE/w",
        "a/b:x y",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ReferenceInvalid):
        Reference.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except ReferenceInvalid:
        return
    assert check_repository(reference.repository)


def test_an_address_may_stand_before_a_project() -> None:
    assert split_base("http://127.0.0.1:5000/permian") == ("http://127.0.0.1:5000", "permian")
    assert split_base("permian") == (None, "permian")


@pytest.mark.parametrize(
    ("mnemonic", "family"),
    [
        ("GR", "gamma_ray"),
        ("RHOB", "bulk_density"),
        ("ILD", "resistivity_deep"),
        ("GR:2", "gamma_ray"),
        ("XYZZY", None),
    ],
)
def test_families(mnemonic: str, family: str | None) -> None:
    assert family_of(mnemonic) == family


def test_units_fold_only_where_it_is_safe() -> None:
    assert {canonical_unit(unit) for unit in ("OHMM", "ohmm", "ohm.m", "OHM.M")} == {"ohm.m"}
    assert [canonical_unit(unit) for unit in ("mD", "MD", "ms", "MS", "F", "furlong")] == [
        "mD",
        "MD",
        "ms",
        "MS",
        "F",
        "furlong",
    ]
    assert [canonical_index_unit(unit) for unit in ("F", "FEET", "M", ".1IN", "MS")] == [
        "ft",
        "ft",
        "m",
        "0.1 in",
        "ms",
    ]
    assert [index_kind("DEPT", "m"), index_kind("TVDSS", "m"), index_kind("TWT", "ms"), index_kind("X", "")] == [
        "MD",
        "TVD",
        "TIME",
        "INDEX",
    ]
