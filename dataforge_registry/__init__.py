"""DataForge Registry: well logs as OCI artifacts.

The Python API is `connect`; see `dataforge_registry.registry.client.connection` for what it gives.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .registry.client.connection import Connection

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def connect(url: str | None = None) -> "Connection":
    """The registry at `http://HOST:PORT`; None: DFR_REGISTRY, else http://127.0.0.1:5000.

    `connect().curve("project/well/frame/curve").read(depth=(1000, 1050))` is a pyarrow Table of that window.
    """
    from .registry.client.connection import connect as open_connection  # loads pyarrow: only when asked for

    return open_connection(url)
