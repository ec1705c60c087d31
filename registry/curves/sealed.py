"""Tokens of links: sealed with the servers' secret key, so that nobody else can read or make one.

A token stands for its maker, whose rights are asked of the database each time it is used, and for one version of one
curve, until it expires. The secret key may have older lines: what they sealed opens until it expires.
"""

import base64
import binascii
import time

import msgspec

from ...core.access import Action, Kind, Principal
from ...core.oci.errors import Denied
from ...core.secrets import SealBroken, Vault

GONE = "this link has expired, or was not made here, or its maker may no longer read this; ask for a new one"
_LONGEST_TOKEN = 4096
_PLACE = "link"
_NOBODYS = "a registry that asks nobody who is there"


class _Link(msgspec.Struct, array_like=True, frozen=True):
    kind: Kind
    id: int
    epoch: int
    name: str
    ceiling: list[Action] | None
    repository: str
    digest: str
    expires: int


class Links:
    """Makes and reads tokens. secret: auth.secretkey; default, longest: seconds that a link is good for.

    Without a secret (`auth.mode: none` on a database of one's own) the key is no secret either: whoever makes a token
    up gets nothing that everybody has not got there.
    """

    def __init__(self, secret: str, default: float, longest: float) -> None:
        self._vault = Vault(secret or _NOBODYS)
        self.default, self.longest = int(default), int(longest)

    def seal(self, principal: Principal, repository: str, digest: str, expires: int) -> str:
        """A token, in base64url. expires: seconds since 1970."""
        ceiling = None if principal.ceiling is None else sorted(principal.ceiling)
        who = (principal.kind, principal.id, principal.epoch, principal.name, ceiling)
        sealed = self._vault.seal(_PLACE, msgspec.msgpack.encode(_Link(*who, repository, str(digest), expires)))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, token: str) -> tuple[Principal, str, str]:
        """Principal, repository and digest; Denied for what was not made here, and for what has expired."""
        try:
            if len(token) > _LONGEST_TOKEN:
                raise ValueError("longer than any")
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            link = msgspec.msgpack.decode(self._vault.open(_PLACE, sealed), type=_Link)
        except (ValueError, binascii.Error, SealBroken, msgspec.MsgspecError):
            raise Denied(GONE) from None
        if link.expires <= time.time():
            raise Denied(GONE)
        ceiling = None if link.ceiling is None else frozenset(link.ceiling)
        return Principal(link.kind, link.id, link.name, link.epoch, ceiling), link.repository, link.digest
