"""Where people sign in: the configuration file says, or where it does not the settings of the management API."""

import json
from dataclasses import dataclass
from importlib.util import find_spec

import msgspec

from ...core.identity import sealed
from ...core.oci.errors import QueryInvalid, Unsupported
from ...core.records import settings
from ...core.records.database import Connection
from ...core.secrets import Vault
from ..sections import Oidc
from ..units import Secret, decode
from .issuers import check_url

OIDC, LOCAL = "oidc_auth", "db_auth"
AUTH_MODE, VALUES = "auth_mode", "oidc"
MISSING = "OIDC login needs authlib: pip install 'dataforge-registry[oidc]'"
LDAP = (
    "LDAP is not spoken here: put an OIDC provider that does (dex, Keycloak) before the directory and set auth_mode to "
    "oidc_auth"
)
_OURS = {"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce"} | {
    "code_challenge",
    "code_challenge_method",
}


@dataclass(frozen=True)
class Effective:
    """The mode of this moment and how it is set up; `fixed`: by the configuration file."""

    mode: str
    oidc: Oidc
    fixed: bool

    @property
    def on(self) -> bool:
        """Whether people sign in at a provider."""
        return self.mode == OIDC


async def effective(conn: Connection, configured: Oidc, vault: Vault | None) -> Effective:
    """What holds now. Without a vault nothing but a file's words is known."""
    if configured.endpoint:
        return Effective(OIDC, configured, True)
    found = await settings.read(conn, AUTH_MODE, VALUES, sealed.SECRET)
    values = json.loads(found.get(VALUES, "{}"))
    if vault is not None and (kept := found.get(sealed.SECRET)):
        values["client_secret"] = sealed.open_client_secret(vault, kept)
    return Effective(found.get(AUTH_MODE, LOCAL), msgspec.convert(values, Oidc, dec_hook=decode), False)


def check_extra() -> None:
    """Unsupported where the package that OIDC login needs is not there."""
    if find_spec("authlib") is None:
        raise Unsupported(MISSING)


def check(oidc: Oidc) -> Oidc:
    """The settings, if people could sign in by them; QueryInvalid says what is wrong."""
    check_url(oidc.endpoint, "oidc_endpoint")
    if not oidc.client_id:
        raise QueryInvalid("oidc_client_id: the name that the provider knows this registry by")
    if "openid" not in scopes(oidc):
        raise QueryInvalid("oidc_scope: openid must be one of the scopes, parted by commas")
    parameters(oidc)
    return oidc


def scopes(oidc: Oidc) -> list[str]:
    """The scopes to ask for, which Harbor parts by commas."""
    return [scope for scope in oidc.scope.replace(",", " ").split() if scope]


def parameters(oidc: Oidc) -> dict[str, str]:
    """What else goes to the provider with the browser, as {"prompt": "login"}; QueryInvalid for what is ours to say."""
    try:
        found = msgspec.json.decode(oidc.extra_redirect_parms or "{}", type=dict[str, str])
    except msgspec.MsgspecError:
        raise QueryInvalid('oidc_extra_redirect_parms: a JSON object of texts, as {"prompt": "login"}') from None
    if wrong := _OURS & set(found):
        raise QueryInvalid(f"oidc_extra_redirect_parms: {min(wrong)} is not for you to set")
    return found


def changed(oidc: Oidc, values: dict[str, object]) -> Oidc:
    """The settings with other values."""
    return msgspec.structs.replace(
        oidc, **{name: Secret(value) if name == "client_secret" else value for name, value in values.items()}
    )
