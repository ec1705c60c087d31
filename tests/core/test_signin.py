"""Signing in: one answer for every failure, brakes that let go, and no verification outliving its password."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.oci.errors import TooManyRequests, Unauthorized
from dataforge_registry.core.passwords import Passwords, WeakPassword, check_password, random_password
from dataforge_registry.core.records import accounts, brakes
from dataforge_registry.core.records.brakes import ADDRESS, NAME, PAIR, Brake
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.signin import AT_ONCE, SignIn

PASSWORD = "correct horse battery"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


class Counted(Passwords):
    """Counts the verifications that cost something."""

    verified = 0

    async def verify(self, known: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(known, password)


@pytest_asyncio.fixture(loop_scope="session")
async def passwords() -> AsyncIterator[Counted]:
    passwords = Counted()
    yield passwords
    passwords.close()


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(database: Database, passwords: Counted) -> SignIn:
    async with database.transaction() as conn:
        await accounts.create(conn, SYSTEM, "Ann", await passwords.hash(PASSWORD))
        await accounts.create(conn, SYSTEM, "sso", None)
    return SignIn(database, passwords, Vault("a master secret of more than 32 characters"))


async def refusal(sign_in: SignIn, name: str, password: str, address: str = HOME) -> tuple[object, ...]:
    with pytest.raises(Unauthorized) as refused:
        await sign_in.password(name, password, address)
    return type(refused.value), refused.value.message, refused.value.detail, refused.value.headers


@pytest.mark.asyncio
async def test_a_right_password_is_verified_once_a_turn(sign_in: SignIn, passwords: Counted) -> None:
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(sign_in.password("ann", PASSWORD, HOME)) for _ in range(50)]
    assert {who.result().name for who in tries} == {"Ann"}
    assert (await sign_in.password("ANN", PASSWORD, ELSEWHERE)).kind == "account"
    assert 1 <= passwords.verified <= AT_ONCE


@pytest.mark.asyncio
async def test_every_failure_reads_and_costs_the_same(sign_in: SignIn, passwords: Counted, database: Database) -> None:
    async with database.transaction() as conn:
        await accounts.create(conn, SYSTEM, "out", await passwords.hash(PASSWORD))
        await accounts.disable(conn, SYSTEM, "out")
    tries = [("ann", "wrong password"), ("nobody", PASSWORD), ("sso", PASSWORD), ("out", PASSWORD)]
    assert len([await refusal(sign_in, *pair) for pair in tries]) == passwords.verified
    assert len({str(await refusal(sign_in, *pair)) for pair in tries}) == 1


@pytest.mark.asyncio
async def test_what_no_account_can_have_costs_nothing(sign_in: SignIn, passwords: Counted) -> None:
    for pair in [("", PASSWORD), ("a\0", PASSWORD), ("ann", PASSWORD + "\0"), ("a" * 256, "x"), ("ann", "x" * 1025)]:
        await refusal(sign_in, *pair)
    assert passwords.verified == 0


@pytest.mark.asyncio
async def test_a_changed_password_and_a_disabled_account_stop_at_once(
    sign_in: SignIn, passwords: Counted, database: Database
) -> None:
    await sign_in.password("ann", PASSWORD, HOME)
    async with database.transaction() as conn:
        await accounts.change_password(conn, SYSTEM, "ann", await passwords.hash("another password"))
    await refusal(sign_in, "ann", PASSWORD)
    await sign_in.password("ann", "another password", HOME)
    async with database.transaction() as conn:
        await accounts.disable(conn, SYSTEM, "ann")
    await refusal(sign_in, "ann", "another password")


@pytest.mark.asyncio
async def test_a_guesser_waits_and_the_owner_elsewhere_does_not(sign_in: SignIn, passwords: Counted) -> None:
    for number in range(PAIR.free):
        await refusal(sign_in, "ann", f"guess number {number}")
    verified = passwords.verified
    with pytest.raises(TooManyRequests, match="too many failed sign-ins") as braked:
        await sign_in.password("Ann", PASSWORD, HOME)
    assert 0 < int(braked.value.headers["Retry-After"]) <= PAIR.longest
    assert passwords.verified == verified
    assert (await sign_in.password("ann", PASSWORD, ELSEWHERE)).name == "Ann"


@pytest.mark.asyncio
async def test_guesses_sent_together_do_not_pass_the_brake(sign_in: SignIn, passwords: Counted) -> None:
    tries = await asyncio.gather(
        *(sign_in.password("ann", f"guess number {number}", HOME) for number in range(40)), return_exceptions=True
    )
    assert sum(isinstance(answer, TooManyRequests) for answer in tries) >= 40 - PAIR.free - 1
    assert passwords.verified <= PAIR.free + 1


@pytest.mark.asyncio
async def test_an_address_that_tries_many_names_waits(sign_in: SignIn, database: Database) -> None:
    async with database.transaction() as conn:
        for number in range(ADDRESS.free):
            await brakes.failed(conn, f"name{number}", HOME)
    with pytest.raises(TooManyRequests):
        await sign_in.password("ann", PASSWORD, HOME)
    assert (await sign_in.password("ann", PASSWORD, ELSEWHERE)).name == "Ann"


@pytest.mark.asyncio
async def test_failures_are_forgotten_after_a_quiet_time_and_after_a_success(
    sign_in: SignIn, database: Database
) -> None:
    for number in range(PAIR.free - 1):
        await refusal(sign_in, "ann", f"guess number {number}")
    async with database.transaction() as conn:
        await conn.execute("UPDATE login_failure SET last_failure = now() - interval '1 day'")
    await refusal(sign_in, "ann", "one more")
    async with database.acquire() as conn:
        assert await conn.fetch("SELECT failures FROM login_failure") == [(1,)] * 3
        await sign_in.password("ann", PASSWORD, HOME)
        assert await conn.fetch("SELECT subject FROM login_failure") == [(f"address:{HOME}",)]


@pytest.mark.asyncio
async def test_a_typed_name_is_counted_and_not_written_down(sign_in: SignIn, database: Database) -> None:
    await refusal(sign_in, "My-Password", "typed into the name's field")
    await refusal(sign_in, "my-password", "again")
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT subject, failures FROM login_failure")
    assert [row["failures"] for row in rows] == [2, 2, 2]
    assert not [row["subject"] for row in rows if "password" in row["subject"].lower()]


@pytest.mark.asyncio
async def test_a_wait_ends(sign_in: SignIn, database: Database) -> None:
    for number in range(PAIR.free):
        await refusal(sign_in, "ann", f"guess number {number}")
    async with database.transaction() as conn:
        await conn.execute("UPDATE login_failure SET blocked_until = now()")
    assert (await sign_in.password("ann", PASSWORD, HOME)).name == "Ann"


@given(st.integers(0, 10**9), st.sampled_from([PAIR, ADDRESS, NAME]))
def test_a_wait_grows_to_its_bound(failures: int, brake: Brake) -> None:
    wait = brake.wait(failures)
    assert (wait == 0) is (failures < brake.free)
    assert wait <= brake.longest
    assert wait <= brake.wait(failures + 1)


@pytest.mark.asyncio
async def test_an_old_hash_is_made_new_at_sign_in(sign_in: SignIn, passwords: Counted, database: Database) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with database.transaction() as conn:
        await accounts.create(conn, SYSTEM, "old", old)
    before = await sign_in.password("old", PASSWORD, HOME)
    async with database.acquire() as conn:
        account = await accounts.find(conn, "old")
    assert account is not None and account.password is not None
    assert not passwords.outdated(account.password)
    assert await passwords.verify(account.password, PASSWORD)
    assert account.principal == before


def test_hashes_are_argon2id_with_owasps_parameters() -> None:
    passwords = Passwords()
    assert asyncio.run(passwords.hash(PASSWORD)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    passwords.close()


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1025, "with a \0 in it"])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword):
        check_password(password)


def test_a_random_password_is_strong_enough_to_be_taken() -> None:
    assert check_password(random_password()) != random_password()
    assert random_password().isalnum()  # one that begins with a dash is an option to `oras login -p`


@pytest.mark.asyncio
async def test_sign_ins_are_audited_and_no_name_that_nobody_has(sign_in: SignIn, database: Database) -> None:
    async def rows() -> list[tuple[object, ...]]:
        async with database.acquire() as conn:
            found = await conn.fetch(
                "SELECT username, resource_type, resource, address, result FROM access_log"
                " WHERE operation = 'login' ORDER BY log_id"
            )
        return [tuple(row) for row in found]

    for _ in range(3):
        await sign_in.password("ann", PASSWORD, HOME)
    await sign_in.password("ann", PASSWORD, HOME, person=True)  # its session has a row
    await refusal(sign_in, "ANN", "wrong password")
    await refusal(sign_in, "typed my password here", "ann")
    assert await rows() == [
        ("Ann", "account", "Ann", HOME, True),
        ("Ann", "account", "Ann", HOME, False),
        ("", "account", "", HOME, False),
    ]
