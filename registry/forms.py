"""Query strings and forms of the token service, read by hand: urlencoded only, bounded, nothing taken twice."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from ..core.oci.errors import BlobTooLarge, EncodingUnsupported, QueryInvalid
from .origin import header

FORM = "application/x-www-form-urlencoded"
_FIELDS = 200


class Fields:
    """Named values. `many` names those that may come more than once."""

    def __init__(self, text: bytes, many: Iterable[str] = ()) -> None:
        try:
            pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
        except ValueError:
            raise QueryInvalid(f"the parameters are not up to {_FIELDS} urlencoded fields of UTF-8 text") from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        for name, values in self._values.items():
            if len(values) > 1 and name not in many:
                raise QueryInvalid(f"the parameter {name[:64]!r} is given more than once")

    def one(self, name: str, default: str = "") -> str:
        """The value of a field, or the default without it."""
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return self._values.get(name, [])


async def read_form(scope: Scope, receive: Receive, limit: int, many: Iterable[str] = ()) -> Fields:
    """The form in a request's body. EncodingUnsupported for another type, BlobTooLarge beyond `limit` bytes."""
    types = header(scope, b"content-type")
    if [type_.partition(";")[0].strip().lower() for type_ in types] != [FORM] or header(scope, b"content-encoding"):
        raise EncodingUnsupported(f"send the form as {FORM}, without a Content-Encoding")
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise QueryInvalid("the form was cut off")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise BlobTooLarge(f"a form has at most {limit} bytes")
    return Fields(bytes(body), many)
