"""The token service over HTTP, in every form clients use it, and every token that is none of ours."""

import asyncio
import base64
import hmac
import json
import re
import time
from datetime import datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.access import ANONYMOUS, SYSTEM, Action, Principal
from dataforge_registry.core.oci.errors import QueryInvalid, TokenInvalid
from dataforge_registry.core.records import accounts, keys
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.secrets import SealBroken, Vault
from dataforge_registry.core.signing import LONGEST, KeyRing
from dataforge_registry.registry.scopes import parse_scopes

from .conftest import PASSWORD, SECRET_KEY, SERVICE, Answer, Registry

TOKEN = "/service/token"
asyncio_test = pytest.mark.asyncio


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def post(registry: Registry, **fields: Any) -> Answer:
    return await registry.ask("POST", TOKEN, data={"service": SERVICE, "client_id": "tests"} | fields)


@asyncio_test
async def test_a_get_with_basic_gives_a_token_of_an_identity(registry: Registry) -> None:
    answer = await registry.ask("GET", f"{TOKEN}?service={SERVICE}&client_id=docker&account=ann", basic="ann")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token"] == answer.json["access_token"]
    assert answer.json["expires_in"] == 300
    assert abs(datetime.fromisoformat(answer.json["issued_at"]).timestamp() - time.time()) < 60
    assert answer.json["issued_at"].endswith("Z")
    assert "refresh_token" not in answer.json
    found = claims(answer.json["token"])
    assert found["aud"] == SERVICE
    assert re.fullmatch(r"account:\d+", found["sub"])
    assert found["exp"] - found["iat"] == 300
    assert "access" not in found


@asyncio_test
async def test_a_token_says_what_of_the_scopes_may_be_done_and_is_never_refused_for_it(registry: Registry) -> None:
    asked = [
        ("repository:wells/gr:pull,push,delete", "repository:wells/gr:pull,push"),
        ("repository:wells/gr:*", "repository:wells/gr:pull,push"),
        ("repository:open/gr:pull,push", "repository:open/gr:pull"),
        ("repository:absent/gr:pull registry:catalog:*", ""),
        ("repository:wells/gr:pull repository:open/gr:pull", "repository:wells/gr:pull repository:open/gr:pull"),
        ("nonsense", ""),
        ("repository::pull repository:wells/gr: :wells:pull", ""),
    ]
    for scope, granted in asked:
        answer = await registry.ask("GET", TOKEN, params={"scope": scope}, basic="ann")
        assert (answer.status, answer.json["scope"]) == (200, granted)
    repeated = [("scope", "repository:wells/gr:pull"), ("scope", "repository:open/gr:pull")]
    answer = await registry.ask("GET", TOKEN, params=repeated, basic="ann")
    assert answer.json["scope"] == "repository:wells/gr:pull repository:open/gr:pull"
    answer = await registry.ask("GET", TOKEN, params=[("scope", "repository:absent/gr:pull")], basic="admin")
    assert (answer.status, answer.json["scope"]) == (200, "")


@given(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.from_regex(r"[a-z0-9./:_-]{1,40}", fullmatch=True))
def test_a_scopes_name_may_hold_colons(kind: str, name: str) -> None:
    [asked] = parse_scopes([f"{kind}:{name}:pull,push"])
    assert (asked.type, asked.name, asked.actions) == (kind, name, ("pull", "push"))
    assert parse_scopes([str(asked)]) == [asked]


@given(st.lists(st.text(max_size=60), max_size=20))
def test_no_text_breaks_the_reading_of_scopes(values: list[str]) -> None:
    try:
        found = parse_scopes(values)
    except QueryInvalid:
        assert len(" ".join(values).split()) > 100
    else:
        assert all(asked.type and asked.name for asked in found)


@asyncio_test
async def test_a_wrong_password_is_401_by_both_ways(registry: Registry) -> None:
    told = set()
    for name in ("ann", "nobody"):
        for answer in (
            await registry.ask("GET", TOKEN, basic=(name, "wrong password")),
            await post(registry, grant_type="password", username=name, password="wrong password"),
        ):
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == f'Basic realm="{registry.url}"'
            told.add(str(answer.json))
    assert len(told) == 1


@asyncio_test
async def test_a_token_is_not_had_for_a_token(registry: Registry) -> None:
    assert (await registry.ask("GET", TOKEN, bearer=await registry.token())).status == 401


@asyncio_test
async def test_the_oauth_form_takes_a_password_and_gives_a_refresh_token(registry: Registry) -> None:
    first = await post(
        registry, grant_type="password", username="ann", password=PASSWORD, access_type="offline", scope="a:b:c"
    )
    assert first.status == 200
    refresh = first.json["refresh_token"]
    again = await post(registry, grant_type="refresh_token", refresh_token=refresh)
    assert again.status == 200
    assert "refresh_token" not in again.json
    assert (await registry.ask("GET", "/v2/", bearer=again.json["access_token"])).status == 200
    offline = await post(registry, grant_type="refresh_token", refresh_token=refresh, access_type="offline")
    assert offline.json["refresh_token"] == refresh
    async with registry.database.acquire() as conn:
        [row] = await conn.fetch("SELECT token_hash, client_id FROM refresh_token")
        logged = await conn.fetch("SELECT username, address FROM access_log WHERE resource_type = 'refresh_token'")
    assert refresh.encode() not in row["token_hash"]
    assert (row["client_id"], logged) == ("tests", [("ann", "127.0.0.1")])


@asyncio_test
async def test_no_parameter_breaks_the_giving_of_a_refresh_token(registry: Registry) -> None:
    for client in ("%00", "x" * 2000, "%C3%BC", "%0A", "", "%27;--"):
        answer = await registry.ask("GET", f"{TOKEN}?offline_token=true&client_id={client}", basic="ann")
        assert answer.status == 200
    for scope in (
        "repository:a%00b:pull",
        "repository:%C3%BC/x:pull",
        "x:%00:%00",
        "repository:" + "x" * 3000 + "/y:pull",
    ):
        answer = await registry.ask("GET", f"{TOKEN}?scope={scope}", basic="ann")
        assert (answer.status, answer.json["scope"]) == (200, "")


@asyncio_test
async def test_a_get_asks_for_a_refresh_token_by_offline_token(registry: Registry) -> None:
    answer = await registry.ask("GET", f"{TOKEN}?offline_token=true", basic="ann")
    refresh = answer.json["refresh_token"]
    assert (await post(registry, grant_type="refresh_token", refresh_token=refresh)).status == 200
    assert "refresh_token" not in (await registry.ask("GET", f"{TOKEN}?offline_token=true")).json


@asyncio_test
async def test_a_refresh_token_ends_with_its_time_and_its_account(registry: Registry) -> None:
    async def fresh() -> str:
        answer = await registry.ask("GET", f"{TOKEN}?offline_token=true", basic="ann")
        return str(answer.json["refresh_token"])

    expired = await fresh()
    async with registry.database.transaction() as conn:
        await conn.execute("UPDATE refresh_token SET expires_at = now()")
    revoked = await fresh()
    assert (await post(registry, grant_type="refresh_token", refresh_token=revoked)).status == 200
    async with registry.database.transaction() as conn:
        await accounts.disable(conn, SYSTEM, "ann")
        await accounts.disable(conn, SYSTEM, "ann", disabled=False)
    for refresh in (expired, revoked, revoked[:-1], "", "x" * 10_000):
        answer = await post(registry, grant_type="refresh_token", refresh_token=refresh)
        assert (answer.status, answer.json["errors"][0]["code"]) == (401, "UNAUTHORIZED")


@asyncio_test
async def test_a_form_that_cannot_be_read_says_why(registry: Registry) -> None:
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    cases: list[tuple[int, Any, dict[str, str]]] = [
        (415, b"grant_type=password", {"Content-Type": "application/json"}),
        (415, b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
        (415, b"grant_type=password", urlencoded | {"Content-Encoding": "gzip"}),
        (413, b"x=" + b"a" * (64 << 10), urlencoded),
        (400, b"", urlencoded),
        (400, b"grant_type=authorization_code", urlencoded),
        (400, b"grant_type=password&grant_type=refresh_token", urlencoded),
        (400, b"username=%ff", urlencoded),
        (400, b"username=\xff", urlencoded),
        (400, b"&".join([b"a=b"] * 300), urlencoded),
        (400, b"grant_type=password&service=another", urlencoded),
        (401, b"grant_type=password", urlencoded),
        (401, b"grant_type=password&username=a%00&password=b%00", urlencoded),
    ]
    for status, body, headers in cases:
        answer = await registry.ask("POST", TOKEN, data=body, headers=headers)
        assert (answer.status, bool(answer.json["errors"][0]["message"])) == (status, True), body[:60]
    for path, status in ((f"{TOKEN}?service=another", 400), (f"{TOKEN}?scope={'a:b:c%20' * 101}", 400)):
        assert (await registry.ask("GET", path)).status == status
    for method, path in (("PUT", TOKEN), ("DELETE", TOKEN), ("POST", f"{TOKEN}/jwks")):
        answer = await registry.ask(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET" if "jwks" in path else "GET, POST")
    assert (await registry.ask("GET", f"{TOKEN}/other")).status == 404


@asyncio_test
async def test_the_published_keys_verify_a_token(registry: Registry) -> None:
    token = await registry.token()
    answer = await registry.ask("GET", f"{TOKEN}/jwks")
    assert not any("d" in key for key in answer.json["keys"])
    key = jwt.PyJWKSet.from_dict(answer.json)[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, ["ES256"], audience=SERVICE)["name"] == "ann"


async def hostile_tokens(registry: Registry) -> dict[str, str]:
    """Tokens that must not open the door, most of them signed with the right key."""
    good = await registry.token()
    header, payload = jwt.get_unverified_header(good), claims(good)
    kid, now = header["kid"], int(time.time())
    async with registry.database.acquire() as conn:
        [row] = [row for row in await keys.load(conn) if row.kid == kid]
    private: Any = load_der_private_key(Vault(SECRET_KEY).open(f"signing_key:{kid}", row.private_key), None)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    own = generate_private_key(SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(own.public_key(), as_dict=True)

    def sign(with_: Any = private, headers: dict[str, Any] | None = None, **changed: Any) -> str:
        body = {name: value for name, value in (payload | changed).items() if value is not None}
        return jwt.encode(body, with_, "ES256", {"kid": kid} | (headers or {}))

    def part(value: Any) -> str:
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()

    assert (await registry.ask("GET", "/v2/", bearer=sign())).status == 200, "the forger's tools work"
    head, body, signature = good.split(".")
    symmetric = f"{part({'alg': 'HS256', 'kid': kid, 'typ': 'JWT'})}.{body}"
    return {
        "expired": sign(iat=now - 600, nbf=now - 600, exp=now - 300),
        "future nbf": sign(nbf=now + 300),
        "future iat": sign(iat=now + 300, exp=now + 600),
        "lives too long": sign(exp=now + LONGEST + 60),
        "exp of ages": sign(exp=1e300),
        "exp as text": sign(exp=str(now + 300)),
        "exp before iat": sign(iat=now + 20, exp=now + 10),
        **{
            f"without {name}": sign(**{name: None})
            for name in ("iss", "sub", "aud", "iat", "nbf", "exp", "jti", "epoch")
        },
        "wrong aud": sign(aud="another"),
        "aud as list": sign(aud=[SERVICE, "another"]),
        "wrong iss": sign(iss="another"),
        "sub of no kind": sign(sub="root:1"),
        "sub of the system": sign(sub="system:0"),
        "sub without number": sign(sub="account:x"),
        "sub of another number": sign(sub="account:9223372036854775807"),
        "sub beyond numbers": sign(sub="account:" + "9" * 30),
        "negative sub": sign(sub="account:-1"),
        "wrong epoch": sign(epoch=7),
        "epoch beyond numbers": sign(epoch=2**40),
        "access of unknown action": sign(access=["everything"]),
        "alg none": f"{part({'alg': 'none', 'kid': kid, 'typ': 'JWT'})}.{body}.",
        "alg none, signed": f"{part({'alg': 'none', 'kid': kid, 'typ': 'JWT'})}.{body}.{signature}",
        "HS256 with the public key": f"{symmetric}.{part(hmac.digest(public, symmetric.encode(), 'sha256'))}",
        "another key": sign(own),
        "embedded jwk": sign(own, {"jwk": jwk}),
        "jku": sign(headers={"jku": "http://127.0.0.1:1/jwks"}),
        "x5c": sign(headers={"x5c": ["AAAA"]}),
        "crit": sign(headers={"crit": ["exp"]}),
        "b64": sign(headers={"b64": False, "crit": ["b64"]}),
        "kid that is a path": sign(headers={"kid": "../../x"}),
        "kid that is SQL": sign(headers={"kid": "' OR 1=1 --"}),
        "unknown kid": sign(headers={"kid": "A" * 43}),
        "kid that is no text": f"{part({'alg': 'ES256', 'kid': 7, 'typ': 'JWT'})}.{body}.{signature}",
        "no kid": f"{part({'alg': 'ES256', 'typ': 'JWT'})}.{body}.{signature}",
        "changed body": f"{head}.{part(payload | {'sub': 'account:1'})}.{signature}",
        "cut signature": good[:-1],
        "no signature": f"{head}.{body}.",
        "four parts": f"{good}.{signature}",
        "encrypted": ".".join([part({"alg": "dir", "enc": "A256GCM"}), "", *[part(b"x" * 16)] * 3]),
        "deep header": f"{part(b'[' * 700)}.{body}.{signature}",
        "not JSON": f"{part(b'no JSON')}.{body}.{signature}",
        "too long": sign(jti="x" * 9000),
        "another character": good + "=",
    }


@asyncio_test
async def test_hostile_tokens_are_all_refused_alike(registry: Registry) -> None:
    told = set()
    for name, token in (await hostile_tokens(registry)).items():
        answer = await registry.ask("GET", "/v2/open/gr/tags/list", bearer=token)
        assert answer.status == 401, name
        told.add((answer.headers["WWW-Authenticate"], answer.json["errors"][0]["code"]))
    [(challenge, code)] = told
    assert code == "UNAUTHORIZED"
    assert 'error="invalid_token"' in challenge


def ring(database: Database, master: str = SECRET_KEY) -> KeyRing:
    return KeyRing(database, Vault(master), "dataforge-registry", SERVICE)


@asyncio_test
async def test_keys_rotate_between_servers_without_a_refused_token(database: Database) -> None:
    signer, verifier, rotator = ring(database), ring(database), ring(database)
    for server in (signer, verifier, rotator):
        await server.start()
    ann = Principal("account", 1, "ann", 3)
    tokens = []
    for _ in range(3):
        tokens += [(await server.sign(ann, 300))[0] for server in (signer, rotator)]
        await rotator.rotate()
    tokens += [(await server.sign(ann, 300))[0] for server in (signer, rotator)]
    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 4
    assert {(await verifier.verify(token)).principal for token in tokens} == {ann}
    async with database.acquire() as conn:
        states = [row.state for row in await keys.load(conn)]
    assert sorted(states) == ["active", "next", "retired", "retired", "retired"]


@asyncio_test
async def test_servers_starting_together_share_their_keys(database: Database) -> None:
    servers = [ring(database) for _ in range(6)]
    for start in [server.start() for server in servers]:
        await start
    tokens = {jwt.get_unverified_header((await server.sign(ANONYMOUS, 60))[0])["kid"] for server in servers}
    assert len(tokens) == 1
    await servers[0].rotate(older_than=3600)
    assert len((await servers[0].jwks())["keys"]) == 2


@asyncio_test
async def test_a_key_retired_long_ago_is_forgotten_with_its_tokens(database: Database) -> None:
    old, now = ring(database), ring(database)
    await old.start()
    token, _ = await old.sign(ANONYMOUS, LONGEST)
    await old.rotate()
    async with database.transaction() as conn:
        await conn.execute("UPDATE signing_key SET retired_at = now() - interval '1 day' WHERE state = 'retired'")
    await old.rotate()
    await now.start()
    with pytest.raises(TokenInvalid):
        await now.verify(token)


@asyncio_test
async def test_private_keys_are_sealed_and_sealed_anew_under_a_new_master_secret(database: Database) -> None:
    newer = "another master secret of at least 32 characters"
    before = ring(database)
    await before.start()
    token, _ = await before.sign(ANONYMOUS, 300)
    with pytest.raises(SealBroken, match="another auth"):
        await ring(database, newer).start()
    await ring(database, f"{newer}\n{SECRET_KEY}").start()
    after = ring(database, newer)
    await after.start()
    assert (await after.verify(token)).principal == ANONYMOUS
    async with database.acquire() as conn:
        for row in await keys.load(conn):
            assert b"PRIVATE" not in row.private_key
            with pytest.raises(ValueError):
                load_der_private_key(row.private_key, None)


@asyncio_test
async def test_a_narrow_credentials_ceiling_travels_in_its_token(database: Database) -> None:
    server = ring(database)
    await server.start()
    robot = Principal("robot", 4, "ci", 1, frozenset({Action.PULL}))
    token, _ = await server.sign(robot, 10 * LONGEST)
    assert claims(token)["exp"] - claims(token)["iat"] == LONGEST
    assert (await server.verify(token)).principal == robot


@given(
    token=st.one_of(
        st.text(max_size=300), st.from_regex(r"[A-Za-z0-9_-]{0,80}(\.[A-Za-z0-9_-]{0,90}){2}", fullmatch=True)
    )
)
def test_no_text_that_is_not_a_token_gets_past_the_ring(token: str) -> None:
    # a ring that never saw a database: what reaches for it is no token by its form
    async def refused() -> None:
        with pytest.raises(TokenInvalid):
            await KeyRing(None, Vault(SECRET_KEY), "i", "a").verify(token)  # type: ignore[arg-type]

    asyncio.run(refused())
