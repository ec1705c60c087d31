"""What a command line user sees when something cannot be: one line on stderr and exit code 2, never a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.oci.errors import RegistryError
from ..drivers.base import DriverError
from .config import ConfigError
from .engines.lifespan import StartFailed

EXIT_CODE = 2
LATE = (
    ("passwords", "WeakPassword"),
    ("records.cluster", "EmbeddedError"),
    ("records.schema", "SchemaError"),
    ("secrets", "SecretKeyError"),
)
"""Errors of modules that need the server's packages: only known once something imported them."""


class CommandError(Exception):
    """A command cannot do what it was asked; the message is one line that says why and what to do."""


def _expected() -> tuple[type[Exception], ...]:
    kinds: list[type[Exception]] = [CommandError, ConfigError, DriverError, RegistryError, StartFailed]
    for module, name in LATE:
        loaded = sys.modules.get(f"dataforge_registry.core.{module}")
        if loaded is not None:
            kinds.append(getattr(loaded, name))
    return tuple(kinds)


@contextmanager
def one_line() -> Iterator[None]:
    """Turn the failures that have a message for people into that line and SystemExit(2)."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("dataforge_registry"):
            message = f"{error.name} is not installed: pip install 'dataforge-registry[server]'"
        elif isinstance(error, _expected()):
            message = " ".join(str(error).split())
        else:
            raise
        print(f"dfr: {message}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
