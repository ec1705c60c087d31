"""A project's metadata: the names that mean something here, the values they take, and what is refused because nothing
enforces it yet. Values are texts, as in Harbor."""

from collections.abc import Mapping
from typing import Any

from ...core.access import Action
from ...core.oci.errors import Conflict, NotFound, QueryInvalid
from ...core.records import tenants
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .answers import done
from .operation import Call, Operation

FLAGS = ("public", "sparse", "reuse_sys_cve_allowlist")
UNENFORCED = ("auto_scan", "prevent_vul", "enable_content_trust", "enable_content_trust_cosign", "auto_sbom_generation")
"""Switches that nothing here acts upon: they can be said to be off, and are never silently on."""
SEVERITIES = ("none", "low", "medium", "high", "critical")
READ_ONLY = "retention_id"
_TRUTH = {"true": "true", "1": "true", "t": "true", "false": "false", "0": "false", "f": "false"}


def checked(name: str, value: str) -> str:
    """The value as it is kept. QueryInvalid where the name or the value is none."""
    if name in FLAGS or name in UNENFORCED:
        flag = _TRUTH.get(value.lower())
        if flag is None:
            raise QueryInvalid(f'{name} is "true" or "false"')
        if flag == "true" and name in UNENFORCED:
            raise QueryInvalid(f"{name} cannot be switched on: nothing in this registry enforces it yet")
        return flag
    if name == "severity":
        if value.lower() not in SEVERITIES:
            raise QueryInvalid(f"severity is one of {', '.join(SEVERITIES)}")
        return value.lower()
    if name == READ_ONLY:
        raise QueryInvalid("retention_id follows the project's retention policy: see /retentions")
    if name == "proxy_speed_kb" and value == "-1":
        return value  # as fast as it goes: said of every project by some clients
    if name.startswith("proxy_") or name == "max_upstream_conn":
        raise QueryInvalid(f"{name}: there are no proxy caches in this registry")
    raise QueryInvalid(f"there is no metadata {name[:80]!r}; there is {', '.join((*FLAGS, 'severity', *UNENFORCED))}")


def of_project(given: Mapping[str, Any] | None) -> dict[str, str]:
    """The metadata in a project's body: what is null is not said, and what a client got and sends back is let be."""
    said = {name: value for name, value in (given or {}).items() if value is not None and name != READ_ONLY}
    for name, value in said.items():
        if not isinstance(value, str):
            raise QueryInvalid(f'{name} of metadata is a text, such as "true"')
    known = {name: value for name, value in said.items() if name in (*FLAGS, *UNENFORCED, "severity") or value}
    return {name: checked(name, value) for name, value in known.items()}


async def _list(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(await tenants.metadata(conn, call.project_id))


async def _get(call: Call[NoQuery]) -> Answer:
    name = call.path["meta_name"]
    async with call.database.acquire() as conn:
        found = await tenants.metadata(conn, call.project_id)
    return answer({name: found[name]} if name in found else {})


def _one(given: Mapping[str, str]) -> tuple[str, str]:
    if len(given) != 1:
        raise QueryInvalid('the body is one name and its value, such as {"public": "true"}')
    return next(iter(given.items()))


async def _change(call: Call[Any], new: dict[str, str], dropped: list[str], fresh: bool = False) -> Answer:
    async with call.database.transaction() as conn:
        if fresh and (there := new.keys() & (await tenants.metadata(conn, call.project_id)).keys()):
            raise Conflict(f"the project has a {there.pop()} already; change it with PUT")
        await tenants.change(conn, call.principal, call.project_id, new, dropped, call.audit)
    return done()


async def _add(call: Call[NoQuery]) -> Answer:
    name, value = _one(call.body)
    return await _change(call, {name: checked(name, value)}, [], fresh=True)


async def _update(call: Call[NoQuery]) -> Answer:
    name = call.path["meta_name"]
    if name not in call.body:
        raise QueryInvalid(f'the body gives {name[:80]} its value, such as {{"{name[:80]}": "true"}}')
    return await _change(call, {name: checked(name, call.body[name])}, [])


async def _delete(call: Call[NoQuery]) -> Answer:
    name = call.path["meta_name"]
    async with call.database.acquire() as conn:
        if name not in await tenants.metadata(conn, call.project_id):
            raise NotFound(f"the project has no metadata {name[:80]}")
    if name == READ_ONLY:
        checked(name, "")
    return await _change(call, {}, [name])


_ALL = "/projects/{project_name_or_id}/metadatas"
_ONE = _ALL + "/{meta_name}"
_MAP = dict[str, str]
OPERATIONS = (
    Operation("GET", _ALL, "A project's metadata", _list, result=_MAP, needs=Action.METADATA_READ),
    Operation("POST", _ALL, "Add one", _add, body=_MAP, needs=Action.METADATA_CREATE),
    Operation("GET", _ONE, "One of them; empty where it is not set", _get, result=_MAP, needs=Action.METADATA_READ),
    Operation("PUT", _ONE, "Set it", _update, body=_MAP, needs=Action.METADATA_UPDATE),
    Operation("DELETE", _ONE, "Take it away", _delete, needs=Action.METADATA_DELETE),
)
