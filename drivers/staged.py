"""A driver over an object store. Bytes without a key yet are objects of their own below `uploads/`, each written once:
appending writes more of them, and a commit joins them within the store. So no state of the store but finished objects
matters: no multipart that was left open to continue, nothing half-written to read back, and whoever reads a staging
while another writer still runs reads what its row says.

    uploads/<id>/<random>   at least a part of bytes each (S3, Azure: more), but for a tail of ever smaller ones

A tail is kept short as a binary counter is: what comes is put together with all smaller objects before it. n appends of
any size leave O(log n) objects and write each byte O(log n) times.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    MutableSequence,
    Sequence,
)
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Final
from uuid import uuid4

from .base import (
    STAGINGS,
    Hash,
    NotFound,
    Space,
    Staging,
    StagingLost,
    Stat,
    Unavailable,
    check_key,
    check_staging,
)
from .objects import LEAST, WEEK, ObjectStore, Piece, pieces_of, staging_of
from .part import Part
from .parts import chained, each, parts_of, size_of

PART: Final = 8 * 1024 * 1024
"""Bytes gathered for a part of an upload."""
_ID: Final = 32


class ObjectDriver:
    """See Driver; `store` is the object store, `part` how many bytes an object of an upload holds."""

    def __init__(self, store: ObjectStore, part: int = PART) -> None:
        self._store = store
        self._part = part

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """See Driver.put. More than a part is staged first, so that nothing is at the key before all has come."""
        name = check_key(key)
        parts = parts_of(data, self._part, None)
        first = await anext(parts, BytesIO())
        second = await anext(parts, None)
        if second is None:
            await self._store.put(name, first)
            return size_of(first)
        staging = Staging(uuid4().hex)
        begun = [first, second]
        del first, second  # as in append
        try:
            stored = await self._store.write(_names(staging.id), chained(begun, parts))
            await self._join(name, stored)
        finally:
            await self.abort(staging)
        return sum(piece.size for piece in stored)

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """See Driver.put_many."""
        for key in contents:
            check_key(key)
        await each([partial(self._store.put, key, content) for key, content in contents.items()])

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See Driver.open."""
        return await self._store.get(check_key(key), start, stop)

    async def stat(self, key: str) -> Stat:
        """See Driver.stat."""
        found = await self._store.head(check_key(key))
        if found is None:
            raise NotFound(f"nothing is at {key}")
        return found

    async def delete(self, key: str) -> None:
        """See Driver.delete."""
        await self._store.delete([check_key(key)])

    async def delete_many(self, keys: Iterable[str]) -> None:
        """See Driver.delete_many."""
        names = [check_key(key) for key in keys]
        if names:
            await self._store.delete(names)

    async def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """See Driver.list."""
        async for stat in self._store.list(prefix, after):
            if not stat.key.startswith(f"{STAGINGS}/"):
                yield stat

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """See Driver.begin."""
        return Staging(check_staging(f"{scope}{uuid4().hex}"))

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """See Driver.append."""
        held, cut = await self._held(staging)
        parts = parts_of(data, self._part, digester)
        first = await anext(parts, BytesIO())
        carried = [cut] if cut else []
        while held and held[-1].size < LEAST and held[-1].size <= size_of(first) + sum(map(len, carried)):
            carried.insert(0, await self._bytes(held.pop()))
        if carried:
            first = Part(b"".join([*carried, first.getbuffer()]))
        if held:
            await self._must_be_there(held[-1])
        if size_of(first):
            begun = [first]
            del first  # whoever stores it is the last to hold it: it would be a third part in memory
            held += await self._store.write(_names(staging.id), chained(begun, parts))
        return staging_of(staging.id, held)

    async def commit(self, staging: Staging, key: str) -> None:
        """See Driver.commit."""
        name = check_key(key)
        check_staging(staging.id)
        if await self._store.head(name) is None:
            held, cut = await self._held(staging)
            try:
                await self._join(name, held, cut)
            except NotFound as error:
                raise _lost(staging) from error

    async def fork(self, staging: Staging) -> Staging:
        """See Driver.fork."""
        held, cut = await self._held(staging)
        fork = f"{staging.id[:-_ID]}{uuid4().hex}"
        names = _names(fork)
        copies = [Piece(next(names), piece.size) for piece in held]
        try:
            await each([partial(self._store.copy, copy.name, piece) for copy, piece in zip(copies, held, strict=True)])
        except NotFound as error:
            await self.abort(Staging(fork))
            raise _lost(staging) from error
        if cut:
            copies.append(Piece(next(names), len(cut)))
            await self._store.put(copies[-1].name, cut)
        return staging_of(fork, copies)

    async def read(self, staging: Staging) -> AsyncGenerator[bytes, None]:
        """See Driver.read."""
        held, cut = await self._held(staging)
        for piece in held[:1]:
            await self._must_be_there(piece)
        return self._pieces(held, cut)

    async def abort(self, staging: Staging) -> None:
        """See Driver.abort."""
        leftover = staging.state.get("leftover")
        if leftover is not None:
            await self._store.drop(leftover)
            return
        names = [stat.key async for stat in self._store.list(f"{STAGINGS}/{check_staging(staging.id)}/", "")]
        if names:
            await self._store.delete(names)

    async def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """See Driver.stale."""
        name, size, modified = "", 0, 0.0
        async for stat in self._store.list(f"{STAGINGS}/{scope}", ""):
            owner = stat.key.split("/")[1]
            if owner != name:
                if name and modified < before:
                    yield Staging(name, size)
                name, size, modified = owner, 0, 0.0
            size, modified = size + stat.size, max(modified, stat.modified)
        if name and modified < before:
            yield Staging(name, size)
        async for leftover in self._store.leftovers(before):
            yield Staging(f"{scope}{uuid4().hex}", 0, {"leftover": leftover})

    async def url(self, key: str, seconds: int) -> str | None:
        """See Driver.url."""
        return await self._store.url(check_key(key), min(seconds, WEEK))

    async def path(self, key: str, size: int | None = None) -> str | None:
        """None: an object is no file."""
        check_key(key)
        return None

    async def check(self) -> None:
        """See Driver.check."""
        await self._store.check()

    async def space(self) -> Space | None:
        """None: nobody tells how much room a bucket has."""
        return None

    async def close(self) -> None:
        """See Driver.close."""
        await self._store.close()

    async def _held(self, staging: Staging) -> tuple[MutableSequence[Piece], bytes]:
        """The objects of the first `size` bytes, and the bytes of the one that `size` cuts through. StagingLost."""
        check_staging(staging.id)
        held: MutableSequence[Piece] = []
        left = staging.size
        for piece in pieces_of(staging):
            if left < piece.size:
                return held, await self._bytes(Piece(piece.name, left)) if left else b""
            held.append(piece)
            left -= piece.size
        if left:
            raise _lost(staging)
        return held, b""

    async def _bytes(self, piece: Piece) -> bytes:
        try:
            content = b"".join([part async for part in await self._store.get(piece.name, 0, piece.size)])
        except NotFound as error:
            raise StagingLost(f"{piece.name} is gone") from error
        if len(content) != piece.size:
            raise Unavailable(f"{piece.name} gave {len(content)} bytes, {piece.size} are there")
        return content

    async def _must_be_there(self, piece: Piece) -> None:
        if await self._store.head(piece.name) is None:
            raise StagingLost(f"{piece.name} is gone")

    async def _pieces(self, held: Sequence[Piece], cut: bytes) -> AsyncGenerator[bytes, None]:
        for piece in held:
            try:
                async for content in await self._store.get(piece.name):
                    yield content
            except NotFound as error:
                raise StagingLost(f"{piece.name} is gone") from error
        if cut:
            yield cut

    async def _join(self, name: str, held: Sequence[Piece], cut: bytes = b"") -> None:
        """The object of these bytes. What is too small to be joined within the store goes through here."""
        size = sum(piece.size for piece in held) + len(cut)
        large = next((n for n, piece in enumerate(held) if piece.size < LEAST), len(held))
        if len(held) == 1 and not cut:
            await self._store.copy(name, held[0])
        else:
            rest = b"".join([*[await self._bytes(piece) for piece in held[large:]], cut])
            await (self._join_large(name, held[:large], rest) if large else self._store.put(name, rest))
        found = await self._store.head(name)
        if found is None or found.size != size:
            raise Unavailable(f"{name} holds {found.size if found else 'no'} bytes after a commit, and not {size}")

    async def _join_large(self, name: str, sources: Sequence[Piece], rest: bytes) -> None:
        """By way of other objects, where there are more than a store joins at once. They lie beside the first source,
        where whoever sweeps an upload that was abandoned finds them too."""
        names = _names(sources[0].name.split("/")[1])
        most, between = self._store.most, []
        try:
            while len(sources) > most:
                groups = [sources[at : at + most] for at in range(0, len(sources), most)]
                sources = [Piece(next(names), sum(piece.size for piece in group)) for group in groups]
                between += [piece.name for piece in sources]
                joins = zip(sources, groups, strict=True)
                await each([partial(self._store.join, joined.name, group, b"") for joined, group in joins])
            await self._store.join(name, sources, rest)
        finally:
            with suppress(Unavailable):  # the sweeper finds what cannot be removed now
                await self._store.delete(between)


def _names(owner: str) -> Iterator[str]:
    while True:
        yield f"{STAGINGS}/{owner}/{uuid4().hex[:16]}"


def _lost(staging: Staging) -> StagingLost:
    return StagingLost(f"of staging {staging.id} not all of its {staging.size} bytes are there")
