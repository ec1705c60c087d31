"""DataForge Registry: well logs as OCI artifacts.

`connect` is the Python API, `connect_async` its asynchronous twin; docs/client.md shows both.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.curves.errors import CurveError
    from .core.oci.errors import RegistryError
    from .registry.client.cache import Cache
    from .registry.client.commit import Committed, VersionConflict
    from .registry.client.connection import Curve, Registry, Well, connect, connect_async
    from .registry.client.log import Log

__version__ = "0.1.0"

# What is loaded when it is first asked for: the import itself needs no pyarrow and takes no time.
_HOMES = {
    "Cache": "registry.client.cache",
    "Committed": "registry.client.commit",
    "Curve": "registry.client.connection",
    "CurveError": "core.curves.errors",
    "Log": "registry.client.log",
    "Registry": "registry.client.connection",
    "RegistryError": "core.oci.errors",
    "VersionConflict": "registry.client.commit",
    "Well": "registry.client.connection",
    "connect": "registry.client.connection",
    "connect_async": "registry.client.connection",
}
__all__ = [
    "Cache",
    "Committed",
    "Curve",
    "CurveError",
    "Log",
    "Registry",
    "RegistryError",
    "VersionConflict",
    "Well",
    "__version__",
    "connect",
    "connect_async",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
