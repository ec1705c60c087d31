"""harborapi, the Python client of Harbor, as it is: each answer is held against Harbor's own description besides, and
what ran is written down, so that a test cannot claim a method that it did not run."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import httpx
import pytest
from harborapi import HarborAsyncClient

from ..registry.management.harbor import description
from .conftest import CLOSED
from .server import Server

F = TypeVar("F", bound=Callable[..., Any])
MARKS = [pytest.mark.parametrize("server", CLOSED, indirect=True), pytest.mark.asyncio]


def on_each_server(test: F) -> F:
    """The marks of a whole module, for one test."""
    for mark in MARKS:
        test = mark(test)
    return test


def runs(*methods: str) -> Callable[[F], F]:
    """The methods of the client that a test runs, each of them to a result: seen to when it is done."""

    def mark(test: F) -> F:
        @functools.wraps(test)
        async def run(harbor: Harbor, **more: Any) -> None:
            await test(harbor=harbor, **more)
            assert harbor.returned >= set(methods)

        run.runs = frozenset(methods)  # type: ignore[attr-defined]
        return cast(F, run)

    return mark


async def until(look: Callable[[], Awaitable[Any]], good: Callable[[Any], bool]) -> Any:
    """What a look finds once it is good, within a minute."""
    for _ in range(600):
        if good(found := await look()):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"still not: {found}")


class Harbor:
    """The client; `returned` has the methods that came back with a result, `answers` what the server answered."""

    def __init__(self, server: Server, user: str, password: str) -> None:
        self.server = server
        self.returned: set[str] = set()
        self.client = HarborAsyncClient(f"{server.url}/api/v2.0", user, password, retry=None)
        self.answers: list[httpx.Response] = []
        self.as_described = True  # False: of what is not served, Harbor never says so
        self.client.client.event_hooks["response"] = [self._answered]

    async def aclose(self) -> None:
        """End its connections."""
        await self.client.client.aclose()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        async def run(*arguments: Any, **named: Any) -> Any:
            found = await method(*arguments, **named)
            self.returned.add(name)
            return found

        return run

    async def _answered(self, answer: httpx.Response) -> None:
        await answer.aread()
        self.answers.append(answer)
        kind = answer.headers.get("content-type", "")
        body = json.loads(answer.content) if answer.content and "json" in kind else None
        if self.as_described and (harbor := description()):
            path = answer.request.url.raw_path.decode()
            harbor.check(answer.request.method, path, answer.status_code, kind, body)
