"""The OpenAPI document holds: requests made from it, right and wrong ones, are answered as it says (schemathesis)."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from ..v2.conftest import Registry
from .conftest import frame, pushed, smooth

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_answers_are_as_the_document_says(registry: Registry, mode: GenerationMode) -> None:
    pushed(registry, "doc/w/run/gr", frame(smooth(100)), "v1", "latest")
    document = schemathesis.openapi.from_url(f"http://{registry.host}/api/v1/openapi.json")
    seen = 0
    # but for one whose body is MessagePack: test_pushes.py
    for result in document.exclude(path="/api/v1/pushes").get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.POSITIVE or operation.query or operation.body:
            hold(operation.as_strategy(generation_mode=mode))
            seen += 1
    assert seen >= (20 if mode is GenerationMode.POSITIVE else 12)


def hold(cases: Any) -> None:
    """Some cases of an operation, each answered as the document says."""

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=cases)
    def check(case: Any) -> None:
        answer = case.call()
        if answer.status_code != 414:  # of an engine, to an address that is too long: granian's has no body
            case.validate_response(answer, checks=CHECKS)

    check()
