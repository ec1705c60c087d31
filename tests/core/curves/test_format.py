"""The published format: vectors, a second implementation from the document's words, and the config's JSON Schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.segments import average_rows, cut, row_bytes
from dataforge_registry.core.curves.content import Samples, index_id, values_id
from dataforge_registry.core.curves.dtypes import DTYPES, arrow_type, described
from dataforge_registry.core.curves.errors import CurveError, ReferenceInvalid
from dataforge_registry.core.curves.json_schema import published
from dataforge_registry.core.curves.model import Index
from dataforge_registry.core.curves.names import Reference, slug, suffixed
from dataforge_registry.core.curves.schema import parse_config

from . import reference, reference_names
from .conftest import arrays_of_values

DOCS = Path(__file__).parents[3] / "docs"
VECTORS = json.loads((DOCS / "format-vectors.json").read_text(encoding="utf-8"))


def typed(value: Any, dtype: str) -> Any:
    """A vector's value: floats that JSON has no number for are written as text."""
    if isinstance(value, list):
        return [typed(element, dtype) for element in value]
    return float(value) if isinstance(value, str) and dtype.startswith("float") else value


@pytest.mark.parametrize("vector", VECTORS["content_ids"], ids=str)
def test_content_ids(vector: dict[str, Any]) -> None:
    dtype, width = vector["dtype"], vector["width"]
    values = [typed(value, dtype) for value in vector["values"]]
    assert values_id(pa.array(values, arrow_type(dtype, width))) == vector["content_id"]
    assert reference.content_id(dtype, width, values) == vector["content_id"]


def test_every_dtype_has_a_vector() -> None:
    assert {vector["dtype"] for vector in VECTORS["content_ids"]} == set(DTYPES)


@pytest.mark.parametrize("vector", VECTORS["index_ids"], ids=str)
def test_index_ids(vector: dict[str, Any]) -> None:
    scale, ticks = vector["scale"], vector["ticks"]
    assert index_id(Index("MD", "DEPT", "m", "M", np.array(ticks), scale)) == vector["index_id"]
    dtype = "timestamp" if scale is None else f"decimal{scale}"
    assert reference.content_id(dtype, 1, ticks) == vector["index_id"]


def generated(vector: dict[str, Any]) -> list[Any]:
    """The series of docs/format.md section 11."""
    dtype, width, state, numbers = vector["dtype"], vector["width"], 1, []
    for _ in range(vector["rows"] * width):
        state = (state * 1103515245 + 12345) % 2**31
        number = state // 65536 % vector["modulus"]
        numbers.append(f"w{number}" if dtype == "utf8" else number / 8 if dtype.startswith("float") else number)
    return numbers if width == 1 else [numbers[at : at + width] for at in range(0, len(numbers), width)]


@pytest.mark.parametrize("vector", VECTORS["cuts"], ids=lambda vector: f"{vector['dtype']}-{vector['rows']}")
def test_cuts(vector: dict[str, Any]) -> None:
    dtype, width, values = vector["dtype"], vector["width"], generated(vector)
    samples = Samples.of(pa.array(values, arrow_type(dtype, width)))
    spans, avg = cut(samples, vector["inherited"])
    assert ([span.stop for span in spans], avg) == (vector["stops"], vector["avg"])
    assert samples.content_id == vector["values_id"]
    assert reference.stops(dtype, width, values, vector["avg"]) == vector["stops"]
    if vector["inherited"] is None:
        assert reference.average(dtype, width, values) == vector["avg"]


@pytest.mark.parametrize("vector", VECTORS["slugs"], ids=lambda vector: repr(vector["name"])[:20])
def test_slugs(vector: dict[str, str]) -> None:
    assert slug(vector["name"], vector["kind"]) == vector["slug"]
    assert suffixed(vector["name"], vector["kind"]) == vector["suffixed"]
    assert reference_names.slug(vector["name"], vector["kind"]) == vector["slug"]
    assert reference_names.suffixed(vector["name"], vector["kind"]) == vector["suffixed"]


@given(st.text(), st.sampled_from(["well", "frame", "curve"]))
def test_both_implementations_give_one_slug(name: str, kind: str) -> None:
    assume(not any(0xD800 <= ord(char) < 0xE000 for char in name))
    assert slug(name, kind) == reference_names.slug(name, kind)


@pytest.mark.parametrize("vector", VECTORS["references"], ids=lambda vector: vector["text"][:30])
def test_references(vector: dict[str, Any]) -> None:
    said = reference_names.reference(vector["text"])
    if vector.get("invalid"):
        assert said is None
        with pytest.raises(ReferenceInvalid):
            Reference.parse(vector["text"])
        return
    parsed = Reference.parse(vector["text"])
    assert (parsed.base, parsed.repository, parsed.target) == (vector["base"], vector["repository"], vector["target"])
    assert (parsed.base, parsed.repository, parsed.target) == said


@given(arrays_of_values())
def test_both_implementations_give_one_content_id(values: pa.Array) -> None:
    dtype, width = described(values.type)
    assert values_id(values) == reference.content_id(dtype, width, values.to_pylist())


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["float32", "float64", "int16", "uint8", "utf8"]),
    st.sampled_from([1, 1, 3]),
    st.sampled_from([4, 32, 256]),
    st.integers(0, 2**32),
    st.sampled_from([1, 3, 100]),
)
def test_both_implementations_cut_alike(dtype: str, width: int, avg: int, seed: int, levels: int) -> None:
    width = 1 if dtype == "utf8" else width
    rows = 9000 if dtype in ("float32", "float64", "utf8") else 34_000 // width
    numbers = np.random.default_rng(seed).integers(levels, size=rows * width).tolist()
    flat = [f"facies {number}" for number in numbers] if dtype == "utf8" else numbers
    flat[5] = None
    values = flat if width == 1 else [flat[at : at + width] for at in range(0, len(flat), width)]
    samples = Samples.of(pa.array(values, arrow_type(dtype, width)))
    spans, _ = cut(samples, avg)
    assert [span.stop for span in spans] == reference.stops(dtype, width, values, avg)
    assert average_rows(rows, row_bytes(samples)) == reference.average(dtype, width, values)


def test_the_published_schema_is_that_of_the_code() -> None:
    """`python -m dataforge_registry.core.curves.json_schema > docs/curve-config.schema.json` writes it anew."""
    assert (DOCS / "curve-config.schema.json").read_text(encoding="utf-8") == published()


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads((DOCS / "curve-config.schema.json").read_text(encoding="utf-8")))


@given(values=arrays_of_values())
def test_configs_follow_the_published_schema(make: Any, validator: Any, values: pa.Array) -> None:
    packed = make.pack(make.frame(values))
    assert list(validator.iter_errors(json.loads(packed.blobs[packed.manifest.config.digest]))) == []


@given(data=st.data())
def test_schema_and_code_refuse_the_same(make: Any, validator: Any, data: st.DataObject) -> None:
    """A config with one field dropped or of another kind: both take it, or both do not."""
    packed = make.packed(make.smooth(100))
    config = json.loads(packed.blobs[packed.manifest.config.digest])
    place = config
    while True:
        key = data.draw(st.sampled_from(list(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    if isinstance(place, dict) and data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(st.sampled_from([None, "", "x", 0, -1, 1.5, True, [], {}, 2**60, "sha256:" + "0" * 64]))
    valid = not list(validator.iter_errors(config))
    try:
        parse_config(json.dumps(config).encode())
        assert valid
    except CurveError:
        assert not valid
