"""Which tokens of other issuers are believed: by algorithm, key, issuer, audience and time."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.identity.tokens import TokenRefused, believe, header_of, issuer_of, usable

ISSUER, AUDIENCE = "https://id.example.org", "registry"
RSA = rsa.generate_private_key(65537, 2048)
SMALL = rsa.generate_private_key(65537, 1024)
EC, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())


def public(key: Any, kid: str = "k", **more: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


KEYS = [public(RSA, "rsa"), public(EC, "ec"), public(P384, "p384"), public(SMALL, "small"), {"kty": "oct"}, "no key"]


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"iss": ISSUER, "sub": "s", "aud": AUDIENCE, "iat": now, "exp": now + 600, "jti": "j"} | changes
    return {name: value for name, value in made.items() if value is not None}


def token(key: Any = EC, algorithm: str = "ES256", kid: str | None = "ec", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, {"kid": kid} if kid else None)


def asked(text: str, keys: list[Any] = KEYS) -> dict[str, Any]:
    header = header_of(text)
    return believe(text, [key for key in keys if usable(key, header)], ISSUER, AUDIENCE).claims


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(EC, "ES256", "ec"), (P384, "ES384", "p384"), (RSA, "RS256", "rsa"), (RSA, "PS512", "rsa"), (EC, "ES256", None)],
)
def test_tokens_of_the_issuers_keys_are_believed(key: Any, algorithm: str, kid: str | None) -> None:
    assert asked(token(key, algorithm, kid, aud=["other", AUDIENCE]))["sub"] == "s"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ISSUER + "/"},
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": 7},
        {"exp": None},
        {"exp": int(time.time()) - 31},
        {"exp": 1e300},
        {"exp": "9999999999"},
        {"exp": True},
        {"iat": None},
        {"iat": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 600},
        {"nbf": int(time.time()) + 3600},
        {"jti": 7},
    ],
)
def test_claims_must_be_right(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        asked(token(**changes))


def forged(header: dict[str, Any], secret: bytes | None = None) -> str:
    text = f"{part(header)}.{part(claims())}"
    signature = hmac.digest(secret, text.encode(), hashlib.sha256) if secret is not None else b""
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def signed(header: dict[str, Any], key: Any) -> str:
    """As an issuer that stops at nothing would."""
    text = f"{part(header)}.{part(claims())}"
    signature = jwt.get_algorithm_by_name(header["alg"]).sign(text.encode(), key)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "text",
    [
        forged({"alg": "none"}),
        forged({"alg": "None", "kid": "ec"}),
        forged({"alg": "", "kid": "ec"}),
        forged({"alg": "HS256", "kid": "rsa"}, PEM),
        forged({"alg": "HS256"}, json.dumps(public(RSA)).encode()),
        forged({"alg": "RS256", "kid": "rsa"}, PEM),
        token(P384, "ES384", "ec"),
        signed({"alg": "RS256", "kid": "small"}, SMALL),
        token(RSA, "RS256", None),  # of two RSA keys, and does not say which
        token(ec.generate_private_key(ec.SECP256R1()), "ES256", "ec"),
        token(ec.generate_private_key(ec.SECP256R1()), "ES256", "unknown"),
        signed({"alg": "ES384", "kid": "p384", "crit": ["b64"], "b64": False}, P384),
        signed({"alg": "ES256", "kid": "ec", "crit": []}, EC),
        token(x="y" * (17 << 10)),
        token() + ".x",
        token().rpartition(".")[0] + ".",
        "",
        "a.b.c",
        "ä.b.c",
    ],
    ids=itertools.count(),  # signatures differ from process to process
)
def test_only_the_issuers_keys_sign(text: str) -> None:
    with pytest.raises(TokenRefused):
        asked(text)


def test_a_key_in_the_header_is_nobodys() -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    text = jwt.encode(claims(), own, "ES256", {"kid": "ec", "jwk": public(own), "jku": "https://evil.example/keys"})
    with pytest.raises(TokenRefused):
        asked(text)


@pytest.mark.parametrize("more", [{"use": "enc"}, {"alg": "ES384"}, {"kid": "other"}, {"crv": "P-384"}, {"kty": "RSA"}])
def test_a_key_is_for_what_it_says(more: dict[str, Any]) -> None:
    assert usable(public(EC, "ec"), header_of(token()))
    assert not usable(public(EC, "ec") | more, header_of(token()))


def test_what_names_a_token_does_not_depend_on_its_signature() -> None:
    first, again = (believe(token(jti=None, iat=1), [public(EC, "ec")], ISSUER, AUDIENCE).once for _ in range(2))
    assert first == again


@given(st.text() | st.builds(lambda *parts: ".".join(parts), *[st.text() | st.builds(part, st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["alg", "kid", "crit", "iss", "sub", "exp", "iat", "ES256"]), inner)))] * 3))  # fmt: skip
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(TokenRefused):
        asked(text)
    with suppress(TokenRefused):
        assert issuer_of(text)
