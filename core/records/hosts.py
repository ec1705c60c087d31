"""An address of several servers, of which one is the primary: whoever connects finds the one that is it now.

    postgresql://user@a,b:5433/name      postgresql://user@/name?host=a,b&port=5432,5433

Each server has its share of the time, so one that is down in silence does not use up what the others need, and one that
refuses, since it is starting, recovering or a standby, is not the end. Connections are made to a primary only, unless
`target_session_attrs` says otherwise: what a standby says of rights may be old (P30).
"""

from collections.abc import Callable, Coroutine
from itertools import zip_longest
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

Connect = Callable[..., Coroutine[Any, Any, "asyncpg.Connection[asyncpg.Record]"]]


def each_host(url: str) -> list[str]:
    """An address for each server that `url` names, in its order; what names one alone stays as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a broken IPv6 address: whoever connects says so
        return [url]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    login, at, places = parts.netloc.rpartition("@")
    if "," in places:
        found = [parts._replace(netloc=f"{login}{at}{place}", query="").geturl() for place in places.split(",")]
        kept = [query] * len(found)
    elif "," in query.get("host", ""):
        hosts, ports = query["host"].split(","), query.get("port", "").split(",")
        pairs = zip_longest(hosts, ports[: len(hosts)], fillvalue=ports[-1])  # one port is the port of all
        kept = [query | {"host": host} | ({"port": port} if port else {}) for host, port in pairs]
        found = [parts._replace(query="").geturl()] * len(kept)
    else:
        return [url]
    return [
        f"{place}?{urlencode({'target_session_attrs': 'primary'} | words)}"
        for place, words in zip(found, kept, strict=True)
    ]


def connector(url: str, seconds: float, refused: tuple[type[Exception], ...]) -> Connect:
    """What connects to the first server of `url` that can be used, the last one found first, within `seconds`; the last
    one's `refused` error where none can. Takes asyncpg.connect's options, and what a pool gives before them."""
    addresses = each_host(url)

    async def connect(*_: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        last: Exception | None = None
        for address in list(addresses):
            try:
                found: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                    address, **options | {"timeout": seconds / len(addresses)}
                )
            except refused as error:
                last = error
                continue
            if address != addresses[0]:
                addresses.remove(address)
                addresses.insert(0, address)
            return found
        assert last is not None, "an address names one server at least"
        raise last

    return connect
