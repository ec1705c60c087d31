"""Where curves come from: the hole they were logged in, and the file they were read from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Well:
    """The hole: true name as printed, identifiers and place, each empty where the file says nothing.

    latitude and longitude in degrees, north and east positive.
    """

    name: str
    uwi: str = ""
    country: str = ""
    field: str = ""
    aliases: tuple[str, ...] = ()
    operator: str = ""
    api: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Original:
    """The file a curve came from: its name, format (`LAS 2.0`), SHA-256 in hex, and what was found odd in it."""

    file: str
    format: str
    sha256: str
    findings: tuple[str, ...] = ()
