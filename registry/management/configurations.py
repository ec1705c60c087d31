"""/configurations: Harbor's settings, as far as they are true here. `read_only`, `audit_log_forward_endpoint` and where
people sign in (oidc.py) can be changed; the others are said by the configuration file, and what nothing here knows is
refused."""

from typing import Any

import msgspec

from ...core.access import SystemAction
from ...core.oci.errors import QueryInvalid
from ...core.records import audit, forwarding, settings
from ...core.records.database import Connection
from ...core.records.robots import PREFIX
from ...core.syslog import Endpoint
from ..config import Config
from ..endpoint import NoQuery, answer
from ..identity.settings import Effective
from ..v2.answer import Answer
from .answers import done
from .oidc import OidcChanges, is_oidc, people_of, set_people, values_of
from .operation import Call, Operation
from .robot_types import DURATION

READ_ONLY = "read_only"
FORWARD = forwarding.ENDPOINT
SKIP = "skip_audit_log_database"


class Item(msgspec.Struct, frozen=True):
    """A setting and whether it can be changed."""

    value: Any
    editable: bool


class Changes(OidcChanges, frozen=True, forbid_unknown_fields=True):
    """New values, flat. A value that cannot be changed may be sent as it is."""

    primary_auth_mode: bool | None = None
    self_registration: bool | None = None
    project_creation_restriction: str | None = None
    read_only: bool | None = None
    token_expiration: int | None = None
    session_timeout: int | None = None
    robot_name_prefix: str | None = None
    quota_per_project_enable: bool | None = None
    notification_enable: bool | None = None
    audit_log_forward_endpoint: str | None = None
    skip_audit_log_database: bool | None = None
    disabled_audit_log_event_types: str | None = None
    robot_token_duration: int | None = None
    storage_per_project: int | None = None
    scanner_skip_update_pulltime: bool | None = None
    banner_message: str | None = None


async def _values(conn: Connection, config: Config, people: Effective) -> dict[str, Any]:
    return {
        **values_of(people),
        "primary_auth_mode": False,
        "self_registration": False,
        "project_creation_restriction": config.projects.creation,
        READ_ONLY: await settings.mode(conn) is settings.Mode.READ_ONLY,
        "token_expiration": round(config.auth.token.expiry / 60),
        "session_timeout": round(config.auth.session.idle / 60),
        "robot_name_prefix": PREFIX,
        "quota_per_project_enable": True,
        "notification_enable": False,
        FORWARD: config.audit.forward or await forwarding.endpoint(conn),
        SKIP: False,
        "disabled_audit_log_event_types": "",
        "robot_token_duration": DURATION,
        "storage_per_project": -1,
        "scanner_skip_update_pulltime": False,
        "banner_message": "",
    }


def _editable(call: Call[NoQuery], people: Effective, name: str) -> bool:
    if is_oidc(name):
        return not people.fixed and call.services.vault is not None
    return name == READ_ONLY or (name == FORWARD and not call.services.config.audit.forward)


async def _forward(conn: Connection, call: Call[NoQuery], wanted: str) -> None:
    try:
        if wanted:
            Endpoint.parse(wanted)
    except ValueError as error:
        raise QueryInvalid(f"{FORWARD}: {error}") from None
    await forwarding.set_endpoint(conn, wanted)
    what = f"{FORWARD} {wanted}".rstrip()
    await audit.record(conn, call.principal, "update", "configuration", what, project_id=None, **call.audit)


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        people = await people_of(conn, call)
        values = await _values(conn, call.services.config, people)
    return answer({name: Item(value, _editable(call, people, name)) for name, value in values.items()})


async def _put(call: Call[NoQuery]) -> Answer:
    asked = {name: value for name, value in msgspec.structs.asdict(call.body).items() if value is not None}
    async with call.database.transaction() as conn:
        people = await people_of(conn, call)
        values = await _values(conn, call.services.config, people)
        for name, value in asked.items():
            if value == values.get(name) or _editable(call, people, name):
                continue
            if name == SKIP:
                raise QueryInvalid(f"{SKIP}: the audit trail is sealed where it stands, so it is always kept there too")
            raise QueryInvalid(f"{name} cannot be changed here: see the configuration file of the server")
        if asked.get(FORWARD, values[FORWARD]) != values[FORWARD]:
            await _forward(conn, call, asked[FORWARD])
        if asked.get(READ_ONLY, values[READ_ONLY]) != values[READ_ONLY]:
            mode = settings.Mode.READ_ONLY if asked[READ_ONLY] else settings.Mode.NORMAL
            await settings.set_mode(conn, call.principal, mode, **call.audit)
        changed = {name: value for name, value in asked.items() if is_oidc(name) and value != values.get(name)}
        await set_people(conn, call, people, changed)
    return done()


OPERATIONS = (
    Operation(
        *("GET", "/configurations", "The settings, and which can be changed", _get),
        result=dict[str, Item],
        needs=SystemAction.CONFIGURATION,
    ),
    Operation(
        *("PUT", "/configurations", "Change settings", _put),
        body=Changes,
        needs=SystemAction.CONFIGURATION,
        always=True,
    ),
    Operation(*("GET", "/internalconfig", "The same", _get), result=dict[str, Item], needs=SystemAction.CONFIGURATION),
)
