"""Secrets that are made here, for robots and command lines: `dfr_`, 256 random bits, a checksum.

Nobody can guess one, so its SHA-256 is kept and argon2 is not needed. The checksum lets whoever finds such a text, a
scanner of sources or the door, know it for one of ours, and a mistyped one for none, without asking the database.
"""

import hashlib
import hmac
import secrets
import string
import zlib

PREFIX = "dfr_"
_LETTERS = string.digits + string.ascii_letters
_BODY, _CHECK = 43, 6  # 62**43 > 2**256, 62**6 > 2**32
_NONE = "sha256:" + "0" * 64


def issue() -> str:
    """A new secret: 53 letters and digits that a shell, a URL and a YAML file take unquoted."""
    body = "".join(secrets.choice(_LETTERS) for _ in range(_BODY))
    return PREFIX + body + _checksum(body)


def is_issued(text: str) -> bool:
    """Whether a text has the form of a secret made here, checksum included."""
    body = text[len(PREFIX) : -_CHECK]
    return text.startswith(PREFIX) and len(body) == _BODY and body.isascii() and _checksum(body) == text[-_CHECK:]


def kept(secret: str) -> str:
    """What is stored of a secret: `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def matches(stored: str | None, secret: str) -> bool:
    """Whether this is the secret that was stored, in the same time wherever it differs, or where none was (None)."""
    return hmac.compare_digest(stored or _NONE, kept(secret)) and stored is not None


def _checksum(body: str) -> str:
    """The CRC-32 of the body in base 62 (ISO 3309)."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return digits
