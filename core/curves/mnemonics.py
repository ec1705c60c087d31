"""Mnemonics of one frame or table, each once: files repeat them, and what is read or written by name must not."""

from collections.abc import Iterable


def each_once(names: Iterable[str], mark: str = ":") -> list[str]:
    """The names in order; one that stands already gets the mark and `2`, `3` ... behind it: GR, GR:2."""
    taken: set[str] = set()
    chosen: list[str] = []
    for name in names:
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}{mark}{number}"
        taken.add(unique)
        chosen.append(unique)
    return chosen


def distinct(names: Iterable[str], findings: list[str]) -> list[str]:
    """each_once, of a file that is read: a mnemonic that had to be changed is a finding."""
    given = list(names)
    chosen = each_once(given)
    for name, unique in zip(given, chosen, strict=True):
        if unique != name:
            findings.append(f"mnemonic {name} stands more than once; one of them is read as {unique}")
    return chosen
