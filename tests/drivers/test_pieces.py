"""Cutting bodies into pieces."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.drivers.pieces import gather

from .bodies import body


async def pieces(chunks: list[bytes], least: int, most: int) -> list[tuple[bytes, bool]]:
    return [piece async for piece in gather(body(*chunks), least, most)]


@given(chunks=st.lists(st.binary(max_size=60)), least=st.integers(1, 20), extra=st.integers(0, 20))
def test_pieces_are_the_body_in_order(chunks: list[bytes], least: int, extra: int) -> None:
    most = least + extra
    found = asyncio.run(pieces(chunks, least, most))
    assert b"".join(piece for piece, _ in found) == b"".join(chunks)
    assert [last for _, last in found] == [False] * (len(found) - 1) + [True]
    assert all(least <= len(piece) <= most for piece, last in found if not last)
    assert len(found[-1][0]) < least
