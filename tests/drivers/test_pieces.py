"""Gathering bodies into pieces."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.drivers.pieces import gather

from .bodies import body


async def pieces(chunks: list[bytes], least: int, most: int) -> list[tuple[list[bytes], bool]]:
    return [piece async for piece in gather(body(*chunks), least, most)]


@given(chunks=st.lists(st.binary(max_size=60)), least=st.integers(1, 200), most=st.integers(1, 20))
def test_pieces_are_the_chunks_in_order(chunks: list[bytes], least: int, most: int) -> None:
    found = asyncio.run(pieces(chunks, least, most))
    assert [chunk for piece, _ in found for chunk in piece] == chunks
    assert [last for _, last in found] == [False] * (len(found) - 1) + [True]
    full = [sum(map(len, piece)) >= least or len(piece) == most for piece, _ in found]
    assert full == [True] * (len(found) - 1) + [False]
    assert all(sum(map(len, piece[:-1])) < least and len(piece) <= most for piece, _ in found)
