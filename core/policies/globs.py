"""Patterns of names in doublestar's grammar, as Harbor's rules write them, turned into regular expressions.

`*` any characters but /, `?` one of them, `[a-z]` and `[^a-z]` (or `[!a-z]`) one of a class, `{a,b}` one of several,
`**` as a whole segment any number of segments, `\\` the next character as it is. PostgreSQL does the matching: its
engine goes through a text once, whatever the pattern. The expression means the same to Python's `re`, but for that.
"""

from typing import Final

from ..oci.errors import QueryInvalid

LONGEST: Final = 512
DEEPEST: Final = 8
_HERE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def regex(pattern: str) -> str:
    """The expression that matches the whole of what the pattern does; an empty pattern matches everything. QueryInvalid
    says what is wrong with it."""
    if len(pattern) > LONGEST or "\0" in pattern:
        raise QueryInvalid(f"a pattern has at most {LONGEST} characters, and no NUL")
    return f"^(?:{_Reader(pattern).sequence(0) if pattern else '.*'})$"


def _literal(char: str) -> str:
    return char if char in _HERE else f"\\U{ord(char):08x}"


class _Reader:
    """One walk through a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def sequence(self, depth: int, fresh: bool = True) -> str:
        """Up to the end, or inside braces to a comma or the closing one. `fresh`: a segment begins here."""
        parts = []
        while self._at < len(self._pattern):
            char = self._pattern[self._at]
            if depth and char in ",}":
                break
            if char == "*" and fresh and self._segment_of_stars(depth):
                parts.append(self._stars())
                fresh = True
                continue
            parts.append(self._one(char, depth, fresh))
            fresh = char == "/"
        return "".join(parts)

    def _segment_of_stars(self, depth: int) -> bool:
        after = self._pattern[self._at :]
        ends = ("", "/", *(",}" if depth else ""))
        return after.startswith("**") and after[2:3] in ends

    def _stars(self) -> str:
        self._at += 2
        if self._pattern[self._at : self._at + 1] != "/":
            return ".*"
        self._at += 1
        return "(?:.*/)?"

    def _one(self, char: str, depth: int, fresh: bool) -> str:
        self._at += 1
        match char:
            case "*":
                while self._pattern[self._at : self._at + 1] == "*":
                    self._at += 1
                return "[^/]*"
            case "?":
                return "[^/]"
            case "[":
                return self._class()
            case "{":
                return self._choices(depth + 1, fresh)
            case "\\":
                if self._at == len(self._pattern):
                    raise self._wrong("ends with a backslash")
                self._at += 1
                return _literal(self._pattern[self._at - 1])
        return _literal(char)

    def _choices(self, depth: int, fresh: bool) -> str:
        if depth > DEEPEST:
            raise self._wrong(f"has braces in more than {DEEPEST} braces")
        found = [self.sequence(depth, fresh)]
        while self._pattern[self._at : self._at + 1] == ",":
            self._at += 1
            found.append(self.sequence(depth, fresh))
        if self._pattern[self._at : self._at + 1] != "}":
            raise self._wrong("has a { that no } closes")
        self._at += 1
        return f"(?:{'|'.join(found)})"

    def _class(self) -> str:
        negated = self._pattern[self._at : self._at + 1] in ("^", "!") and bool(self._pattern[self._at :])
        self._at += negated
        ranges = []
        while (low := self._member()) is not None:
            high = low
            if self._pattern[self._at : self._at + 1] == "-" and self._pattern[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._member() or ""
                if high < low:
                    raise self._wrong("has a class whose range ends before it starts")
            ranges.append(_literal(low) if low == high else f"{_literal(low)}-{_literal(high)}")
        if not ranges:
            raise self._wrong("has an empty class")
        return f"[^{''.join(ranges)}{_literal('/')}]" if negated else f"(?!/)[{''.join(ranges)}]"

    def _member(self) -> str | None:
        """The next character of a class, None at its end."""
        if self._at >= len(self._pattern):
            raise self._wrong("has a [ that no ] closes")
        char = self._pattern[self._at]
        self._at += 1
        if char == "]":
            return None
        if char == "\\" and self._at < len(self._pattern):
            self._at += 1
            return self._pattern[self._at - 1]
        return char

    def _wrong(self, what: str) -> QueryInvalid:
        return QueryInvalid(f"the pattern {self._pattern[:80]!r} {what}")
