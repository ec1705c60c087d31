"""Texts that clients send: what no column can hold is refused here, with the field's name."""

from typing import Annotated

import msgspec

_NO_NUL = "^[^\x00]*$"
Word = Annotated[str, msgspec.Meta(max_length=255, pattern=_NO_NUL)]
"""A name."""
Prose = Annotated[str, msgspec.Meta(max_length=4096, pattern=_NO_NUL)]
"""A description."""
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
