"""A Dockerfile read as far as a test needs it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from string import Template


@dataclass
class Stage:
    """One FROM: its base, its name and its instructions in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """What an instruction was given, each time."""
        return [text for name, text in self.steps if name == instruction]

    def words(self, instruction: str) -> list[str]:
        """The last of an instruction in its JSON form, as words."""
        found: list[str] = json.loads(self.all(instruction)[-1].removeprefix("CMD "))
        return found


def stages(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, its ARGs before the first FROM put in."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[Stage] = []
    given: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if name == "FROM":
            base, _, stage = Template(rest).substitute(given).partition(" AS ")
            found.append(Stage(base, stage))
        elif name == "ARG" and not found:
            given |= dict([rest.split("=", 1)])
        else:
            found[-1].steps.append((name, rest))
    return found


def copied(stage: Stage) -> list[str]:
    """What a stage copies from the folder of the build."""
    found = []
    for text in stage.all("COPY"):
        words = text.split()
        if not words[0].startswith("--from"):
            found += words[:-1]
    return found
