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

_SECURITY: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}, {}]
_SESSION = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sid",
        "description": "Of POST /c/login; over TLS a browser's is named __Host-sid.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Harbor-CSRF-Token",
        "description": "What the last answer to the session said: a change needs both.",
    },
}


class ErrorEntry(msgspec.Struct, frozen=True):
    """What is wrong and how to mend it."""

    code: str
    message: str
    detail: Any = None


class Errors(msgspec.Struct, frozen=True):
    """Every answer of status 400 and above (the envelope of the OCI distribution specification)."""

    errors: list[ErrorEntry]


def document(endpoints: Sequence[Endpoint], prefix: str, title: str, browsers: bool = False) -> dict[str, Any]:
    """The whole document; prefix: what stands before each path, as `/api/v1`; browsers: their sessions count too."""
    types: list[Any] = [Errors]
    for endpoint in endpoints:
        types += [kind for kind in (_told(endpoint), endpoint.result) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    known = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, known)
        if browsers and endpoint.method in ("GET", "HEAD"):
            operation.setdefault("security", [*_SECURITY, {"session": []}])
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
                **(_SESSION if browsers else {}),
            },
        },
        "security": [*_SECURITY, *([{"session": [], "csrf": []}] if browsers else [])],
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
            str(endpoint.status): _answer(endpoint, known),
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


def _answer(endpoint: Endpoint, known: dict[str, Any]) -> dict[str, Any]:
    if endpoint.result is None and endpoint.produces == (JSON,):
        return {"description": "It is done; there is no body."}
    schema = {} if endpoint.result is None else known[repr(endpoint.result)]
    return {"description": "The answer.", "content": {kind: {"schema": schema} for kind in endpoint.produces}}


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
