"""Calls of /api/v1. Credentials go with the first request: what anybody may ask is answered by who is asking, so that
no challenge would come."""

import json
from typing import Any

from .answer import Answer
from .credentials import find_credentials
from .remote import RemoteRegistry


async def call(
    registry: RemoteRegistry,
    method: str,
    path: str,
    query: list[tuple[str, str]] | None = None,
    body: Any = None,
    expect: int = 200,
) -> Answer:
    """An answer of the status expected, else the RegistryError that fits. path: `/api/v1/...`."""
    basic = find_credentials(registry.transport.base).basic
    headers = {"Authorization": basic} if basic else {}
    data = None if body is None else json.dumps(body).encode()
    return await registry.transport.request(method, path, query=query, headers=headers, data=data, expect=(expect,))
