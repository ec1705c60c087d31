"""What goes through the pipes of the sandbox: frames of a length, a head, and blobs."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

Work = Callable[[Any, list[bytes]], tuple[Any, Sequence[bytes]]]
"""What can run inside: (JSON-like argument, blobs) -> (JSON-like result, blobs). A function at the top of a module."""

LENGTH: Final = 8


class Request(msgspec.Struct, array_like=True):
    """The head of a frame to the child; blobs follow it, with these lengths."""

    function: str
    argument: Any
    seconds: int
    sizes: list[int]


class Reply(msgspec.Struct, array_like=True):
    """The head of a frame from the child. error: the class and text of what was raised, else empty."""

    error: str
    text: str
    result: Any
    sizes: list[int]
