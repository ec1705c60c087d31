"""What seals the audit trail: a hash over each row and its predecessor, and signatures over where that has come to.

`chain(n) = SHA-256(chain(n-1) || canonical(row n))`, from 32 zero bytes on, where canonical is journal.canonical of
the row's columns in journal.COLUMNS' order. A checkpoint's signature is ES256 (DER) over `checkpoint_text`.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from .records import checkpoints
from .records.checkpoints import Checkpoint, Purge, Tip
from .records.database import Connection
from .records.journal import Entry, canonical
from .secrets import SealBroken, Vault
from .signing import KeyRing

HINT = 4
"""Bytes of a row's hint."""


def sealed_rows(chain: bytes, rows: Sequence[Entry]) -> tuple[bytes, bytes]:
    """The chain after some rows, and their hints."""
    hints = bytearray()
    for row in rows:
        raw = canonical(row)
        chain = hashlib.sha256(chain + raw).digest()
        hints += zlib.crc32(raw).to_bytes(HINT, "big")
    return chain, bytes(hints)


def checkpoint_text(point: Checkpoint) -> bytes:
    """What is signed of a checkpoint. No token begins like it."""
    return canonical(
        (
            *("dataforge-registry audit checkpoint", point.number, point.after_id, point.last_id, point.row_count),
            *(point.total, point.first_time, point.last_time, point.chain, point.made_at),
        )
    )


def purge_text(purge: Purge) -> bytes:
    """What is signed of a purge."""
    return canonical(
        (
            *("dataforge-registry audit purge", purge.number, purge.last_id, purge.total, purge.chain),
            *(purge.before, purge.made_at, purge.username),
        )
    )


class Signer:
    """Signs as the token service does, and keeps the public key where it outlives the signing."""

    def __init__(self, keys: KeyRing, vault: Vault) -> None:
        self._keys, self._vault = keys, vault
        self._started = False

    async def sign(self, text: bytes) -> tuple[str, bytes, bytes]:
        """Key id, signature, and the public key sealed for audit_key."""
        if not self._started:
            await self._keys.start()
            self._started = True
        jwk, signature = await self._keys.attest(text)
        return jwk["kid"], signature, self._vault.seal(_place(jwk["kid"]), json.dumps(jwk).encode())


class Trust:
    """The public keys that this registry's master secret vouches for."""

    def __init__(self, public: Mapping[str, Any], broken: Sequence[str]) -> None:
        self._public = public
        self.broken = broken
        """Why some were left out."""

    @classmethod
    async def load(cls, conn: Connection, vault: Vault) -> "Trust":
        """Of audit_key. Those sealed with an older master secret are sealed again."""
        public, broken = {}, []
        for kid, sealed in (await checkpoints.keys(conn)).items():
            try:
                raw = vault.open(_place(kid), sealed)
            except SealBroken as error:
                broken.append(str(error))
                continue
            public[kid] = jwt.PyJWK(json.loads(raw)).key
            if vault.outdated(sealed):
                await checkpoints.reseal_key(conn, kid, vault.seal(_place(kid), raw))
        return cls(public, broken)

    def fault(self, kid: str, signature: bytes, text: bytes) -> str | None:
        """What is wrong with a signature; None: nothing."""
        if not kid:
            return "is not signed"
        key = self._public.get(kid)
        if key is None:
            return f"is signed by an unknown key ({kid})"
        try:
            key.verify(signature, text, ECDSA(SHA256()))
        except InvalidSignature:
            return "has a signature of something else"
        return None


def next_checkpoint(tip: Tip, rows: Sequence[Entry], through: int) -> dict[str, Any]:
    """The fields of the checkpoint over some rows behind the tip, but for when and by whom."""
    chain, hints = sealed_rows(tip.chain, rows)
    times = [row.op_time for row in rows]
    return {
        "number": tip.number + 1,
        "after_id": tip.last_id,
        "last_id": through,
        "row_count": len(rows),
        "total": tip.total + len(rows),
        "first_time": min(times),
        "last_time": max(times),
        "chain": chain,
        "hints": hints,
    }


def _place(kid: str) -> str:
    return f"audit_key:{kid}"
