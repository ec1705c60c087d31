"""An artifact to a folder: each layer under its title, and never outside of the folder."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from ...core.curves import schema
from ...core.curves.errors import CurveError
from ...core.curves.names import Reference
from ...core.curves.schema import Descriptor, Manifest, parse_manifest
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import ManifestUnknown, NameUnknown, RegistryError
from .curves import no_curve, version_of
from .remote import RemoteRegistry, RemoteRepository
from .transfers import download

MAX_TITLE = 1024


def inside(folder: Path, title: str) -> Path:
    """Where a layer of that title goes in a folder, or CurveError for one that leaves it, on any system, or is no file.

    Links that lie in the folder already are followed, and must not lead out of it either.
    """
    parts = PurePosixPath(title).parts
    windows = PureWindowsPath(title)
    bad = (
        not parts
        or len(title) > MAX_TITLE
        or title.startswith("/")
        or title.endswith("/")
        or ".." in parts
        or "\\" in title
        or windows.drive
        or windows.root
        or not title.isprintable()
    )
    target = folder.joinpath(*parts)
    if bad or not target.parent.resolve().is_relative_to(folder.resolve()) or target.is_dir():
        raise CurveError(f"a layer is called {title[:80]!r}, which is no file inside {folder}; nothing was written")
    return target


async def pull(
    registry: RemoteRegistry,
    reference: Reference,
    folder: Path,
    plan: Callable[[int], None] = lambda size: None,
    advance: Callable[[int], None] = lambda size: None,
) -> tuple[list[Path], int]:
    """All titled layers of an artifact, or of the artifacts of an index (of a well's `latest`, its curves' newest
    versions), to files; what was written, and how many layers have no title. plan(bytes in all) is called once,
    advance(bytes) as they come.

    Files that are there with the same bytes stay as they are. CurveError where a title is unsafe, or two contents have
    one title: then nothing is written.
    """
    repository = registry.repository(reference.repository)
    try:
        _, raw = await repository.get_manifest(reference.target)
    except (ManifestUnknown, NameUnknown) as error:
        raise _nothing(reference, error) from error
    layers = await _layers(registry, reference, parse_manifest(raw))
    files: dict[Path, Descriptor] = {}
    homes: dict[str, RemoteRepository] = {}
    for home, layer in layers:
        homes[layer.digest] = home
        if title := layer.annotations.get(schema.TITLE):
            target = inside(folder, title)
            if files.setdefault(target, layer).digest != layer.digest:
                raise CurveError(f"two layers of {reference} are called {title!r}; pull its curves one by one")
    plan(sum(layer.size for layer in files.values()))
    for target, layer in files.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            await _fetch(homes[layer.digest], target, layer, advance)
        except OSError as error:
            raise CurveError(f"{target} cannot be written: {error.strerror}") from error
    return list(files), sum(not layer.annotations.get(schema.TITLE) for _, layer in layers)


def _nothing(reference: Reference, error: RegistryError) -> ManifestUnknown:
    match len(reference.segments):
        case 2:
            return ManifestUnknown(f"there is no well {reference}; dfr ls {reference.segments[0]} lists them")
        case 3:
            say = (
                f"there are no files at {reference}; pull a whole well or a curve (dfr ls {reference.well} lists them)"
            )
            return ManifestUnknown(say)
        case _:
            return no_curve(reference, error)


async def _layers(
    registry: RemoteRegistry, reference: Reference, manifest: Manifest
) -> list[tuple[RemoteRepository, Descriptor]]:
    """All layers, each with a repository that has it."""
    home = registry.repository(reference.repository)
    if manifest.mediaType not in media.INDEXES:
        return [(home, layer) for layer in manifest.layers]

    async def child(line: Descriptor) -> list[tuple[RemoteRepository, Descriptor]]:
        if manifest.artifactType == media.WELL:
            named = version_of(reference, line)
            curve = registry.repository(named.repository)
            try:
                _, raw = await curve.get_manifest(named.target)
                return [(curve, layer) for layer in parse_manifest(raw).layers]
            except (ManifestUnknown, NameUnknown):
                pass  # a copy of the well's repository alone
        _, raw = await home.get_manifest(line.digest)
        return [(home, layer) for layer in parse_manifest(raw).layers]

    return [layer for layers in await asyncio.gather(*map(child, manifest.manifests)) for layer in layers]


async def _fetch(repository: RemoteRepository, target: Path, layer: Descriptor, advance: Callable[[int], None]) -> None:
    digest = Digest.parse(layer.digest)
    if await asyncio.to_thread(_holds, target, digest, layer.size):
        advance(layer.size)
    else:
        await download(repository.transport, repository.name, digest, target, layer.size, advance)


def _holds(target: Path, digest: Digest, size: int) -> bool:
    if target.is_symlink() or not target.is_file() or target.stat().st_size != size:
        return False
    with target.open("rb") as file:
        return hashlib.file_digest(file, digest.algorithm).hexdigest() == digest.hex
