"""Tokens that say who is asking: JSON Web Tokens (RFC 7519) under ES256 keys that are kept in the database and rotate.

Every process knows the next key before it signs, reads the keys anew each minute, and once more when it meets a key id
it does not know: keys rotate without a refused request.
"""

import asyncio
import hashlib
import json
import re
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, cast

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm

from .access import Action, Kind, Principal
from .oci.errors import TokenInvalid
from .records import keys
from .records.database import Connection, Database
from .records.keys import KeyRow
from .secrets import Vault

ALGORITHM = "ES256"
LEEWAY = 30
"""Seconds two clocks may differ."""
LONGEST = 3600
"""Seconds a token may live, whoever signed it."""
MAX_TOKEN = 8 << 10
REFRESH = 60.0
"""Seconds after which a process reads the keys anew."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_KID = re.compile(r"[A-Za-z0-9_-]{43}")
_REJECTED = "the token is expired or was not made here; ask for a new one"


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """The only header a token of ours has: whatever names a key or an algorithm of its own is refused."""

    alg: str
    kid: str
    typ: str


class _Claims(msgspec.Struct):
    """RFC 7519 section 4.1 and the principal. Times are whole seconds since the epoch."""

    iss: str
    sub: Annotated[str, msgspec.Meta(pattern=r"^(account|robot|anonymous):[0-9]{1,18}$")]
    aud: str
    iat: int
    nbf: int
    exp: int
    jti: str
    name: str
    epoch: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    access: list[Action] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """Who it is for, and until when (seconds since the epoch, leeway included)."""

    principal: Principal
    expires: float


class KeyRing:
    """Signs tokens and verifies them. `issuer` and `audience` are its iss and aud."""

    def __init__(self, database: Database, vault: Vault, issuer: str, audience: str) -> None:
        self._database, self._vault = database, vault
        self._issuer, self._audience = issuer, audience
        self._public: dict[str, Any] = {}
        self._jwks: list[dict[str, Any]] = []
        self._signer: tuple[str, EllipticCurvePrivateKey] | None = None
        self._loaded = 0.0
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Make the first keys where there are none, seal again what an older master secret sealed, read them.

        Raises SealBroken where auth.secretkey is not the one the keys were sealed with.
        """
        async with self._database.transaction() as conn:
            await keys.alone(conn)
            rows = await keys.load(conn)
            for state in {"active", "next"} - {row.state for row in rows}:
                await self._make(conn, state)
            await self._reseal(conn, rows)
        await self._load()

    async def reseal(self) -> tuple[int, int]:
        """Seal again what an older master secret sealed, and open the rest: how many were sealed again, and how many
        there are. SealBroken where one opens with none of ours."""
        async with self._database.transaction() as conn:
            await keys.alone(conn)
            rows = await keys.load(conn)
            return await self._reseal(conn, rows), len(rows)

    async def rotate(self, older_than: float = 0.0) -> None:
        """Sign with the next key from now on, make a new next one, drop those retired long ago. Nothing happens where
        the active key is younger than `older_than` seconds."""
        async with self._database.transaction() as conn:
            await keys.alone(conn)
            rows = {row.state: row for row in await keys.load(conn) if row.state != "retired"}
            if rows["active"].age < older_than:
                return
            await keys.activate(conn, rows["next"].kid)
            await self._make(conn, "next")
            # twice: a process may sign with a key for up to REFRESH after it retired
            await keys.forget(conn, timedelta(seconds=2 * (LONGEST + LEEWAY + REFRESH)))
        await self._load()

    async def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK set (RFC 7517, section 5)."""
        await self._fresh()
        return {"keys": self._jwks}

    async def sign(self, principal: Principal, lifetime: float) -> tuple[str, int]:
        """A token of this principal and its time of issue; `lifetime` in seconds is cut at an hour."""
        await self._fresh()
        assert self._signer is not None, "start() was not called"
        kid, private = self._signer
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": principal.key,
            "aud": self._audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(min(lifetime, LONGEST)),
            "jti": uuid.uuid4().hex,
            "name": principal.name,
            "epoch": principal.epoch,
        }
        if principal.ceiling is not None:
            claims["access"] = sorted(principal.ceiling)
        return jwt.encode(claims, private, ALGORITHM, {"kid": kid}), now

    async def attest(self, text: bytes) -> tuple[dict[str, Any], bytes]:
        """A signature (ECDSA over SHA-256, DER) of a text that is no token's, and the public key as a JWK."""
        await self._fresh()
        assert self._signer is not None, "start() was not called"
        kid, private = self._signer
        return next(jwk for jwk in self._jwks if jwk["kid"] == kid), private.sign(text, ECDSA(SHA256()))

    async def verify(self, token: str) -> Token:
        """Who a token is for, or TokenInvalid, the same for every reason."""
        try:
            if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
                raise ValueError("not a token of ours")
            header = msgspec.json.decode(jwt.utils.base64url_decode(token.partition(".")[0]), type=_Header)
            if (header.alg, header.typ) != (ALGORITHM, "JWT") or not _KID.fullmatch(header.kid):
                raise ValueError("not a header of ours")
            key = await self._key(header.kid)
            options: Any = {"require": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti"]}
            known: Any = {"audience": self._audience, "issuer": self._issuer, "leeway": LEEWAY}
            claims = msgspec.convert(jwt.decode(token, key, [ALGORITHM], options, **known), _Claims)
            if not 0 < claims.exp - claims.iat <= LONGEST:
                raise ValueError("lives too long")
            return Token(_principal(claims), claims.exp + LEEWAY)
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            raise TokenInvalid(_REJECTED) from None

    async def _reseal(self, conn: Connection, rows: list[KeyRow]) -> int:
        outdated = 0
        for row in rows:
            plain = self._vault.open(_place(row.kid), row.private_key)
            if self._vault.outdated(row.private_key):
                await keys.reseal(conn, row.kid, self._vault.seal(_place(row.kid), plain))
                outdated += 1
        return outdated

    async def _make(self, conn: Connection, state: str) -> None:
        private = generate_private_key(SECP256R1())
        der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        kid = _thumbprint(jwk)
        public = json.dumps(jwk | {"kid": kid, "alg": ALGORITHM, "use": "sig"})
        await keys.insert(conn, KeyRow(kid, ALGORITHM, state, public, self._vault.seal(_place(kid), der)))

    async def _key(self, kid: str) -> Any:
        await self._fresh()
        if kid not in self._public:
            await self._reload()
        if kid not in self._public:
            raise ValueError("unknown key")
        return self._public[kid]

    async def _fresh(self) -> None:
        if time.monotonic() - self._loaded > REFRESH:
            await self._reload()

    async def _reload(self) -> None:
        """Read the keys, at most once a second: callers that come together share one read, no sooner than that."""
        called = time.monotonic()
        async with self._lock:
            if self._loaded < called:
                await asyncio.sleep(max(0.0, self._loaded + 1 - time.monotonic()))
                await self._load()

    async def _load(self) -> None:
        started = time.monotonic()
        async with self._database.acquire() as conn:
            rows = await keys.load(conn)
        active = next(row for row in rows if row.state == "active")
        if self._signer is None or self._signer[0] != active.kid:
            private = load_der_private_key(self._vault.open(_place(active.kid), active.private_key), None)
            assert isinstance(private, EllipticCurvePrivateKey)
            self._signer = active.kid, private
        self._jwks = [json.loads(row.public_key) for row in rows]
        self._public = {jwk["kid"]: jwt.PyJWK(jwk).key for jwk in self._jwks}
        self._loaded = started


def _place(kid: str) -> str:
    return f"signing_key:{kid}"


def _thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638: SHA-256 over the required members of an EC key, in order, without spaces."""
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return jwt.utils.base64url_encode(hashlib.sha256(members.encode()).digest()).decode()


def _principal(claims: _Claims) -> Principal:
    kind, _, number = claims.sub.partition(":")
    ceiling = None if claims.access is None else frozenset(claims.access)
    return Principal(cast(Kind, kind), int(number), claims.name, claims.epoch, ceiling)
