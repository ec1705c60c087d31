"""`dfr health`: ask a running server how it is."""

import http.client
import json
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ..failures import CommandError
from .options import ConfigFile, DataFolder, read

TIMEOUT_SECONDS = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(health)


def health(
    config: ConfigFile = None,
    data: DataFolder = None,
    url: Annotated[str | None, typer.Option(envvar="DFR_REGISTRY", help="The server's address.")] = None,
) -> None:
    """Print each component's state. Exit code 1 where one is unhealthy, 2 where nobody answers."""
    if url is None:
        settings = read(config, data or (None if config else Path("."))).http
        url = settings.external_url or f"http://{settings.host}:{settings.port}"
    status, document = fetch(url)
    print(json.dumps(document, indent=2))
    raise typer.Exit(0 if status == 200 else 1)


def fetch(url: str) -> tuple[int, object]:
    """Status and document of a server's /health, or CommandError."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
        connection.request("GET", "/health")
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CommandError(f"no DataForge Registry answers at {url}: {error}") from None
