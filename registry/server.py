"""The server: a listening socket and one process, or several that share it.

With several workers the parent owns the socket and the private PostgreSQL, starts the workers, starts a dead one again
and hands on the stop. A worker's configuration travels over its stdin, which stays open: when it ends, the parent is
gone and the worker drains. The first worker tries the configuration for all: the others follow when it is ready, and
what it cannot start for is said once. The first line on stdout says the address, as soon as all of them answer.
"""

import asyncio
import gc
import importlib
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .config import Config
from .engines.room import raise_open_files
from .failures import CommandError
from .listening import address
from .sections import Http

FACTORY = "dataforge_registry.registry.app:create_app"
READY = b"ready\n"
GC_THRESHOLD = 20_000
"""New objects before cycles are looked for: at Python's 700 that took a twentieth of a pull."""
RESTART_SECONDS = 1.0
"""Pause before a worker that died is started again."""
STOP_SECONDS = 5.0
"""What a worker has beyond `http.drain` before it is killed."""


def check_tls(http: Http) -> None:
    """Whether certificate and key can be used, before an engine finds out. CommandError says why not."""
    for path in filter(None, (http.tls.certificate, http.tls.key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise CommandError(f"http.tls: cannot read {path}: {error.strerror}") from None
    if http.tls.certificate:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(http.tls.certificate, http.tls.key)
        except ssl.SSLError:
            raise CommandError(
                f"http.tls: {http.tls.certificate} and {http.tls.key} are no certificate and its key in PEM"
            ) from None


def serve(config: Config, sock: socket.socket, factory: str = FACTORY) -> int:
    """Serve until SIGTERM or SIGINT, then drain; returns the exit code. Start-up failures of a single process pass
    through, those of workers are said by them."""

    def announce() -> None:
        print(f"DataForge Registry listens on {address(config.http, sock)}", flush=True)

    if config.server.workers == 1:
        run(work(config, sock, factory, announce))
        return 0
    with tempfile.TemporaryDirectory(prefix="dfr-metrics-") as metrics:
        return asyncio.run(_Workers(config, sock, factory, announce, metrics).serve())


def run(main: Any) -> None:
    """asyncio.run on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)


async def work(
    config: Config, sock: socket.socket, factory: str, ready: Callable[[], None], stop: asyncio.Event | None = None
) -> None:
    """One process's share: the application on the configured engine until a signal comes or stop is set."""
    raise_open_files()
    module, _, name = factory.partition(":")
    app = getattr(importlib.import_module(module), name)(config)
    engine = importlib.import_module(f"{__package__}.engines.{config.server.engine}")
    stop = stop or asyncio.Event()
    _on_signals(stop.set)

    def started() -> None:
        gc.collect()
        gc.freeze()  # what start-up made stays: the collector need not look at it again
        gc.set_threshold(GC_THRESHOLD)
        ready()

    await engine.serve(app, config.http, sock, started, stop)


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def first() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):  # a second one ends the process at once
            loop.remove_signal_handler(number)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, first)


class _Workers:
    """The parent of several workers."""

    def __init__(
        self, config: Config, sock: socket.socket, factory: str, announce: Callable[[], None], metrics: str
    ) -> None:
        self._config, self._sock, self._factory = config, sock, factory
        self._announce: Callable[[], None] | None = announce
        self._starts = 0
        self._tried = asyncio.Event()
        self._environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
        self._stop = asyncio.Event()
        self._code = 0

    async def serve(self) -> int:
        """Keep the workers running until a signal or a failed start; their worst exit code."""
        _on_signals(self._stop.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            await _either(self._tried.wait(), self._stop.wait())
            for _ in range(self._config.server.workers - 1):
                group.create_task(self._keep())
        return self._code

    async def _keep(self) -> None:
        while not self._stop.is_set():
            code = await self._run_one()
            if self._stop.is_set():
                return
            if not self._tried.is_set():  # none could start, and this one said why
                self._code = code if code > 0 else 1
                self._stop.set()
            else:
                print(f"dfr: a worker ended with code {code}, starting another", file=sys.stderr, flush=True)
                await _either(asyncio.sleep(RESTART_SECONDS), self._stop.wait())

    async def _run_one(self) -> int:
        fd = self._sock.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"{__package__}.workerprocess", str(fd), self._factory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[fd],
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the parent, which drains the workers
        )
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        text = self._config.to_yaml(redacted=False).encode()
        process.stdin.write(b"%d\n%s" % (len(text), text))
        ended = asyncio.create_task(process.wait())
        output = asyncio.create_task(self._watch(process.stdout))
        await _either(self._stop.wait(), asyncio.shield(ended))
        if process.returncode is None:
            process.terminate()
            if not (await asyncio.wait({ended}, timeout=self._config.http.drain + STOP_SECONDS))[0]:
                process.kill()
        code = await ended
        await output
        return code

    async def _watch(self, output: asyncio.StreamReader) -> None:
        """The worker's stdout: its ready line counts, and the last of them is announced; anything else is passed on."""
        while line := await output.readline():
            if line != READY:
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
                continue
            self._tried.set()
            self._starts += 1
            if self._announce is not None and self._starts >= self._config.server.workers:
                announce, self._announce = self._announce, None
                announce()


async def _either(*things: Any) -> None:
    """Return when one of them is done; the others are cancelled."""
    tasks = {asyncio.ensure_future(thing) for thing in things}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
