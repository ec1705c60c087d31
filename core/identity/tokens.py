"""JSON Web Tokens of other issuers (RFC 7519, RFC 8725): which algorithms, whose keys, how old, how large.

The key decides which algorithms can be meant, and only those with a public key are known here: `none` and keys shared
with the issuer (HS256) are refused whatever header or key set says.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import jwt
import msgspec

ALGORITHMS: dict[str, tuple[str, str]] = {
    **{f"{kind}{bits}": ("RSA", "") for kind in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", ""),
}
"""Algorithm -> type of its keys and their curve (RFC 7518 section 3.1, RFC 8037)."""
LEEWAY = 30
"""Seconds two clocks may differ."""
LONGEST_TOKEN = 16 << 10
MOST_KEYS = 100
LEAST_BITS = 2048
T = TypeVar("T")
_Time = Annotated[float, msgspec.Meta(ge=0, lt=2**40)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]


class TokenRefused(Exception):
    """A token that is not to be believed; why, in words without the token."""


class Header(msgspec.Struct):
    """What is read of a header. Keys and addresses of keys that it names itself are not."""

    alg: str
    kid: str | None = None
    crit: Any = None


class Registered(msgspec.Struct):
    """The claims every token needs (RFC 7519 section 4.1)."""

    iss: _Text
    sub: _Text
    iat: _Time
    exp: _Time
    nbf: _Time = 0
    jti: str | None = None


@dataclass(frozen=True)
class Believed:
    """A token whose signature, issuer, audience and times are right."""

    claims: dict[str, Any]
    header: dict[str, Any]
    issuer: str
    subject: str
    issued: float
    expires: float
    once: str
    """What names it and no other: its jti, else all that was signed."""


def header_of(token: str) -> Header:
    """The header, TokenRefused where it is not one of a signed token that could be believed."""
    if len(token) > LONGEST_TOKEN or token.count(".") != 2 or not token.isascii():
        raise TokenRefused("it is no signed JSON Web Token of at most 16 KiB")
    header = _decoded(token.split(".")[0], Header)
    if header.alg not in ALGORITHMS or header.crit is not None:
        raise TokenRefused("it is signed in a way that is not accepted here")
    return header


def issuer_of(token: str) -> str:
    """Who it says made it, before anything of it is believed: to look up whether anybody trusts that issuer."""
    header_of(token)
    return _decoded(token.split(".")[1], Registered).iss


def usable(jwk: Any, header: Header) -> bool:
    """Whether a key of a set (RFC 7517) may have made a signature with this header."""
    kind, curve = ALGORITHMS[header.alg]
    return (
        isinstance(jwk, dict)
        and (header.kid is None or jwk.get("kid") == header.kid)
        and jwk.get("kty") == kind
        and (not curve or jwk.get("crv") == curve)
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", header.alg) == header.alg
    )


def believe(token: str, keys: Iterable[Any], issuer: str, audience: str | Sequence[str]) -> Believed:
    """The token's claims, TokenRefused where one of the keys' owners did not make it for this audience (or one of
    these), or its time is not now. `keys` are JWKs that are `usable`."""
    header = header_of(token)
    found = list(keys)
    if len(found) != 1:
        raise TokenRefused("its key is not known" if not found else "it does not say which of several keys signed it")
    try:
        key = jwt.PyJWK(found[0], header.alg).key
        if ALGORITHMS[header.alg][0] == "RSA" and key.key_size < LEAST_BITS:
            raise TokenRefused(f"its key has less than {LEAST_BITS} bits")
        options: Any = {"require": ["iss", "sub", "aud", "iat", "exp"]}
        known: Any = {"audience": audience, "issuer": issuer, "leeway": LEEWAY}
        claims = jwt.decode(token, key, [header.alg], options, **known)
        given = msgspec.convert(claims, Registered)
    except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenRefused(_why(error)) from None
    if given.iat > time.time() + LEEWAY or given.exp <= given.iat:
        raise TokenRefused("its times cannot be")
    once = f"{issuer}\0{given.jti}" if given.jti else token.rpartition(".")[0]
    return Believed(claims, {"alg": header.alg}, given.iss, given.sub, given.iat, given.exp, once)


_WHY: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "it is expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.MissingRequiredClaimError: "it lacks a claim that it needs",
    jwt.InvalidSignatureError: "its signature is wrong",
}


def _why(error: Exception) -> str:
    return _WHY.get(type(error), "it cannot be read")


def _decoded(part: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(jwt.utils.base64url_decode(part), type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise TokenRefused("it cannot be read") from None
