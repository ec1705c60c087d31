"""The JSON Schema of a curve's config, made from the types that read and write it (schema.py).

python -m dataforge_registry.core.curves.json_schema > docs/curve-config.schema.json
"""

import json
import sys
from typing import Any

import msgspec

from ..oci import media
from .schema import Config


def config_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. It tells what a field may be; verify.py tells whether fields agree."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": media.CURVE_CONFIG}
    return head | msgspec.json.schema(Config)


def published() -> str:
    """The file's text."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(published())
