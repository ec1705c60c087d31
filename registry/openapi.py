"""The OpenAPI 3.1 document of an API, made from its operations themselves."""

from collections.abc import Sequence
from typing import Any

import msgspec

from dataforge_registry import __version__

from ..core.oci.media import JSON
from .endpoint import Endpoint, NoQuery

_ERROR_STATUSES = {
    400: "The request cannot be read; the message says why.",
    401: "Credentials are missing or no good.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
}
_REFERENCE = "#/components/schemas/{name}"


class ErrorEntry(msgspec.Struct, frozen=True):
    """What is wrong and how to mend it."""

    code: str
    message: str
    detail: Any = None


class Errors(msgspec.Struct, frozen=True):
    """Every answer of status 400 and above (the envelope of the OCI distribution specification)."""

    errors: list[ErrorEntry]


def document(endpoints: Sequence[Endpoint], prefix: str, title: str) -> dict[str, Any]:
    """The whole document; prefix: what stands before each path, as `/api/v1`."""
    types: list[Any] = [Errors]
    for endpoint in endpoints:
        types += [kind for kind in (_told(endpoint), endpoint.result) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    known = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"basic": []}, {"bearer": []}, {}],
    }


def _operation(endpoint: Endpoint, known: dict[str, Any]) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in endpoint.parameters
    ]
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*path, *_query(endpoint)],
        "responses": {
            str(endpoint.status): {
                "description": "The answer.",
                "content": {
                    kind: {"schema": known[repr(endpoint.result)] if endpoint.result is not None else {}}
                    for kind in endpoint.produces
                },
            },
            **{
                str(status): {"description": text, "content": {"application/json": {"schema": known[repr(Errors)]}}}
                for status, text in {**_ERROR_STATUSES, **endpoint.statuses}.items()
                if status >= 400
            },
            **{str(status): {"description": text} for status, text in endpoint.statuses.items() if status < 400},
            "default": {
                "description": "Anything else that keeps the request from being answered.",
                "content": {"application/json": {"schema": known[repr(Errors)]}},
            },
        },
    }
    if endpoint.signed:
        operation["security"] = []
    if endpoint.body is not None:
        told = _told(endpoint)
        content = {endpoint.takes: {"schema": known[repr(told)]} if told is not None else {}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _told(endpoint: Endpoint) -> Any:
    """The type of a body that a JSON Schema can tell of."""
    return endpoint.body if endpoint.takes == JSON else None


def _query(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.query is NoQuery:
        return []
    (_,), components = msgspec.json.schema_components([endpoint.query], ref_template=_REFERENCE)
    schema = components[endpoint.query.__name__]
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in property_.items() if key not in ("description", "default")},
            "description": property_.get("description", ""),
        }
        for name, property_ in schema["properties"].items()
    ]
