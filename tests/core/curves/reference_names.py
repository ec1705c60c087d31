"""Slugs and REFs written a second time, from the words of docs/format.md section 7 alone, without regular expressions
for slugs. Held equal to the package by test_format.py."""

import hashlib
import re
import unicodedata

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"  # one segment of an OCI repository name
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}"
REF = re.compile(rf"(?:(https?://[^/@\s]+)/)?([^@]+?)(?::({TAG})|@({TAG}|{DIGEST}))?", re.DOTALL)


def slug(name: str, kind: str) -> str:
    words, word = [], ""
    for char in unicodedata.normalize("NFKC", name).casefold() + " ":
        if char in ALPHABET:
            word += char
        elif word:
            words.append(word)
            word = ""
    joined = "-".join(words)
    if 0 < len(joined) <= 48:
        return joined
    return f"{joined[:39].rstrip('-') or kind}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def suffixed(name: str, kind: str) -> str:
    return f"{slug(name, kind)}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def reference(text: str) -> tuple[str | None, str, str] | None:
    """Base, repository, target; None of what is no REF."""
    match = REF.fullmatch(text)
    if match is None or "://" in match[2]:
        return None
    project, *rest = match[2].split("/")
    if not 1 <= len(rest) <= 3 or not re.fullmatch(NAME, project) or not all(part.strip() for part in rest):
        return None
    if ":" in rest[-1] and not match[3] and not match[4]:  # what stands behind the last colon is no tag
        return None
    kinds = ("well", "frame", "curve")
    parts = [part if re.fullmatch(NAME, part) else slug(part, kind) for part, kind in zip(rest, kinds, strict=False)]
    return match[1], "/".join([project, *parts]), match[3] or match[4] or "latest"
