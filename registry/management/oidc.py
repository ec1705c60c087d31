"""Where people sign in, as Harbor's settings say it: the part of /configurations that is about it, and the try."""

from typing import Annotated, Any

import msgspec

from ...core.access import SystemAction
from ...core.identity.sealed import SECRET, seal_client_secret
from ...core.oci.errors import QueryInvalid, Unavailable
from ...core.records import identities, settings
from ...core.records.database import Connection
from ..endpoint import NoQuery
from ..identity.issuers import check_url
from ..identity.settings import LDAP, LOCAL, OIDC, VALUES, Effective, changed, check, check_extra, effective, parameters
from ..sections import Oidc
from ..v2.answer import Answer
from .answers import done
from .operation import Call, Operation
from .users import Line

Text = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^[^\x00-\x1f\x7f]*$")]
AUTH_MODE = "auth_mode"
OIDC_VALUES = tuple(name for name in Oidc.__struct_fields__ if name != "client_secret")


class OidcChanges(msgspec.Struct, frozen=True):
    """New values, flat."""

    auth_mode: str | None = None
    oidc_name: Line | None = None
    oidc_endpoint: Text | None = None
    oidc_client_id: Line | None = None
    oidc_client_secret: Text | None = None
    oidc_scope: Text | None = None
    oidc_user_claim: Line | None = None
    oidc_groups_claim: Line | None = None
    oidc_admin_group: Line | None = None
    oidc_group_filter: Text | None = None
    oidc_auto_onboard: bool | None = None
    oidc_verify_cert: bool | None = None
    oidc_extra_redirect_parms: Text | None = None
    oidc_logout: bool | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """A provider to be tried."""

    url: Text
    verify_cert: bool = True


async def people_of(conn: Connection, call: Call[NoQuery]) -> Effective:
    """How people sign in now."""
    return await effective(conn, call.services.config.auth.oidc, call.services.vault)


def values_of(people: Effective) -> dict[str, Any]:
    """What may be shown of them: all but the secret."""
    return {AUTH_MODE: people.mode, **{f"oidc_{name}": getattr(people.oidc, name) for name in OIDC_VALUES}}


def is_oidc(name: str) -> bool:
    """Whether a setting is about it."""
    return name == AUTH_MODE or name.startswith("oidc_")


async def set_people(conn: Connection, call: Call[NoQuery], people: Effective, changes: dict[str, Any]) -> None:
    """Where people sign in from now on. The settings of a provider may be kept before it is turned to."""
    if not changes:
        return
    vault = call.services.vault
    if vault is None:
        raise QueryInvalid("nobody signs in here (auth.mode: none)")
    mode = changes.pop(AUTH_MODE, people.mode)
    if mode == "ldap_auth":
        raise QueryInvalid(LDAP)
    if mode not in (LOCAL, OIDC):
        raise QueryInvalid("auth_mode is db_auth or oidc_auth")
    oidc = changed(people.oidc, {name.removeprefix("oidc_"): value for name, value in changes.items()})
    if mode == OIDC:
        check_extra()
        check(oidc)
    parameters(oidc)
    await identities.filtered(conn, ("",), oidc.group_filter)
    if mode != people.mode:
        await settings.write(conn, call.principal, AUTH_MODE, mode, f"auth_mode {mode}", **call.audit)
    if secret := changes.pop("oidc_client_secret", None):
        kept = seal_client_secret(vault, secret)
        await settings.write(conn, call.principal, SECRET, kept, "oidc_client_secret", **call.audit)
    if changes:
        kept_values = {name: getattr(oidc, name) for name in OIDC_VALUES}
        await settings.write(conn, call.principal, VALUES, kept_values, ", ".join(sorted(changes)), **call.audit)


async def _ping(call: Call[NoQuery]) -> Answer:
    asked: Endpoint = call.body
    if call.services.people is None:
        raise QueryInvalid("nobody signs in here (auth.mode: none)")
    try:
        await call.services.people.try_issuer(check_url(asked.url, "url"), asked.verify_cert)
    except Unavailable as error:
        raise QueryInvalid(error.message) from None
    return done()


OPERATIONS = (
    Operation(
        *("POST", "/system/oidc/ping", "Try the metadata of an OIDC provider", _ping),
        body=Endpoint,
        needs=SystemAction.CONFIGURATION,
        always=True,
    ),
)
