"""The registries of tests/registry/v2, seen through /api/v1, and curves pushed to them as a plain client would."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.names import slug
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.oci import media

from ..v2.conftest import Registry, door, name, registry, running, with_accounts

__all__ = ["door", "name", "registry"]


@pytest.fixture(scope="session", params=[pytest.param("hypercorn", marks=pytest.mark.xdist_group("curves-open"))])
def open_registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """On one engine, as in tests/registry/management."""
    with running("--auth", "none", "--engine", request.param) as registry:
        yield registry


@pytest.fixture(scope="session", params=[pytest.param("hypercorn", marks=pytest.mark.xdist_group("curves-closed"))])
def closed_registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """On one engine too."""
    with with_accounts(request.param) as registry:
        yield registry


def smooth(rows: int, seed: int = 0) -> "np.ndarray[Any, Any]":
    """Log-like float32 values of shape (rows,) with three decimals."""
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 1, rows))
    return np.round(60 + 20 * np.sin(np.arange(rows) / 300) + walk / 10, 3).astype("f4")


def frame(
    values: Any,
    *,
    well: str = "Well 1",
    mnemonic: str = "GR",
    unit: str = "gAPI",
    start: float = 1000.0,
    step: float = 0.5,
    name: str = "run1",
    index: Index | None = None,
) -> Frame:
    """A frame of one curve on metres; values: numbers (NaN is absent), or an Arrow array."""
    array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
    ticks = round(start * 10_000) + round(step * 10_000) * np.arange(len(array), dtype=np.int64)
    index = index or Index("MD", "DEPT", "m", "M", ticks)
    return Frame(Well(well), name, index, (Curve(mnemonic, unit, array, text_decimals=3),))


def pushed(registry: Registry, repository: str, made: Frame, *tags: str, previous: Packed | None = None) -> Packed:
    """Push the one curve of a frame under tags (none: latest); well and frame are named as the repository has them."""
    _, well, folder, _ = repository.split("/")
    made = replace(made, well=Well(well), name=folder)
    curve = made.curves[0]
    parent = None
    if previous is not None:
        parent = Previous(previous.digest, previous.manifest, previous.config, previous.raw)
    index = pack_index(made.index, made.name)
    packed = pack(made, curve, slug(curve.mnemonic, "curve"), index, parent)
    for data in packed.blobs.values():
        registry.blob(repository, data)
    for tag in tags or ("latest",):
        answer = registry.put(repository, tag, packed.raw, media.OCI_MANIFEST)
        assert answer.status == 201, answer.body
    return packed
