"""Who the client is: DFR_USERNAME and DFR_PASSWORD, else what `docker login` or `oras login` left on this machine.

Only the `auths` of the Docker configuration file are read; credential helpers are not called.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...core.oci.errors import Unauthorized


@dataclass(frozen=True)
class Credentials:
    """A name and a password; both empty is anonymous."""

    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def basic(self) -> str | None:
        """The Authorization header (RFC 7617), or None for anonymous."""
        if not self.username:
            return None
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


ANONYMOUS = Credentials()


def find_credentials(base: str, environment: Mapping[str, str] = os.environ) -> Credentials:
    """The credentials for a registry's address, or ANONYMOUS. Unauthorized for a configuration that cannot be read."""
    username = environment.get("DFR_USERNAME", "")
    if username:
        return Credentials(username, environment.get("DFR_PASSWORD", ""))
    folder = environment.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        auths = json.loads(path.read_bytes()).get("auths", {})
    except FileNotFoundError:
        return ANONYMOUS
    except (OSError, ValueError, AttributeError) as error:
        raise Unauthorized(f"{path} cannot be read ({error}); mend it, or set DFR_USERNAME and DFR_PASSWORD") from error
    host = urlsplit(base).netloc
    for name in (host, base, f"{base}/v2/", f"{base}/v1/"):
        if isinstance(auths, dict) and isinstance(auths.get(name), dict) and auths[name].get("auth"):
            return _decode(str(auths[name]["auth"]), path)
    return ANONYMOUS


def _decode(encoded: str, path: Path) -> Credentials:
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized(f"{path} holds credentials that are not base64 of name:password; log in again") from error
    return Credentials(username, password)
