"""The protocols, searched: ours holds, and each plausible short cut is seen to break it."""

import pytest

from . import blob_protocol, link_protocol, upload_protocol


@pytest.mark.parametrize("small", [(), (1,), (0, 1)], ids=["large", "mixed", "inline"])
def test_a_blob_keeps_every_promise(small: tuple[int, ...]) -> None:
    first = blob_protocol.start(pushes=(1, 1), workers=1)
    count, fault, trace = blob_protocol.search(small=small, first=first)
    assert fault is None, " > ".join(trace)
    assert count > 1000


@pytest.mark.parametrize("variant", [*blob_protocol.SHORT_CUTS, "mover-forgets"])
def test_a_short_cut_with_blobs_is_caught(variant: str) -> None:
    small = (0, 1) if variant == "mover-forgets" else ()
    _, fault, trace = blob_protocol.search(variant, small)
    assert fault is not None
    assert len(trace) <= 15


def test_links_and_charges_keep_every_promise() -> None:
    count, fault, trace = link_protocol.search()
    assert fault is None, " > ".join(trace)
    assert count > 1000


@pytest.mark.parametrize("variant", link_protocol.SHORT_CUTS)
def test_a_short_cut_with_links_is_caught(variant: str) -> None:
    _, fault, _ = link_protocol.search(variant)
    assert fault is not None


def test_an_upload_keeps_every_promise() -> None:
    count, fault, trace = upload_protocol.search()
    assert fault is None, " > ".join(trace)
    assert count > 1000


@pytest.mark.parametrize("variant", upload_protocol.SHORT_CUTS)
def test_a_short_cut_with_uploads_is_caught(variant: str) -> None:
    _, fault, _ = upload_protocol.search(variant)
    assert fault is not None
