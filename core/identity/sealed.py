"""Secrets of OIDC at rest: the client's, and the refresh token of each person. Each opens at its own place alone."""

import base64

from ..access import SYSTEM
from ..records import identities, settings
from ..records.database import Connection
from ..secrets import Vault

SECRET = "oidc_client_secret"
_PLACE = f"setting:{SECRET}"


def seal_client_secret(vault: Vault, secret: str) -> str:
    """What the setting SECRET holds."""
    return base64.b64encode(vault.seal(_PLACE, secret.encode())).decode()


def open_client_secret(vault: Vault, kept: str) -> str:
    """The secret, or SealBroken."""
    return vault.open(_PLACE, base64.b64decode(kept)).decode()


def seal_refresh_token(vault: Vault, account_id: int, token: str) -> bytes | None:
    """What account_identity holds of a refresh token; None of none."""
    return vault.seal(_place(account_id), token.encode()) if token else None


def open_refresh_token(vault: Vault, account_id: int, kept: bytes) -> str:
    """The token, or SealBroken."""
    return vault.open(_place(account_id), kept).decode()


async def reseal(conn: Connection, vault: Vault) -> tuple[int, int]:
    """Seal again what an older master secret sealed, and open the rest: how many were sealed again, and how many there
    are. SealBroken where one opens with none of ours."""
    count, total = 0, 0
    for kept in (await settings.read(conn, SECRET)).values():
        secret, total = open_client_secret(vault, kept), total + 1
        if vault.outdated(base64.b64decode(kept)):
            await settings.write(conn, SYSTEM, SECRET, seal_client_secret(vault, secret), f"{SECRET} sealed again")
            count += 1
    for account_id, sealed in await identities.sealed(conn):
        plain, total = vault.open(_place(account_id), sealed), total + 1
        if vault.outdated(sealed):
            await identities.reseal(conn, account_id, vault.seal(_place(account_id), plain), sealed)
            count += 1
    return count, total


def _place(account_id: int) -> str:
    return f"account_identity:{account_id}"
