"""Passwords: argon2id in a few threads, the same cost whether an account exists or not.

Parameters are OWASP's for argon2id (19 MiB, two passes, one lane): about 30 ms each. Hashes are PHC strings, so raising
the parameters later rehashes each password at its owner's next sign-in.
"""

import asyncio
import secrets
import string
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

MIN_LENGTH = 12
MAX_LENGTH = 1024
_THREADS = 2
_LETTERS = string.ascii_letters + string.digits


class WeakPassword(ValueError):
    """The password cannot be taken; the message says why."""


def check_password(password: str) -> str:
    """The password itself, or WeakPassword: 12 to 1024 characters, no NUL. Nothing is cut off."""
    if len(password) < MIN_LENGTH:
        raise WeakPassword(f"a password has at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH or "\0" in password:
        raise WeakPassword(f"a password has at most {MAX_LENGTH} characters and no NUL")
    return password


def random_password() -> str:
    """A password of 142 random bits that a shell, a URL and a YAML file take unquoted, and no command for an option."""
    return "".join(secrets.choice(_LETTERS) for _ in range(24))


class Passwords:
    """Hashes and verifies, at most two at once, off the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """The PHC string of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether the password is the one of this PHC string. None (no such account, or it signs in elsewhere) takes as
        long as any other wrong password."""
        matches = await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, known, password)
        return matches and known is not None

    def outdated(self, known: str) -> bool:
        """Whether the hash was made under other parameters than today's."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, known: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(known or self._nobody, password)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False
