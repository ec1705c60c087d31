"""Kubernetes objects held against its own types (lightkube-models, made from its OpenAPI document), and looked up."""

import dataclasses
import importlib
import sys
import types
import typing
from typing import Any

Object = dict[str, Any]


def model(document: Object) -> type:
    """The type of an object's apiVersion and kind."""
    # The models want three names of lightkube itself, which brings an HTTP client along; two are of dataclasses.
    schema = types.ModuleType("lightkube.core.schema")
    schema.__dict__.update(dataclass=dataclasses.dataclass, field=dataclasses.field, DictMixin=object)
    sys.modules.setdefault("lightkube.core", types.ModuleType("lightkube.core"))
    sys.modules.setdefault("lightkube.core.schema", schema)
    group, _, version = document["apiVersion"].rpartition("/")
    module = importlib.import_module(f"lightkube.models.{group.partition('.')[0] or 'core'}_{version}")
    found: type = getattr(module, document["kind"])
    return found


def faults(value: Any, kind: Any, path: str) -> list[str]:
    """Where a value is not of a type: fields that are unknown, missing or of another kind."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not types.NoneType]
        found = [faults(value, option, path) for option in options]
        return min(found, key=len)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _object(value, kind, path)
    if typing.get_origin(kind) is list:
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        (item,) = typing.get_args(kind)
        return [fault for at, each in enumerate(value) for fault in faults(each, item, f"{path}[{at}]")]
    if typing.get_origin(kind) is dict or kind is dict:
        if not isinstance(value, dict):
            return [f"{path}: not a mapping"]
        item = (typing.get_args(kind) or (str, Any))[1]
        return [fault for name, each in value.items() for fault in faults(each, item, f"{path}.{name}")]
    if kind in (str, int, bool, float) and (type(value) is not kind):
        return [f"{path}: {value!r} is no {kind.__name__}"]
    return []


def _object(value: Any, kind: type, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: not a mapping"]
    hints, found = typing.get_type_hints(kind), []
    fields = {field.metadata.get("json", field.name): field for field in dataclasses.fields(kind)}
    for name, each in value.items():
        if name not in fields:
            found.append(f"{path}.{name}: unknown to {kind.__name__}")
        else:
            found += faults(each, hints[fields[name].name], f"{path}.{name}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in value:
            found.append(f"{path}.{name}: missing")
    return found


class Rendered:
    """The objects of a release, by kind and name."""

    def __init__(self, documents: list[Object]) -> None:
        self.documents = documents

    def of(self, *kinds: str) -> list[Object]:
        """All of some kinds."""
        return [document for document in self.documents if document["kind"] in kinds]

    def one(self, kind: str, ending: str = "") -> Object:
        """The only one of a kind whose name ends so."""
        (found,) = [each for each in self.of(kind) if each["metadata"]["name"].endswith(ending)]
        return found

    def templates(self) -> list[Object]:
        """The pod templates of all workloads."""
        return [each["spec"]["template"] for each in self.of("Deployment", "StatefulSet")]

    def selected(self, labels: dict[str, str]) -> list[Object]:
        """The pod templates that a selector finds."""
        return [each for each in self.templates() if labels.items() <= each["metadata"]["labels"].items()]
