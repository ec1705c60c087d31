"""Keyless robots: a token of a CI system for a short-lived one of a robot (RFC 8693), and that one as its password.

Which robots trust whom is asked first: of an issuer that no rule names nothing is ever fetched. A token is good once.
"""

import logging
import time
from datetime import UTC, datetime
from typing import NamedTuple

from ...core.access import Principal
from ...core.identity import rules
from ...core.identity.tokens import LEEWAY, Believed, TokenRefused, issuer_of
from ...core.oci.errors import QueryInvalid, Unauthorized
from ...core.records import identities, trusts
from ...core.records.database import Database
from ...core.records.robots import PREFIX
from ...core.signing import KeyRing, Token
from ..forms import Fields
from .issuers import Issuers

log = logging.getLogger(__name__)
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_TYPES = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
LONGEST = 86400
"""Seconds that a token may live from its making."""


class Where(NamedTuple):
    """Where a request came from."""

    address: str
    request_id: str


class Exchange:
    """Finds the robot that a token may act as. `expiry`: seconds that the robot's own token is to last."""

    def __init__(self, database: Database, issuers: Issuers, expiry: float) -> None:
        self._database, self._issuers, self.expiry = database, issuers, expiry

    async def robot(self, fields: Fields, where: Where) -> Principal:
        """The robot of a token exchange's form: the one that `client_id` names, else the only one that trusts the
        token. Unauthorized says what is wrong with the token; QueryInvalid what with the form."""
        if fields.one("subject_token_type") not in _TYPES:
            raise QueryInvalid(f"subject_token_type is {_TYPES[0]}")
        if fields.one("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise QueryInvalid(f"requested_token_type is {ACCESS_TOKEN}")
        try:
            believed = await self._believed(fields.one("subject_token"))
        except TokenRefused as error:
            raise Unauthorized(f"the subject_token is not accepted: {error}") from None
        name = fields.one("client_id")[:512].replace("\0", "")
        audience = believed.claims["aud"]
        async with self._database.transaction() as conn:
            found = await trusts.matching(
                conn,
                believed.issuer,
                [audience] if isinstance(audience, str) else audience,
                rules.texts(believed.claims),
                name,
            )
            if not found:
                log.info("no robot trusts a token of %r by %s", believed.subject, believed.issuer)
                raise Unauthorized("no robot trusts this token")
            if len(found) > 1:
                raise QueryInvalid("several robots trust this token: name one as client_id")
            if not await identities.use(
                conn, f"token {believed.once}", datetime.fromtimestamp(believed.expires + 2 * LEEWAY, UTC)
            ):
                raise Unauthorized("this subject_token was used before")
            await trusts.exchanged(conn, found[0], believed.subject, believed.issuer, **where._asdict())
        return found[0].principal

    async def _believed(self, token: str) -> Believed:
        issuer = issuer_of(token)
        async with self._database.acquire() as conn:
            audiences = await trusts.audiences(conn, issuer)
        if not audiences:
            raise TokenRefused("no robot trusts its issuer")
        believed = await self._issuers.of(issuer).verified(token, audiences)
        if believed.expires - believed.issued > LONGEST:
            raise TokenRefused("it lives longer than a day")
        return believed


async def by_token(keys: KeyRing, username: str, password: str) -> Token | None:
    """A robot whose password is a token of this registry, as after an exchange; None for other credentials.
    TokenInvalid, Unauthorized where it is no good."""
    if not username.startswith(PREFIX) or not password.startswith("eyJ"):
        return None
    token = await keys.verify(password)
    if token.principal.kind != "robot" or token.principal.name != username:
        raise Unauthorized("the user name or password is wrong")
    return token


def seconds_left(token: Token) -> int:
    """How long a token can still be handed on."""
    return int(token.expires - LEEWAY - time.time())
