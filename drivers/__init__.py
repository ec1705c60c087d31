"""Bytes at keys. What a driver promises is in base.py; open_driver makes the one a configuration names."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from .base import Driver

if TYPE_CHECKING:
    from .objects import ObjectStore


def open_driver(kind: str, parameters: Mapping[str, Any]) -> Driver:
    """The driver a configuration names, in distribution's words: `filesystem` (rootdirectory, maxthreads), `s3`,
    `azure`, `gcs` (see PARAMETERS of their settings) or `memory` (also `inmemory`). ValueError names what is wrong with
    kind or parameters; Unavailable where the store cannot be used. A driver's module is imported when it is chosen."""
    if kind not in _MAKERS:
        raise ValueError(f"unknown storage driver {kind!r}; built are: {', '.join(sorted(_MAKERS))}")
    return _MAKERS[kind](dict(parameters))


def _filesystem(parameters: dict[str, Any]) -> Driver:
    from .filesystem import THREADS, FilesystemDriver

    root = parameters.pop("rootdirectory", None)
    threads = parameters.pop("maxthreads", THREADS)
    _refuse_unknown("filesystem", parameters, "rootdirectory, maxthreads")
    if not isinstance(root, str) or not root or "\0" in root:
        raise ValueError(f"storage.filesystem.rootdirectory must be the path of a folder, not {root!r}")
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"storage.filesystem.maxthreads must be a number of threads from 1 up, not {threads!r}")
    return FilesystemDriver(root, threads)


def _s3(parameters: dict[str, Any]) -> Driver:
    from .s3 import S3Store
    from .s3_settings import PARAMETERS, settings_of

    return _of_objects("s3", parameters, PARAMETERS, settings_of, S3Store)


def _azure(parameters: dict[str, Any]) -> Driver:
    try:
        from .azure import AzureStore
        from .azure_settings import PARAMETERS, settings_of
    except ModuleNotFoundError as error:
        raise ValueError(f"storage.azure needs {error.name}: pip install 'dataforge-registry[azure]'") from None

    return _of_objects("azure", parameters, PARAMETERS, settings_of, AzureStore)


def _gcs(parameters: dict[str, Any]) -> Driver:
    try:
        from .gcs import GcsStore
    except ModuleNotFoundError as error:
        raise ValueError(f"storage.gcs needs {error.name}: pip install 'dataforge-registry[gcs]'") from None
    from .gcs_settings import PARAMETERS, settings_of

    return _of_objects("gcs", parameters, PARAMETERS, settings_of, GcsStore)


def _of_objects(
    kind: str,
    parameters: dict[str, Any],
    known: tuple[str, ...],
    settings_of: Callable[[dict[str, Any]], Any],
    store: "Callable[[Any], ObjectStore]",
) -> Driver:
    """The driver over an object store of this kind."""
    from .staged import ObjectDriver

    _refuse_unknown(kind, {name: value for name, value in parameters.items() if name not in known}, ", ".join(known))
    settings = settings_of(parameters)
    return ObjectDriver(store(settings), settings.part)


def _memory(parameters: dict[str, Any]) -> Driver:
    from .memory import MemoryDriver

    _refuse_unknown("memory", parameters, "none")
    return MemoryDriver()


def _refuse_unknown(kind: str, parameters: dict[str, Any], known: str) -> None:
    if parameters:
        raise ValueError(f"storage.{kind} has no parameter {', '.join(map(repr, sorted(parameters)))} (known: {known})")


_MAKERS: Final[dict[str, Callable[[dict[str, Any]], Driver]]] = {
    "azure": _azure,
    "filesystem": _filesystem,
    "gcs": _gcs,
    "inmemory": _memory,
    "memory": _memory,
    "s3": _s3,
}
