"""What all operations of /api/v1 have in common: their document, and answers to what is none of them."""

import json

from ..v2.conftest import Registry


def test_the_document_is_served_and_names_itself(registry: Registry) -> None:
    answer = registry.send("GET", "/api/v1/openapi.json")
    assert answer.status == 200
    document = json.loads(answer.body)
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/openapi.json" in document["paths"]


def test_head_has_the_headers_of_get_and_no_body(registry: Registry) -> None:
    answer = registry.send("HEAD", "/api/v1/openapi.json")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 500


def test_what_is_no_operation_is_answered_with_what_is(registry: Registry) -> None:
    answer = registry.send("GET", "/api/v1/nonsense")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
    assert registry.send("GET", "/api/v1/nons%2Fense").status == 404
    answer = registry.send("DELETE", "/api/v1/openapi.json")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_bad_credentials_are_challenged(door: Registry) -> None:
    answer = door.by("ann", "wrong").send("GET", "/api/v1/openapi.json")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert door.send("GET", "/api/v1/openapi.json").status == 200
