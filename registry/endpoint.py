"""One operation of an API as a value: its path, the types of what goes in and out, and the function that answers.

Types are msgspec Structs; requests are checked by them and the OpenAPI document is made from them, so that neither can
say what the other does not.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import msgspec

from ..core.curves.errors import CurveError
from ..core.oci.errors import QueryInvalid
from ..core.oci.media import JSON
from .v2.answer import Answer, Request

_PARAMETER = re.compile(r"\{(\w+)\}")


class NoQuery(msgspec.Struct, frozen=True):
    """An operation without query parameters; unknown ones are for nobody."""


@dataclass(frozen=True)
class Endpoint:
    """An operation. `path` is an OpenAPI template below the API's prefix; a parameter matches one segment. `result` is
    the type of a JSON answer, None where `produces` says what comes. GET answers HEAD too."""

    blanks_unsaid: ClassVar[bool] = False
    """Whether a query parameter without a value (`page=`) is one that was not sent."""

    method: str
    path: str
    summary: str
    answer: Callable[[Any], Awaitable[Answer]]
    query: type[msgspec.Struct] = NoQuery
    body: Any = None  # the type of a body
    takes: str = JSON  # its media type: this, or MessagePack
    most: int = 1 << 20  # bytes of it
    result: Any = None
    produces: tuple[str, ...] = (JSON,)
    status: int = 200
    statuses: dict[int, str] = field(default_factory=dict)  # further ones: what each means
    signed: bool = False  # the path says who is asking: credentials are not looked at

    @property
    def name(self) -> str:
        """The operation's id: `get_projects_project_wells`."""
        return f"{self.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', self.path.lower()).strip('_')}"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as an expression with a group for each parameter."""
        parts = _PARAMETER.split(self.path)
        texts, names = parts[::2], parts[1::2]
        pattern = re.escape(texts[0])
        for name, text in zip(names, texts[1:], strict=True):
            pattern += f"(?P<{name}>[^/]+)" + re.escape(text)
        return re.compile(pattern)

    @property
    def parameters(self) -> list[str]:
        """Names of the path's parameters, in order."""
        return _PARAMETER.findall(self.path)

    def parse_query(self, request: Request) -> msgspec.Struct:
        """The query as its Struct. QueryInvalid names the parameter that cannot be read."""
        known = {info.encode_name: info for info in msgspec.structs.fields(self.query)}
        values: dict[str, Any] = {}
        for name in known.keys() & request.query.keys():
            texts = request.query[name]
            if texts != [""] or not self.blanks_unsaid:
                values[name] = texts if _is_list(known[name].type) else request.one(name)
        try:
            return msgspec.convert(values, self.query, strict=False)
        except msgspec.ValidationError as error:
            raise QueryInvalid(_said(error, "the query")) from None
        except CurveError as error:
            raise QueryInvalid(str(error)) from None

    def parse_body(self, raw: bytes) -> Any:
        """The body as its type. QueryInvalid says what is wrong with it."""
        if self.body is None:
            return None
        decode = msgspec.json.decode if self.takes == JSON else msgspec.msgpack.decode
        try:
            return decode(raw, type=self.body)
        except msgspec.DecodeError as error:
            raise QueryInvalid(_said(error, "the body")) from None
        except UnicodeDecodeError:
            raise QueryInvalid("the body is not UTF-8 text") from None
        except RecursionError:  # in a field that nobody knows; those that are known are not deep
            raise QueryInvalid("the body is nested too deeply") from None


def _is_list(kind: Any) -> bool:
    """Whether a parameter may come more than once."""
    found = msgspec.inspect.type_info(kind)
    while isinstance(found, msgspec.inspect.Metadata):
        found = found.type
    return isinstance(found, msgspec.inspect.ListType)


def described(text: str) -> msgspec.Meta:
    """What the document says of a parameter."""
    return msgspec.Meta(description=text)


def answer(found: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A Struct, list or dict as JSON."""
    return Answer(
        status, {"content-type": JSON, **(headers or {})}, msgspec.json.encode(found, enc_hook=str)
    )  # a Digest is a str of its own class


def _said(error: Exception, where: str) -> str:
    """`limit of the query: Expected int <= 1000`, from msgspec's `Expected ... - at `$.limit``."""
    text, _, path = str(error).partition(" - at `$")
    place = path.strip("`.")
    return f"{place} of {where}: {text}" if place else f"{where}: {text}"
