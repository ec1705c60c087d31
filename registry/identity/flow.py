"""The authorization code flow (OpenID Connect Core section 3.1, RFC 6749, RFC 7636, RFC 9207) with one provider.

What must come back with the browser is sealed in a cookie of its own: state, nonce, PKCE verifier, redirect URI and
the provider they are for. A code that another browser, another login or another provider asked for finds none.
"""

import hmac
import secrets
import time
from typing import Any
from urllib.parse import quote

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from ...core.identity.tokens import LEEWAY, Believed, TokenRefused
from ...core.oci.errors import QueryInvalid, Unauthorized, Unavailable
from ..forms import Fields
from ..sections import Oidc
from .issuers import Issuer, Json, Refused
from .settings import parameters, scopes

FORM = "application/x-www-form-urlencoded"


class Pending(msgspec.Struct, frozen=True):
    """A login on its way to the provider and back."""

    endpoint: str
    client_id: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    target: str
    until: float


class Tokens(msgspec.Struct, frozen=True):
    """An answer of the token endpoint (RFC 6749 section 5.1)."""

    access_token: str
    id_token: str = ""
    refresh_token: str = ""


class Answered(msgspec.Struct, frozen=True):
    """Who it was that signed in, all claims together, and what asks the provider again."""

    token: Believed | None
    subject: str
    claims: Json
    refresh_token: str


async def begin(issuer: Issuer, oidc: Oidc, redirect_uri: str, target: str, seconds: float) -> tuple[str, Pending]:
    """Where to send the browser, and what to seal for its return."""
    metadata = await issuer.metadata()
    if not metadata.authorization_endpoint or not metadata.token_endpoint:
        raise Unavailable("the OIDC provider says nothing of where people sign in")
    pending = Pending(
        endpoint=oidc.endpoint,
        client_id=oidc.client_id,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=redirect_uri,
        target=target,
        until=time.time() + seconds,
    )
    url = prepare_grant_uri(
        metadata.authorization_endpoint,
        oidc.client_id,
        "code",
        redirect_uri,
        scopes(oidc),
        pending.state,
        **parameters(oidc),
        nonce=pending.nonce,
        code_challenge=create_s256_code_challenge(pending.verifier),
        code_challenge_method="S256",
    )
    return url, pending


async def finish(issuer: Issuer, oidc: Oidc, pending: Pending, fields: Fields) -> Answered:
    """Who came back. Unauthorized where the provider said no, or the answer belongs to another login."""
    metadata = await issuer.metadata()
    if (pending.endpoint, pending.client_id) != (oidc.endpoint, oidc.client_id) or pending.until < time.time():
        raise Unauthorized("this login is too old; begin again at /c/oidc/login")
    if not hmac.compare_digest(fields.one("state").encode(), pending.state.encode()):
        raise Unauthorized("this answer belongs to another login; begin again at /c/oidc/login")
    said = fields.one("iss")
    if said != metadata.issuer and (said or metadata.authorization_response_iss_parameter_supported):
        raise Unauthorized("this answer is of another OIDC provider")
    if refusal := fields.one("error"):
        shown = "".join(char for char in refusal[:64] if char.isalnum() or char == "_")
        raise Unauthorized(f"the OIDC provider did not let you in: {shown}")
    if not (code := fields.one("code")):
        raise QueryInvalid("the OIDC provider sent neither a code nor an error")
    body = prepare_token_request(
        "authorization_code", code=code, redirect_uri=pending.redirect_uri, code_verifier=pending.verifier
    )
    try:
        tokens = await _tokens(issuer, oidc, body)
        if not tokens.id_token:
            raise TokenRefused("it sent none")
        return await _answered(issuer, oidc, tokens, nonce=pending.nonce)
    except Refused as error:
        raise Unauthorized(f"the OIDC provider refused the code ({error.error}); begin again") from None
    except TokenRefused as error:
        raise Unauthorized(f"the OIDC provider's token cannot be believed: {error}") from None


async def refresh(issuer: Issuer, oidc: Oidc, refresh_token: str, subject: str) -> Answered:
    """What the provider says of somebody now. Refused where it no longer stands for him."""
    try:
        tokens = await _tokens(issuer, oidc, prepare_token_request("refresh_token", refresh_token=refresh_token))
        found = await _answered(issuer, oidc, tokens, subject=subject)
    except TokenRefused as error:
        raise Refused(str(error)) from None
    return found if found.refresh_token else msgspec.structs.replace(found, refresh_token=refresh_token)


async def _tokens(issuer: Issuer, oidc: Oidc, body: str) -> Tokens:
    form, headers = await _authenticated(issuer, oidc, body)
    try:
        return msgspec.convert(await issuer.post((await issuer.metadata()).token_endpoint, form, headers), Tokens)
    except msgspec.ValidationError:
        raise Unavailable("the OIDC provider does not answer as it should; try again") from None


async def _authenticated(issuer: Issuer, oidc: Oidc, body: str) -> tuple[Any, dict[str, str]]:
    """A form with this client's name and secret, where the provider wants them (RFC 6749 section 2.3.1)."""
    methods = (await issuer.metadata()).token_endpoint_auth_methods_supported
    name, secret, method = oidc.client_id, str(oidc.client_secret), "client_secret_post"
    if not secret:
        method = "none"
    elif "client_secret_basic" in methods or method not in methods:
        name, secret, method = quote(name, safe=""), quote(secret, safe=""), "client_secret_basic"
    _, headers, form = ClientAuth(name, secret, method).prepare("POST", "", {"Content-Type": FORM}, body)
    return form, headers


async def _answered(issuer: Issuer, oidc: Oidc, tokens: Tokens, nonce: str = "", subject: str = "") -> Answered:
    """The ID token's claims and those of the userinfo endpoint (sections 3.1.3.7, 5.3.2), of one subject."""
    token, claims = None, Json()
    if tokens.id_token:
        token = await issuer.verified(tokens.id_token, oidc.client_id)
        claims = token.claims
        known = {"nonce": nonce, "client_id": oidc.client_id, "access_token": tokens.access_token}
        try:
            CodeIDToken(claims, token.header, {}, known).validate(time.time(), LEEWAY)
        except JoseError:
            raise TokenRefused("it belongs to another login") from None
    expected = subject or claims["sub"]
    if url := (await issuer.metadata()).userinfo_endpoint:
        more = await issuer.get(url, tokens.access_token)
        if more.get("sub") != expected:
            raise TokenRefused("the user info is somebody else's")
        claims = claims | more
    if claims.get("sub") != expected:
        raise TokenRefused("it is somebody else's")
    return Answered(token, expected, claims, tokens.refresh_token)
