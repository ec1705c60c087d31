"""Lists in Harbor's manner: `page`, `page_size`, `sort`, `q`; `X-Total-Count` and a `Link` of paths, never of hosts."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlencode

import msgspec

from ...core.records.listing import Asked
from ..endpoint import answer, described
from ..v2.answer import Answer
from .operation import Call

MOST = 100
Page = Annotated[int, msgspec.Meta(ge=0, le=2**31), described("From 1.")]
PageSize = Annotated[int, msgspec.Meta(ge=0, le=MOST), described("How many a page, at most 100; 0 asks for these.")]
Text = Annotated[str, msgspec.Meta(max_length=4096)]


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """Pages alone."""

    page: Page = 1
    page_size: PageSize = 10

    def __post_init__(self) -> None:
        """Zeros are what Go's clients send of what nobody said."""
        msgspec.structs.force_setattr(self, "page", self.page or 1)
        msgspec.structs.force_setattr(self, "page_size", self.page_size or MOST)

    @property
    def asked(self) -> Asked:
        """As core knows it."""
        return Asked(self.page, self.page_size)


class Listed(Paged, frozen=True, kw_only=True):
    """Pages, order and conditions."""

    sort: Annotated[Text, described("Fields, `-` for falling: `a,-b`.")] = ""
    q: Annotated[Text, described("Conditions: `k=v,k=~part,k=[min~max],k={any of},k=(all of)`.")] = ""

    @property
    def asked(self) -> Asked:
        """As core knows it."""
        return Asked(self.page, self.page_size, self.sort, self.conditions)

    @property
    def conditions(self) -> str:
        """`q` decoded once more, as Harbor does: some of its clients encode it twice (`tags%253Dnil`)."""
        return unquote(self.q)


def listed(call: Call[Any], items: Sequence[Any], total: int) -> Answer:
    """A page of a list of `total`, with links to the pages around it."""
    page, size = call.query.page, call.query.page_size
    links = []
    if page > 1:
        links.append(f'<{_link(call, page - 1, size)}>; rel="prev"')
    if page * size < total:
        links.append(f'<{_link(call, page + 1, size)}>; rel="next"')
    headers = {"x-total-count": str(total)}
    if links:
        headers["link"] = " , ".join(links)  # as Harbor parts them: its clients cut at the comma
    return answer(list(items), headers=headers)


def _link(call: Call[Any], page: int, size: int) -> str:
    """The path and query of another page. Never a host: clients glue it to their own."""
    others = [
        (name, value)
        for name, values in call.request.query.items()
        if name not in ("page", "page_size")
        for value in values
    ]
    path = call.request.scope["raw_path"].partition(b"?")[0].decode("ascii", "replace")
    return f"{path}?{urlencode([*others, ('page', page), ('page_size', size)], quote_via=quote)}"
