"""Secrets at rest: sealed with AES-256-GCM, bound to the row they belong to.

A sealed value is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. The place it is kept at (`table:row`) is
authenticated with it, so a value moved to another row does not open. The master secret may have several lines, newest
first: the first seals, all open, which is how it is changed without a stop.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET = 32
_VERSION = b"\x01"
_KEY_ID, _NONCE = 8, 12


class SecretKeyError(Exception):
    """The master secret is missing or cannot be used; one line that says what to do."""


class SealBroken(SecretKeyError):
    """The sealed value was altered, belongs to another row, or its master secret is not among ours."""


class Vault:
    """Seals and opens under a master secret (NIST SP 800-38D; key by HKDF-SHA256, RFC 5869)."""

    def __init__(self, master: str) -> None:
        lines = [line.strip() for line in master.splitlines() if line.strip()]
        if not lines or min(map(len, lines)) < MIN_SECRET:
            raise SecretKeyError(f"auth.secretkey: at least {MIN_SECRET} characters a key, newest first, one a line")
        self._keys = {_key_id(line): AESGCM(_derive(line, "secrets at rest")) for line in lines}
        self._newest = _key_id(lines[0])
        self._hiding = _derive(lines[0], "names hidden")

    def seal(self, place: str, value: bytes) -> bytes:
        """The value sealed for one place (`table:row`)."""
        nonce = os.urandom(_NONCE)
        head = _VERSION + self._newest
        return head + nonce + self._keys[self._newest].encrypt(nonce, value, head + place.encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        """The value, or SealBroken."""
        head, nonce = sealed[: 1 + _KEY_ID], sealed[1 + _KEY_ID : 1 + _KEY_ID + _NONCE]
        key = self._keys.get(head[1:])
        if head[:1] != _VERSION or key is None:
            raise SealBroken(f"{place} is sealed with another auth.secretkey; give the old one as a second line")
        try:
            return key.decrypt(nonce, sealed[len(head) + len(nonce) :], head + place.encode())
        except (InvalidTag, ValueError):
            raise SealBroken(f"{place} was altered, or sealed for another place") from None

    def hide(self, text: str) -> str:
        """A keyed hash, for what must be found again and not read; another once the newest key is another."""
        return hmac.digest(self._hiding, text.encode(errors="surrogatepass"), "sha256").hex()

    def outdated(self, sealed: bytes) -> bool:
        """Whether a value is sealed under another key than the newest and should be sealed again."""
        return sealed[1 : 1 + _KEY_ID] != self._newest


def _key_id(line: str) -> bytes:
    return hashlib.sha256(b"dataforge-registry key id\0" + line.encode()).digest()[:_KEY_ID]


def _derive(line: str, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"dataforge-registry {use}".encode()).derive(line.encode())


def write_secret(path: Path, text: str) -> None:
    """Put text into a file that only its owner reads, whole or not at all; a file already there is replaced."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync_folder(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def own_secret(path: Path) -> str:
    """The master secret in a file, made with 256 random bits if it is not there. Callers racing get the same one.

    Raises SecretKeyError where the file cannot be read or made, or others may read it.
    """
    try:
        try:
            made = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            write_secret(draft, secrets.token_hex(32))
            try:
                os.link(draft, path)  # fails where another process was first, and its secret counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
                _sync_folder(path)
            made = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(made) as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise SecretKeyError(f"{path} can be read by others; run chmod 600 on it")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyError(f"cannot use {path}: {getattr(error, 'strerror', None) or error}") from None
