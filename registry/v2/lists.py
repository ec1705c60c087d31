"""Lists, all paged by key: tags (end-8), referrers (end-12), the catalog, and what extensions there are."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.errors import NameUnknown, QueryInvalid
from ...core.oci.media import JSON, OCI_INDEX
from ...core.records.artifacts import Referrer
from .answer import Answer, Request

MOST = 1000
PAGE_BYTES = 3 << 20
EXTENSIONS = [
    {
        "name": "_oci",
        "url": "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md",
        "description": "what extensions this registry serves",
        "endpoints": ["_oci/ext/discover"],
    }
]


async def tags(request: Request, repository: LocalRepository, name: str) -> Answer:
    """end-8a, end-8b: tags in byte order, `n` at a time, after `last`."""
    limit, after = page(request)
    found = await repository.tags(after, limit + 1)
    return _page(request, f"/v2/{name}/tags/list", {"name": name, "tags": found[:limit]}, found, limit)


def catalog(request: Request, found: list[str], limit: int) -> Answer:
    """The repositories the caller may pull, in byte order; found holds one more than the page where there is a next."""
    return _page(request, "/v2/_catalog", {"repositories": found[:limit]}, found, limit)


async def referrers(request: Request, repository: LocalRepository, name: str, subject: Digest) -> Answer:
    """end-12a, end-12b: what refers to a digest, also where neither it nor the repository is there."""
    limit, after = page(request)
    wanted = request.one("artifactType") or None
    try:
        found = await repository.referrers(subject, wanted, after, limit + 1)
    except NameUnknown:
        found = []
    shown = _fitting(found[:limit])
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_entry(r) for r in shown]}).encode()
    headers = {"content-type": OCI_INDEX}
    if wanted:
        headers["oci-filters-applied"] = "artifactType"
    if len(shown) < len(found) and shown:
        filters = {"artifactType": wanted} if wanted else {}
        headers["link"] = _next(f"/v2/{name}/referrers/{subject}", {"n": limit, "last": shown[-1].digest, **filters})
    return Answer(200, headers, body)


def discover() -> Answer:
    """Extension discovery (distribution-spec, extensions/_oci.md)."""
    return Answer(200, {"content-type": JSON}, json.dumps({"extensions": EXTENSIONS}).encode())


def page(request: Request) -> tuple[int, str]:
    """(how many, after which) of a list request. QueryInvalid."""
    text, after = request.one("n"), request.one("last") or ""
    if "\0" in after or any("\ud800" <= char <= "\udfff" for char in after):
        raise QueryInvalid("last cannot hold a NUL or half a surrogate pair")
    if text is None or text == "":
        return MOST, after
    if not text.isascii() or not text.isdigit():
        raise QueryInvalid("n must be a whole number, 0 or more")
    return min(int(text[:20]), MOST), after


def _page(request: Request, path: str, document: dict[str, Any], found: list[str], limit: int) -> Answer:
    headers = {"content-type": JSON}
    if len(found) > limit > 0:
        headers["link"] = _next(path, {"n": limit, "last": found[limit - 1]})
    return Answer(200, headers, json.dumps(document).encode())


def _next(path: str, query: dict[str, Any]) -> str:
    return f'<{path}?{urlencode(query, quote_via=quote)}>; rel="next"'


def _fitting(found: list[Referrer]) -> list[Referrer]:
    """As many entries as a page of bounded size holds, at least one."""
    size = 0
    for n, entry in enumerate(found):
        size += 512 + sum(len(key) + len(value) + 8 for key, value in entry.annotations.items())
        if size > PAGE_BYTES and n:
            return found[:n]
    return found


def _entry(referrer: Referrer) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "mediaType": referrer.media_type,
        "size": referrer.size,
        "digest": referrer.digest,
        "artifactType": referrer.artifact_type,
        "annotations": referrer.annotations,
    }
    return {key: value for key, value in entry.items() if value not in (None, {})}
