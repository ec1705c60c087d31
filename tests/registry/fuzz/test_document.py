"""The document of /api/v2.0 holds: requests made from it, right and wrong ones, as administrator, as member and as
nobody, are answered as it says and never by a 5xx (schemathesis)."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from .conftest import EXAMPLES, IDS, KNOWN, Fuzzed

pytestmark = pytest.mark.xdist_group("fuzz")
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
WHO = [("admin", GenerationMode.POSITIVE, 2), ("admin", GenerationMode.NEGATIVE, 2)]
WHO += [("ann", GenerationMode.POSITIVE, 1), (None, GenerationMode.POSITIVE, 1)]


@pytest.mark.parametrize(("user", "mode", "few"), WHO, ids=[f"{user}-{mode.value}" for user, mode, _ in WHO])
def test_answers_are_as_the_document_says(fuzz: Fuzzed, user: str | None, mode: GenerationMode, few: int) -> None:
    document = schemathesis.openapi.from_url(f"http://{fuzz.registry.host}/api/v2.0/openapi.json")
    seen = 0
    for result in document.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.POSITIVE or operation.query or operation.body:
            hold(fuzz, user, operation.as_strategy(generation_mode=mode), EXAMPLES or few)
            seen += 1
        if operation.label == "PUT /api/v2.0/configurations":
            fuzz.normal()
    assert seen >= (100 if mode is GenerationMode.POSITIVE else 60)


def hold(fuzz: Fuzzed, user: str | None, cases: Any, examples: int) -> None:
    """Some cases of an operation, each answered as the document says; paths name what is there half of the time."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=cases, there=st.booleans(), number=st.integers(0, 11))
    def check(case: Any, there: bool, number: int) -> None:
        if there:
            for name in [*(case.path_parameters or {})][: -1 if case.method == "DELETE" else None]:
                known = KNOWN.get(name, IDS)
                case.path_parameters[name] = known[number % len(known)]
        answer = case.call(headers=dict(fuzz.by(user).login))
        fuzz.statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    check()
