"""Who we are to Google: tokens for requests, and links signed by the account's own key.

Source of the signature: Cloud Storage documentation, "V4 signing process with your own program".
"""

import asyncio
import hashlib
import os
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Final
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gcloud.aio.auth import Token
from tenacity import retry_if_exception, wait_random_exponential

from .base import Unavailable
from .gcs_errors import is_passing
from .gcs_settings import Settings, check_keyfile

SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
NAMED: Final = "GOOGLE_APPLICATION_CREDENTIALS"
PATIENCE: Final = 30.0
"""Seconds to wait for a token."""


class Account(Token):
    """The account of `keyfile`; else of the file that GOOGLE_APPLICATION_CREDENTIALS names, of gcloud's login, or of
    the machine. ValueError where a file that is named is of no use."""

    # The client asks again for a minute, whatever the answer was: a key that was refused is refused at once here.
    acquire_access_token: Any = Token.acquire_access_token.retry_with(
        retry=retry_if_exception(is_passing), wait=wait_random_exponential(0.2, max=2)
    )

    def __init__(self, settings: Settings) -> None:
        named = os.environ.get(NAMED, "")
        if named and not settings.keyfile and not settings.endpoint:
            check_keyfile(named, NAMED)
        nobody = StringIO("{}") if settings.endpoint else None  # an emulator is never asked for a token
        super().__init__(service_file=settings.keyfile or nobody, scopes=[SCOPE])
        self._mail = str(self.service_data.get("client_email", ""))
        self._key = self._signing_key()

    async def get(self) -> str | None:
        """The token. Unavailable says where the account should come from. One request for it serves all who wait, so
        none of them may end it by going away."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(super().get())
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise Unavailable(
                f"Google gives no token: {said} (set storage.gcs.keyfile or {NAMED}, or give the machine an account)"
            ) from error

    def link(self, at: str, path: str, seconds: int) -> str | None:
        """A signed address of path (`/bucket/name`) at a server, None without a key of our own."""
        if self._key is None:
            return None
        now = datetime.now(UTC)
        scope = f"{now:%Y%m%d}/auto/storage/goog4_request"
        query = "&".join(
            f"{name}={quote(value, safe='')}"
            for name, value in (
                ("X-Goog-Algorithm", "GOOG4-RSA-SHA256"),
                ("X-Goog-Credential", f"{self._mail}/{scope}"),
                ("X-Goog-Date", f"{now:%Y%m%dT%H%M%SZ}"),
                ("X-Goog-Expires", str(seconds)),
                ("X-Goog-SignedHeaders", "host"),
            )
        )
        quoted = quote(path, safe="/~")
        request = f"GET\n{quoted}\n{query}\nhost:{urlsplit(at).netloc}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signed = f"GOOG4-RSA-SHA256\n{now:%Y%m%dT%H%M%SZ}\n{scope}\n{digest}"
        signature = self._key.sign(signed.encode(), PKCS1v15(), hashes.SHA256()).hex()
        return f"{at}{quoted}?{query}&X-Goog-Signature={signature}"

    def _signing_key(self) -> RSAPrivateKey | None:
        pem = self.service_data.get("private_key")
        if not pem or not self._mail:
            return None
        try:
            key = load_pem_private_key(str(pem).encode(), None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"storage.gcs.keyfile: the private_key of {self._mail} cannot be read: {error}") from None
        return key if isinstance(key, RSAPrivateKey) else None
