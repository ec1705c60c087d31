"""CSV (RFC 4180): a header line of names and units, `MD [ft],GR [GAPI]`, and a line for each row.

An absent value is an empty field, an empty text a quoted one. Array curves have a field for each element.
"""

import re
from collections.abc import Iterable, Iterator

from ..windows.aligned import Aligned
from .texts import compute, index_texts, joined, mapped, printed

_QUOTED = re.compile(r'[",\r\n]|^\s|\s$')


def write_csv(chunks: Iterable[Aligned]) -> Iterator[bytes]:
    """The header with the first chunk, then each chunk's rows."""
    for number, chunk in enumerate(chunks):
        columns = printed(chunk)
        if number == 0:
            heads = [(chunk.kind, chunk.unit), *((column.name, column.unit) for column in columns)]
            yield (",".join(_field(f"{name} [{unit}]" if unit else name) for name, unit in heads) + "\n").encode()
        fields = [mapped(column.texts, _field) if column.word else column.texts for column in columns]
        rows = compute.binary_join_element_wise(
            index_texts(chunk), *fields, ",", null_handling="replace", null_replacement=""
        )
        yield joined(rows)


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if not text or _QUOTED.search(text) else text
