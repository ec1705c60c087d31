"""A child process with limits, in which alone a server opens files that others made: Parquet, LAS, DLIS.

table, _ = await sandbox.run(read_window, {"from": "2000"}, [manifest, *layers])

What runs there is a function of ours, named by module and name; bytes go in and come out by pipes, nothing is
unpickled. A file that eats memory or time ends its child and is answered with a line; the server goes on.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from .curves.errors import ContentMismatch, CurveError, LasRefused
from .sandbox_frames import LENGTH, Reply, Request, Work

CHILD: Final = "dataforge_registry.core.sandboxed"
_SAID: dict[str, type[CurveError]] = {kind.__name__: kind for kind in (CurveError, ContentMismatch)}


class SandboxRefused(CurveError):
    """What was asked needs more memory or time than the sandbox gives, or broke the process that did it."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """memory: bytes of address space a child may have; seconds: of CPU a call; wall: seconds a call may take at all;
    answer: bytes that may come out of it; nice: how far it stands behind other processes, as nice(1) has it."""

    memory: int = 2 << 30
    seconds: int = 60
    wall: float = 120.0
    answer: int = 512 << 20
    nice: int = 0


class Sandbox:
    """Up to `processes` children, started when first needed or by `warm`. `close` when done; an async context.

    admit: called before each call, to refuse it by raising; modules: what children load before their first call.
    """

    def __init__(
        self,
        processes: int = 1,
        limits: SandboxLimits | None = None,
        modules: Sequence[str] = (),
        admit: Callable[[], None] | None = None,
    ) -> None:
        self._admit = admit
        self.limits = limits or SandboxLimits()
        self._modules = modules
        self._processes = processes
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[Process] = []

    async def __aenter__(self) -> "Sandbox":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the children that rest."""
        ended, self._idle = self._idle, []
        await asyncio.gather(*map(_end, ended))

    async def warm(self, calls: int) -> None:
        """Start the children that so many calls will need: they get ready while the caller does."""
        self._idle += await asyncio.gather(*(self._start() for _ in range(min(calls, self._processes))))

    async def run(self, work: Work | str, argument: Any = None, blobs: Sequence[bytes] = ()) -> tuple[Any, list[bytes]]:
        """What `work` returns in the child: a function, or `MODULE:NAME` of one whose module is loaded there alone.

        CurveError as it raised it; SandboxRefused where it hit a limit.
        """
        if self._admit is not None:
            self._admit()
        async with self._slots:
            child = self._idle.pop() if self._idle else await self._start()
            whole = False
            try:
                async with asyncio.timeout(self.limits.wall):
                    reply, found = await self._exchange(child, work, argument, blobs)
                whole = True
            except TimeoutError:
                raise SandboxRefused(f"it takes more than {self.limits.wall:g} s to read this") from None
            except (EOFError, ConnectionError, msgspec.DecodeError):
                raise SandboxRefused(_ended(await _end(child, 5.0), self.limits)) from None
            finally:
                if whole:
                    self._idle.append(child)
                else:
                    await asyncio.shield(_end(child))
        if reply.error:
            raise _error(reply, self.limits)
        return reply.result, found

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", CHILD, str(self.limits.memory), str(self.limits.nice), *self._modules),
            stdin=PIPE,
            stdout=PIPE,
            env={name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ},
            cwd=sys.base_prefix,
            start_new_session=True,
        )

    async def _exchange(
        self, child: Process, work: Work | str, argument: Any, blobs: Sequence[bytes]
    ) -> tuple[Reply, list[bytes]]:
        assert child.stdin and child.stdout
        name = work if isinstance(work, str) else f"{work.__module__}:{work.__qualname__}"
        request = Request(name, argument, self.limits.seconds, [len(blob) for blob in blobs])
        head = msgspec.msgpack.encode(request, enc_hook=str)  # a Digest is a str of its own class
        sending = asyncio.ensure_future(_send(child.stdin, [len(head).to_bytes(LENGTH, "little"), head, *blobs]))
        try:
            length = int.from_bytes(await child.stdout.readexactly(LENGTH), "little")
            if length > self.limits.answer:
                raise SandboxRefused(_too_large(self.limits))
            reply = msgspec.msgpack.decode(await child.stdout.readexactly(length), type=Reply)
            if sum(reply.sizes) > self.limits.answer:
                raise SandboxRefused(_too_large(self.limits))
            found = [await child.stdout.readexactly(size) for size in reply.sizes]
            await sending
            return reply, found
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send(pipe: asyncio.StreamWriter, parts: Sequence[bytes]) -> None:
    for part in parts:
        pipe.write(part)
        await pipe.drain()


async def _end(child: Process, patience: float = 0.2) -> int:
    """Its exit code, after an end that it may not refuse. patience: seconds for one that rests, or is about to end, to
    see the end of its input."""
    if child.stdin:
        child.stdin.close()
    if child.returncode is None:
        try:
            async with asyncio.timeout(patience):
                return await child.wait()
        except TimeoutError:
            child.kill()
    return await child.wait()


def _too_large(limits: SandboxLimits) -> str:
    return f"it makes an answer of more than {limits.answer >> 20} MiB"


def _ended(code: int, limits: SandboxLimits) -> str:
    if code == -signal.SIGXCPU:
        return f"it takes more than {limits.seconds} s of computing to read this"
    return f"it broke the process that read it (exit code {code})"


def _error(reply: Reply, limits: SandboxLimits) -> CurveError:
    if reply.error == "MemoryError":
        return SandboxRefused(f"it takes more than {limits.memory >> 20} MiB of memory to read this")
    if reply.error == LasRefused.__name__:
        line = (reply.result or {}).get("line", 0)
        return LasRefused(reply.text, line)
    if reply.error in _SAID:
        return _SAID[reply.error](reply.text)
    return SandboxRefused(f"it cannot be read: {reply.error}: {reply.text}")
