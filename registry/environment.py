"""Environment variables over a configuration, by distribution's rule.

`REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/data` sets `storage.filesystem.rootdirectory`: the path of the key in upper
case, joined by `_`. A value of a key that is no text is read as YAML. `..._FILE` reads the value from a file, where
Docker and Kubernetes put secrets. The first word must be a section of ours: `REGISTRY_PORT` and
`REGISTRY_SERVICE_HOST`, which Kubernetes sets for a service called registry, are none and are left alone.
"""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import msgspec
import yaml

from .units import Duration, Secret, Size

PREFIX = "REGISTRY_"


class BadVariable(ValueError):
    """A variable that names no key of a section that exists, or whose value or file cannot be read."""


def struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The struct a field holds (also behind `| None`), or None for a plain value."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for option in options:
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _find(root: type[msgspec.Struct], words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key whose path, in upper case and joined by `_`, is `words`."""
    for field in msgspec.structs.fields(root):
        name = field.encode_name.upper()
        if words == name:
            yield (field.encode_name,), field.type
        elif words.startswith(name + "_") and (inner := struct_of(field.type)):
            for path, kind in _find(inner, words[len(name) + 1 :]):
                yield (field.encode_name, *path), kind


def _parse(variable: str, kind: Any, text: str) -> Any:
    options = get_args(kind) or (kind,)
    if any(option in (str, Secret, Duration, Size) for option in options) and get_origin(kind) is not list:
        return None if type(None) in options and text in ("", "null", "none") else text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise BadVariable(f"{variable}: not YAML") from None


def _read(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadVariable(f"{variable}: cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def overlay(tree: dict[str, Any], root: type[msgspec.Struct], env: Mapping[str, str]) -> dict[str, Any]:
    """The tree with every variable laid over it. Raises BadVariable."""
    sections = tuple(field.encode_name.upper() for field in msgspec.structs.fields(root))
    for variable in sorted(name for name in env if name.startswith(PREFIX)):
        words = variable.removeprefix(PREFIX)
        if not words.startswith(sections):
            continue
        text, found = env[variable], list(_find(root, words))
        if not found and words.endswith("_FILE"):
            found = list(_find(root, words.removesuffix("_FILE")))
            text = _read(variable, text) if found else text
        if not found:
            if words.split("_")[0] in sections:
                raise BadVariable(f"{variable}: there is no such key in the configuration")
            continue
        path, kind = found[0]
        assign(tree, path, _parse(variable, kind, text))
    return tree


def assign(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the value at a path, making the sections on the way."""
    *sections, key = path
    for name in sections:
        if not isinstance(tree.get(name), dict):
            tree[name] = {}
        tree = tree[name]
    tree[key] = value
