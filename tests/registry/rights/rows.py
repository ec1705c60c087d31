"""A row of matrix.txt: what a route needs, and what each principal is therefore to be told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .words import Who

Objects = Mapping[str, str]
"""What stands in a project, by the names of matrix.txt: `label_id`, `digest` ..."""
ANCHORS = {"project_name_or_id", "project_name", "project", "name", "repository_name", "retentions.id"}
"""Parameters that say where; all others say what, and may belong somewhere else."""
PLAIN = {"well", "frame", "curve", "file", "tag", "tag_name", "meta_name", "addition", "public", "token"}
"""What is called the same everywhere, or cannot be addressed through another project."""
OPTIONS = ("hides", "nobody", "signed", "shows", "marks", "cross", "source", "remake", "robots", "type")
PARAMETER = re.compile(r"\{(\w+)\}")
PLACEHOLDER = re.compile(r"<([\w.]+)>")


@dataclass(frozen=True)
class Row:
    """What a route needs. `needs`: `anybody`, `signed-in`, `system:WORD`, `self:WORD` (the user himself, or who holds
    the system's WORD), or a word in the project. `ok`: what who may is answered. Options:

    hides     who lacks this word is told 404, not 403
    nobody    what one who has not signed in is told where he may not, not 401
    signed    nobody may without signing in
    shows     the answer holds `marks` (the project's name) exactly for who holds this word
    cross     what who may is answered where the thing is another project's, not 404
    source    unless he holds this word there
    robots    what robots are answered who may
    remake    what a success ends, and the next cell needs
    type      of the body
    {name}    what a parameter is instead
    """

    method: str
    path: str
    needs: str
    ok: int
    body: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """As the live tables have it."""
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def id(self) -> str:
        given = "".join(f" {name}={value}" for name, value in self.given.items())
        return f"{self.method} {self.path}{given}"

    @cached_property
    def names(self) -> set[str]:
        """All that the request names."""
        named = {self._key(match) for match in PARAMETER.finditer(self.path) if match[1] not in self.given}
        return named | {
            match[1] for match in PLACEHOLDER.finditer(self.path + self.body + "".join(self.given.values()))
        }

    def _key(self, match: re.Match[str]) -> str:
        """`retentions.id` for the `{id}` of /retentions/{id}."""
        name = match[1]
        return f"{match.string[: match.start()].rstrip('/').rpartition('/')[2]}.{name}" if name == "id" else name

    @property
    def placed(self) -> bool:
        """Whether it is about something in a project."""
        return bool(self.names - {"user_id", "system_robot_id", "system_label_id"})

    @property
    def crossing(self) -> bool:
        """Whether a thing of one project can be addressed through another."""
        names = self.names
        return bool(names & ANCHORS and names - ANCHORS - PLAIN)

    def request(self, place: Objects, thing: Objects) -> tuple[str, str]:
        """Target and body: the anchors are `place`'s, all else is `thing`'s."""

        def value(name: str) -> str:
            return (place if name in ANCHORS else thing)[name]

        def filled(text: str) -> str:
            return PLACEHOLDER.sub(lambda match: value(match[1]), text)

        def parameter(match: re.Match[str]) -> str:
            given = self.given.get(match[1])
            return value(self._key(match)) if given is None else filled(given)

        return filled(PARAMETER.sub(parameter, self.path)), filled(self.body)

    def allowed(self, who: Who, place: str, himself: bool) -> bool:
        if who.anonymous and "signed" in self.options:
            return False
        kind, _, word = self.needs.partition(":")
        match kind:
            case "anybody":
                return True
            case "signed-in":
                return not who.anonymous
            case "system":
                return who.holds_system(word)
            case "self":
                return himself or who.holds_system(word)
            case _:
                return who.holds(self.needs, place)

    def expected(self, who: Who, place: str, thing: str, himself: bool = False) -> int:
        """The status for a thing of a project addressed through a place."""
        if not self.allowed(who, place, himself):
            if who.anonymous:
                return int(self.options.get("nobody", 401))
            hides = self.options.get("hides")
            return 404 if hides is not None and not who.holds(hides, place) else 403
        if who.robot and "robots" in self.options:
            return int(self.options["robots"])
        if thing == place or ("source" in self.options and who.holds(self.options["source"], thing)):
            return self.ok
        return int(self.options.get("cross", 404))


def parse(text: str) -> list[Row]:
    """The rows of a table; an empty line or one that begins with # is none."""
    return [_row(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _row(line: str) -> Row:
    request, _, body = line.partition(" | ")
    method, path, needs, ok, *more = request.split()
    options, given = {}, {}
    for each in more:
        name, equals, value = each.partition("=")
        assert equals, f"{each!r} is no option: {line}"
        if name.startswith("{"):
            given[name.strip("{}")] = value
        else:
            assert name in OPTIONS, line
            options[name] = value
    return Row(method, path, needs, int(ok), body.strip(), options, given)
