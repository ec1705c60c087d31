"""What becomes of an answer of the OIDC provider: a Person, kept beside the account; asked again every five minutes."""

import logging
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ...core.access import Principal
from ...core.identity import claims, sealed
from ...core.oci.errors import Unauthorized, Unavailable
from ...core.records import identities
from ...core.records.database import Connection, Database
from ...core.records.identities import Person
from ...core.secrets import Vault
from ..sections import Oidc
from .issuers import Issuer, Issuers, Refused
from .settings import Effective, effective

if TYPE_CHECKING:
    from .flow import Answered

log = logging.getLogger(__name__)
SILENT = timedelta(minutes=5)
"""How long an answer without an ID token is good for."""
RETRY = timedelta(seconds=30)
_OUR_FAULT = ("invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope")
_GONE = "the OIDC provider does not know you any more; sign in with a browser"


class People:
    """Those who sign in at the provider of this moment."""

    def __init__(self, database: Database, vault: Vault, configured: Oidc, issuers: Issuers) -> None:
        self._database, self._configured = database, configured
        self.vault, self._issuers = vault, issuers

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """One of the database that these people are kept in."""
        return self._database.transaction()

    async def settings(self) -> Effective:
        """How people sign in now."""
        async with self._database.acquire() as conn:
            return await effective(conn, self._configured, self.vault)

    def issuer(self, oidc: Oidc) -> Issuer:
        """The provider of these settings."""
        return self._issuers.of(oidc.endpoint, oidc.verify_cert)

    async def try_issuer(self, url: str, verify_cert: bool) -> None:
        """Fetch what an issuer says of itself, whatever was fetched before. Unavailable."""
        await Issuer(self._issuers, url, verify_cert).metadata()

    async def person(self, conn: Connection, oidc: Oidc, issuer: str, answered: "Answered") -> Person:
        """Who it is that the provider speaks of; `groups` after the filter, the administrators' group before it."""
        said = answered.claims
        named = claims.groups(said, oidc.groups_claim) if oidc.groups_claim else []
        return Person(
            issuer=issuer,
            subject=answered.subject,
            username=claims.username(said, oidc.user_claim),
            email=claims.email(said),
            realname=claims.realname(said),
            groups=await identities.filtered(conn, named, oidc.group_filter),
            admin=bool(oidc.admin_group) and oidc.admin_group in named,
        )

    async def heard(self, conn: Connection, who: Principal, person: Person, answered: "Answered", **where: str) -> None:
        """Keep what the provider said of an account."""
        until = datetime.now(UTC) + SILENT
        if answered.token is not None:
            until = datetime.fromtimestamp(answered.token.expires, UTC)
        kept = sealed.seal_refresh_token(self.vault, who.id, answered.refresh_token)
        await identities.heard(conn, who, person, kept, until, **where)

    async def vouch(self, who: Principal) -> None:
        """Have the provider say whether it still knows an account, where it has not been asked lately; groups come
        along. Unauthorized where it does not; Unavailable where it cannot be asked and its last word is too old."""
        now = await self.settings()
        async with self._database.transaction() as conn:
            asked = await identities.ask(conn, who.id)
            if asked is None:
                return
            here = now.on and asked.issuer.rstrip("/") == now.oidc.endpoint.rstrip("/")
            if not asked.disowned and (asked.refresh_token is None or not here):
                if asked.stands and here:
                    return
                await identities.lapse(conn, who.id)
        if asked.disowned or asked.refresh_token is None or not here:
            raise Unauthorized("your login at the OIDC provider is too old; sign in with a browser")
        token = sealed.open_refresh_token(self.vault, who.id, asked.refresh_token)
        try:
            await self._refresh(who, now.oidc, asked.issuer, asked.subject, token)
        except Unavailable:
            async with self._database.acquire() as conn:
                await identities.ask_again(conn, who.id, RETRY if asked.stands else timedelta(0))
            if not asked.stands:
                raise

    async def _refresh(self, who: Principal, oidc: Oidc, issuer: str, subject: str, token: str) -> None:
        from .flow import refresh

        try:
            answered = await refresh(self.issuer(oidc), oidc, token, subject)
        except Refused as error:
            if error.error in _OUR_FAULT:
                log.warning("the OIDC provider refuses this registry's client: %s", error.error)
                raise Unavailable("the OIDC provider cannot be asked; try again") from None
            async with self._database.transaction() as conn:
                await identities.disown(conn, who.id)
            raise Unauthorized(_GONE) from None
        async with self._database.transaction() as conn:
            await self.heard(conn, who, await self.person(conn, oidc, issuer, answered), answered)
