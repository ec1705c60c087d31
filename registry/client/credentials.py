"""Who the client is: DFR_USERNAME and DFR_PASSWORD, else what `docker login` or `oras login` left on this machine.

Docker's configuration file names a credential helper for the registry (`credHelpers`) or for all (`credsStore`), or
holds the password itself (`auths`). A helper is the program `docker-credential-NAME`, asked with `get`.
"""

import base64
import binascii
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...core.oci.errors import Unauthorized

DEFAULT_ADDRESS = "http://127.0.0.1:5000"
"""Of a registry that nothing names."""
_HELPER_SECONDS = 30
_ENVIRONMENT = "set DFR_USERNAME and DFR_PASSWORD"


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
        config = json.loads(path.read_bytes())
        auths, helpers = _table(config.get("auths")), _table(config.get("credHelpers"))
    except FileNotFoundError:
        return ANONYMOUS
    except (OSError, ValueError, AttributeError) as error:
        raise Unauthorized(f"{path} cannot be read ({error}); mend it, or {_ENVIRONMENT}") from error
    names = (urlsplit(base).netloc, base, f"{base}/v2/", f"{base}/v1/")
    for name in names:
        helper = helpers.get(name) or (config.get("credsStore") if name in auths else None)
        if helper:
            return _ask(str(helper), name, environment)
        if (auth := _table(auths.get(name)).get("auth")) is not None and auth != "":
            return _decode(str(auth), path)
    store = config.get("credsStore")
    return _ask(str(store), names[0], environment) if store else ANONYMOUS


def _table(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _decode(encoded: str, path: Path) -> Credentials:
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized(f"{path} holds credentials that are not base64 of name:password; log in again") from error
    return Credentials(username, password)


def _ask(helper: str, server: str, environment: Mapping[str, str]) -> Credentials:
    """What a credential helper knows of a server (docker-credential-helpers' protocol); ANONYMOUS where nothing."""
    name = f"docker-credential-{helper}"
    program = None if set(helper) & set("/\\") else shutil.which(name, path=environment.get("PATH"))
    if program is None:
        raise Unauthorized(f"Docker's configuration wants the program {name}, which is not on PATH; or {_ENVIRONMENT}")
    try:
        done = subprocess.run(
            [program, "get"], input=server, capture_output=True, text=True, timeout=_HELPER_SECONDS, env=environment
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise Unauthorized(f"{name} gives no answer ({type(error).__name__}); or {_ENVIRONMENT}") from error
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        if "not found" in said:
            return ANONYMOUS
        raise Unauthorized(f"{name} fails: {said[:200] or 'it says nothing'}; or {_ENVIRONMENT}")
    try:
        answer = json.loads(done.stdout)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unauthorized(f"{name} answers something else than a name and a secret; or {_ENVIRONMENT}") from error
    if username == "<token>":
        raise Unauthorized(f"{name} holds an identity token for {server}, which is not used here; {_ENVIRONMENT}")
    return Credentials(str(username), str(secret))
