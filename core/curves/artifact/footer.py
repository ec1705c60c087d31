"""What a Parquet file says of itself, read without Parquet's own library, which some lies in a footer would abort.

The footer is a FileMetaData struct in Thrift's compact protocol, then its length as u32le and `PAR1`
(apache/parquet-format, README.md "File format" and parquet.thrift; apache/thrift, thrift-compact-protocol.md).
"""

from dataclasses import dataclass
from typing import Any

from ..errors import ContentMismatch

_MAGIC = b"PAR1"
_DEEPEST = 12
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)

Fields = dict[int, Any]


@dataclass(frozen=True)
class Footer:
    """rows: of the file and the sum over its row groups; columns: leaves; elements, size: values and bytes decoded."""

    start: int
    rows: int
    rows_in_groups: int
    columns: int
    elements: int
    size: int


def read_footer(data: bytes) -> Footer:
    """The footer of a Parquet file, or ContentMismatch."""
    length = int.from_bytes(data[-8:-4], "little")
    start = len(data) - 8 - length
    if data[:4] != _MAGIC or data[-4:] != _MAGIC or start < 4:
        raise ContentMismatch("a layer is no readable Parquet file: it does not begin and end as one")
    try:
        fields = _Compact(data, start).struct()
        groups: list[Fields] = fields.get(4, [])
        chunks: list[Fields] = [chunk[3] for group in groups for chunk in group[1]]
        # of a schema element, 5 is the number of its children, which leaves have not
        return Footer(
            start=start,
            rows=_whole(fields[3]),
            rows_in_groups=sum(_whole(group[3]) for group in groups),
            columns=sum(not element.get(5) for element in fields[2]),
            elements=sum(_whole(chunk[5]) for chunk in chunks),
            size=sum(_whole(chunk[6]) for chunk in chunks),
        )
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ContentMismatch("a layer is no readable Parquet file: its footer is broken") from error


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError
    return value


class _Compact:
    """Thrift's compact protocol, one value after another; IndexError at the end of the data."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def struct(self, depth: int = 0) -> Fields:
        if depth > _DEEPEST:
            raise IndexError
        fields: Fields = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._zigzag()
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._zigzag()
        if kind == _BINARY:
            return self._skip(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            if count > len(self.data):
                raise IndexError
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind in (_TRUE, _FALSE, _BYTE):  # of a list: a byte each
            return self._byte()
        if kind == _DOUBLE:
            return self._skip(8)
        raise IndexError  # a map, which no footer has

    def _byte(self) -> int:
        byte = self.data[self.at]
        self.at += 1
        return byte

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise IndexError

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise IndexError
