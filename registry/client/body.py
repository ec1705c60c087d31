"""What a request carries: bytes, or a file that is read as it is sent and opened anew for each attempt."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...core.curves.errors import CurveError


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file of a known size in bytes."""

    path: Path
    size: int

    def __len__(self) -> int:
        return self.size


Body = bytes | FileBody


def opened(body: Body | None) -> BinaryIO | None:
    """To be read from the start; CurveError where the file cannot be.

    In pieces also where it is in memory, so that sending a large one does not stop the loop; aiohttp closes it.
    """
    if isinstance(body, FileBody):
        try:
            return body.path.open("rb")
        except OSError as error:  # not to be taken for one of the network
            raise CurveError(f"it cannot be opened: {error.strerror}") from error
    return None if body is None else io.BytesIO(body)
