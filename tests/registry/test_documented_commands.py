"""Every `dfr` command that the documents show exists, with the options that it is shown with."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from dataforge_registry.registry.cli import build

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(dfr [^`]+)`")
COMMAND = re.compile(r"(?:^|[\s(|&;])(dfr (?:[^#|&;<>()\n]|(?<= )#)*)")


def shown(text: str) -> Iterator[str]:
    """Each command of a document."""
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from COMMAND.findall(line.partition(" #")[0])
    for found in INLINE.findall(FENCE.sub("", text)):
        yield " ".join(found.split())


def wrong(command: Any, words: list[str]) -> str:
    """What a command does not have; empty: nothing."""
    while (commands := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
        name, *words = words
        if "|" in name:  # one of several
            return "".join(wrong(command, [each, *words]) for each in name.split("|"))
        if not re.fullmatch(r"[a-z-]+", name):
            return ""  # `dfr ...`
        if name not in commands:
            return f"no command {name!r}"
        command = commands[name]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        option = word.partition("=")[0].strip("[]")
        if re.fullmatch(r"--?[a-z][a-z-]*", option) and option not in options | {"--help"}:
            return f"{command.name} has no {option}"
    return ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_a_document(document: Path) -> None:
    commands, tree = list(shown(document.read_text())), typer.main.get_command(build())
    found = {line: wrong(tree, shlex.split(line, comments=True)[1:]) for line in commands}
    assert {line: why for line, why in found.items() if why} == {}


def test_there_are_some_and_the_check_can_fail() -> None:
    operations = list(shown((ROOT / "docs" / "operations.md").read_text()))
    assert len(operations) > 20 and "dfr mode read-only" in operations
    tree = typer.main.get_command(build())
    assert wrong(tree, ["gone"]) == "no command 'gone'"
    assert wrong(tree, ["adopt", "--distribution-root", "x", "--gone"]) == "adopt has no --gone"
    assert wrong(tree, ["storage", "gone", "--to", "x"]) == "no command 'gone'"
