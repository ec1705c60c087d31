"""What differs between two wells, and between frames of two wells."""

import numpy as np
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.well import entry, well_index
from dataforge_registry.core.curves.compare.diff_wells import diff_wells
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.names import slug
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import Manifest, parse_manifest
from dataforge_registry.core.oci import media


def well(name: str, frames: dict[str, dict[str, float]], uwi: str = "") -> Manifest:
    """A well whose curves are three equal samples each."""
    current = None
    for frame_name, curves in frames.items():
        index = Index("MD", "DEPT", "m", "M", np.arange(3))
        made = tuple(Curve(name, "GAPI", pa.array([value] * 3, pa.float32())) for name, value in curves.items())
        frame = Frame(Well(name, uwi=uwi), frame_name, index, made)
        layers = pack_index(index, frame_name)
        lines = [
            entry(pack(frame, curve, slug(curve.mnemonic, "curve"), layers), f"{frame_name}/{curve.mnemonic.lower()}")
            for curve in made
        ]
        current = parse_manifest(well_index(frame.well, lines, current), media.WELL)
    assert current
    return current


def test_curves_added_removed_changed_and_as_they_were() -> None:
    old = well("W", {"a": {"GR": 1, "SP": 2, "DT": 3}})
    new = well("W", {"a": {"GR": 1, "SP": 5}, "b": {"GR": 9}})
    found = diff_wells(old, new)
    assert [line.path for line in found.added] == ["b/gr"]
    assert [line.path for line in found.removed] == ["a/dt"]
    (changed,) = found.changed
    assert (changed.path, changed.mnemonic, changed.unit) == ("a/sp", "SP", "GAPI")
    assert changed.old != changed.new and changed.old in {line.digest for line in old.manifests}
    assert [line.path for line in found.unchanged] == ["a/gr"] and not found.equal


def test_a_well_is_equal_to_itself_and_not_under_another_number() -> None:
    old = well("W", {"a": {"GR": 1}})
    assert diff_wells(old, old).equal
    found = diff_wells(old, well("W", {"a": {"GR": 1}}, uwi="42-303"))
    assert [(change.field, change.old, change.new) for change in found.header] == [("well.uwi", None, "42-303")]
    assert not found.equal


def test_frames_are_compared_whatever_their_names() -> None:
    one = well("W", {"a": {"GR": 1, "SP": 2}, "b": {"SP": 2}})
    found = diff_wells(one, one, "a", "b")
    assert [line.path for line in found.removed] == ["gr"]
    assert [line.path for line in found.changed] == ["sp"]  # the frame's name is part of the header
    with pytest.raises(CurveError, match="no frame c; it has a, b"):
        diff_wells(one, one, "a", "c")
