"""Scopes of the token protocol: `type:name:action,action`, as clients ask for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.access import Action
from ..core.oci.errors import QueryInvalid

MOST = 100
_ALL = (Action.PULL, Action.PUSH, Action.DELETE)


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing a client wants to act on; `actions` as it named them, `*` taken as all."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse_scopes(values: Iterable[str]) -> list[Asked]:
    """The scopes of a request, given repeatedly or joined by spaces. Text that is no scope is left out: it grants
    nothing. QueryInvalid over 100 of them.

    A name may hold a colon (a host with a port): the type ends at the first, the actions begin after the last.
    """
    words = [word for value in values for word in value.split()]
    if len(words) > MOST:
        raise QueryInvalid(f"a token is for at most {MOST} scopes; ask for fewer")
    asked = []
    for word in words:
        type_, _, rest = word.partition(":")
        name, colon, actions = rest.rpartition(":")
        if type_ and colon and name:
            named = tuple(filter(None, actions.split(",")))
            asked.append(Asked(type_, name, _ALL if type_ == "repository" and "*" in named else named))
    return asked
