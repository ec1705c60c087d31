"""Lists that come page by page."""

from typing import Any

from .transport import Transport

_PAGE = 1000


async def pages(transport: Transport, path: str, key: str, scope: str) -> list[Any]:
    """All entries of a list that is paged by `Link: <...>; rel="next"` (distribution-spec, "Listing Tags")."""
    entries: list[Any] = []
    address: str | None = f"{path}?n={_PAGE}"
    while address:
        answer = await transport.request("GET", address, scope)
        entries += answer.json().get(key) or []
        link = answer.headers.get("Link", "")
        address = link[link.index("<") + 1 : link.index(">")] if 'rel="next"' in link else None
    return entries
