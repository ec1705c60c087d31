"""Harbor's own description of its API, and whether an answer is one that it allows. Absent outside the workshop."""

import re
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ...conftest import ROOT

FILE = ROOT.parent / "shared" / "reference" / "harbor-swagger.yaml"
PREFIX = "/api/v2.0"


class Description:
    """The file as it is; `check` finds the operation of a request."""

    def __init__(self, file: Path) -> None:
        self._document: dict[str, Any] = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        paths = sorted(self._document["paths"], key=lambda path: path.count("{"))
        return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path).rstrip("/")) + "/?"), path) for path in paths]

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        """The template and the operation of a request to a path below the prefix, None where Harbor has none."""
        for pattern, template in self._paths:
            found = self._document["paths"][template].get(method.lower())
            if found is not None and pattern.fullmatch(path):
                return template, found
        return None

    def check(self, method: str, target: str, status: int, content_type: str, body: Any) -> None:
        """AssertionError where Harbor would never have answered so. body: JSON, None where there is none."""
        found = self.operation(method, target.partition("?")[0].removeprefix(PREFIX))
        if found is None or status >= 500:
            return
        template, operation = found
        responses = operation["responses"]
        allowed = {*responses, "400", "401", "403", "404", "405", "412", "429"}
        if method in ("POST", "PUT"):
            allowed.add("409")  # of /robots and /usergroups, where Harbor answers so and does not say it
        assert str(status) in allowed, f"{method} {template}: Harbor never answers {status}, only {sorted(responses)}"
        response = responses.get(str(status), {})
        if "$ref" in response:
            response = self._document["responses"][response["$ref"].rpartition("/")[2]]
        if template.endswith("/additions/{addition}"):
            return  # called a string, and in truth whatever the addition is
        if "schema" in response and method != "HEAD":
            if response["schema"].get("type") == "string" and not content_type.startswith("application/json"):
                return
            schema = {**self._schema(response["schema"]), "definitions": self._definitions}
            jsonschema.validate(body, schema, jsonschema.Draft4Validator)

    @cached_property
    def _definitions(self) -> dict[str, Any]:
        return {name: self._schema(schema) for name, schema in self._document["definitions"].items()}

    def _schema(self, schema: Any) -> Any:
        """Swagger 2.0 as JSON Schema draft 4: what may be null may."""
        if isinstance(schema, list):
            return [self._schema(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        made = {name: self._schema(value) for name, value in schema.items() if name not in ("example", "format")}
        if made.get("additionalProperties") == {"type": "object"}:
            made["additionalProperties"] = True  # Harbor's own extra_attrs hold texts and numbers
        if isinstance(made.get("type"), str) and made.pop("x-nullable", False):
            made["type"] = [made["type"], "null"]
        return made


@cache
def description() -> Description | None:
    """Harbor's description, None where the file is absent: then answers are checked by our own words alone."""
    return Description(FILE) if FILE.is_file() else None
