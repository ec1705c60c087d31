"""The inside of the sandbox: a process that takes one call at a time by its standard input and answers on its output.

Address space is limited for good; CPU time anew for each call. No file can be written, no core dumped.
"""

import gc
import importlib
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from .curves.errors import CurveError, LasRefused
from .sandbox_frames import LENGTH, Reply, Request, Work

_PACKAGE = "dataforge_registry."


class WithoutPandas:
    """pyarrow loads pandas with the first array it makes, wherever it is installed: half a second for nothing."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """No pandas here; all else is found by others."""
        if fullname == "pandas":
            raise ModuleNotFoundError(f"no {fullname} in the sandbox", name=fullname)


def main() -> None:
    """Serve until the input ends."""
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # what a library prints must not stand between two answers
        os.dup2(null, standard)
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    sys.meta_path.insert(0, WithoutPandas())
    _limit(int(sys.argv[1]), int(sys.argv[2]))
    for module in sys.argv[3:]:
        importlib.import_module(module)
    while (request := _receive(calls)) is not None:
        _send(answers, *_perform(*request))
        gc.collect(0)


def _limit(memory: int, nice: int) -> None:
    if sys.platform == "win32":  # has no such limits; only the client runs there
        return
    import resource

    import pyarrow as pa

    os.nice(nice)
    _stand_behind(nice)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stand_behind(nice: int) -> None:
    """Linux may share the processors among sessions first (autogroup), and niceness then counts within one alone: the
    session, which is this process's own, stands behind the others too. sched(7)"""
    if nice:
        with suppress(OSError):  # none: other systems, kernels and containers have nothing to say it to
            Path("/proc/self/autogroup").write_text(str(nice))


def _allow(seconds: int) -> None:
    """CPU time from now on; its end is SIGXCPU, which ends the process."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = math.ceil(used.ru_utime + used.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _receive(calls: BinaryIO) -> tuple[Request, list[bytes]] | None:
    length = calls.read(LENGTH)
    if len(length) < LENGTH:
        return None
    request = msgspec.msgpack.decode(calls.read(int.from_bytes(length, "little")), type=Request)
    try:
        return request, [calls.read(size) for size in request.sizes]
    except MemoryError:
        os._exit(1)  # half a frame is read: there is no next one


def _perform(request: Request, blobs: list[bytes]) -> tuple[Reply, Sequence[bytes]]:
    try:
        _allow(request.seconds)
        result, found = _function(request.function)(request.argument, blobs)
        return Reply("", "", result, [len(blob) for blob in found]), found
    except LasRefused as error:
        return Reply("LasRefused", error.reason, {"line": error.line}, []), ()
    except CurveError as error:
        return Reply(type(error).__name__, str(error), None, []), ()
    except MemoryError:
        return Reply("MemoryError", "", None, []), ()
    except Exception as error:  # of a library, over a file that it does not understand
        return Reply(type(error).__name__, " ".join(str(error).split())[:500], None, []), ()


def _function(name: str) -> Work:
    module, _, function = name.partition(":")
    if not module.startswith(_PACKAGE):
        raise CurveError(f"{name} is no function of ours")
    found: Work = getattr(importlib.import_module(module), function)
    return found


def _send(answers: BinaryIO, reply: Reply, blobs: Sequence[Any]) -> None:
    head = msgspec.msgpack.encode(reply, enc_hook=str)  # a Digest is a str of its own class
    for part in (len(head).to_bytes(LENGTH, "little"), head, *blobs):
        answers.write(part)
    answers.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # who waits for the end need not wait until each module is taken down
