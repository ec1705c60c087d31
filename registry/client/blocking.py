"""One implementation, asynchronous, with a blocking face: its coroutines run on a loop in a thread of its own.

So a notebook, whose thread has a running loop already, calls the blocking face like any function.

    class Curve(Face[AsyncCurve]):
        read = blocking(AsyncCurve.read)
"""

import asyncio
import functools
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

_start = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def wait(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, run on the background loop. Ctrl-C cancels it."""
    loop = _running()
    if asyncio._get_running_loop() is loop:
        work.close()
        raise RuntimeError("the blocking API was called from its own loop; await the asynchronous twin there")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def close_soon(close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Have it run without waiting for it: the garbage collector calls this in any thread, also in the loop's own."""
    if _loop is not None:
        asyncio.run_coroutine_threadsafe(close(), _loop)


class Face(Generic[A]):
    """The blocking face of an asynchronous object."""

    def __init__(self, twin: A) -> None:
        self._twin = twin

    def __repr__(self) -> str:
        return repr(self._twin).replace("Async", "", 1)


def blocking(method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    """A method of a Face that waits for its twin's; signature and docstring are the twin's."""

    @functools.wraps(method)
    def call(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        return wait(method(self._twin, *args, **kwargs))

    return cast(Callable[Concatenate[Any, P], T], call)


def _running() -> asyncio.AbstractEventLoop:
    global _loop
    with _start:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="dataforge-registry", daemon=True).start()
        return _loop


def _forget() -> None:
    """A forked child has the loop without its thread."""
    global _loop, _start
    _loop, _start = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
