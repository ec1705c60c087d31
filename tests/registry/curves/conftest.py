"""The registries of tests/registry/v2, seen through /api/v1."""

from ..v2.conftest import closed_registry, door, name, open_registry, registry

__all__ = ["closed_registry", "door", "name", "open_registry", "registry"]
