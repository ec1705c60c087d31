"""Repository names of wells, frames and curves, and REF, the one way to say which is meant.

A slug is NFKC case-folded, everything but a-z and 0-9 turned into single dashes, none at the ends. Empty or over 48
characters it becomes the first 39 (or `well`, `frame`, `curve`), a dash and 8 hex of the true name's SHA-256.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..oci.digest import Digest
from ..oci.errors import RegistryError
from ..oci.names import check_repository, is_tag
from .errors import ReferenceInvalid

MAX_SLUG = 48
LATEST = "latest"
_GRAMMAR = "[http[s]://HOST[:PORT]/]PROJECT/WELL[/FRAME[/CURVE]][:TAG|@TAG|@DIGEST]"
_OTHERS = re.compile(r"[^a-z0-9]+")
_URL = re.compile(r"(?P<base>https?://[^/@\s]+)/(?P<rest>.*)", re.DOTALL)


@lru_cache(4096)
def slug(name: str, kind: str) -> str:
    """The repository segment of a true name; kind (`well`, `frame`, `curve`) stands in for an empty one."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    text = _OTHERS.sub("-", folded).strip("-")
    if text and len(text) <= MAX_SLUG:
        return text
    return f"{text[:39].rstrip('-') or kind}-{_hash(name)[:8]}"


@lru_cache(4096)
def normal(name: str) -> str:
    """What two spellings of one name have in common: letters and digits of every script, case folded."""
    return "".join(char for char in unicodedata.normalize("NFKC", name).casefold() if char.isalnum())


def is_segment(segment: str, name: str, kind: str) -> bool:
    """Whether a repository's segment is made of a true name."""
    return segment == slug(name, kind) or segment == suffixed(name, kind)


def suffixed(name: str, kind: str) -> str:
    """The segment of a name whose slug is taken by another true name: `-` and 4 hex of its own hash behind it."""
    return f"{slug(name, kind)}-{_hash(name)[:4]}"


def curve_slugs(mnemonics: Iterable[str]) -> dict[str, str]:
    """A distinct segment for each mnemonic of a frame: the first in order keeps the plain slug, later ones a suffix."""
    taken: set[str] = set()
    chosen: dict[str, str] = {}
    for mnemonic in mnemonics:
        segment = slug(mnemonic, "curve")
        if segment in taken:
            segment = suffixed(mnemonic, "curve")
        taken.add(segment)
        chosen[mnemonic] = segment
    return chosen


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass(frozen=True)
class Reference:
    """A well, frame or curve at a tag or digest. base: `http://HOST:PORT`, or None for the default registry."""

    segments: tuple[str, ...]
    target: str = LATEST
    base: str | None = None

    def __str__(self) -> str:
        """The REF again, without the address; a tag that is the default is left out."""
        if self.target == LATEST:
            return self.repository
        return f"{self.repository}{'@' if ':' in self.target else ':'}{self.target}"

    @property
    def repository(self) -> str:
        """The repository's name: `project/well/frame/curve`, or fewer segments."""
        return "/".join(self.segments)

    @property
    def well(self) -> str:
        """The repository of the well's index: `project/well`."""
        return "/".join(self.segments[:2])

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """A REF as a person types it; true names are folded to slugs, so `permian/University 6-17/Run2/GR` works."""
        base, rest = split_base(text)
        path, target = _split_target(rest)
        segments = path.split("/")
        if not 2 <= len(segments) <= 4:
            raise ReferenceInvalid(f"{text!r} is no reference; one reads {_GRAMMAR}")
        kinds = ("project", "well", "frame", "curve")
        if not all(segment.strip() for segment in segments):
            raise ReferenceInvalid(f"{text!r} has an empty segment; a reference reads {_GRAMMAR}")
        project = checked_project(segments[0])
        folded = [_folded(segment, kind) for segment, kind in zip(segments[1:], kinds[1:], strict=False)]
        return cls((project, *folded), target, base)


def checked_project(name: str) -> str:
    """A project's name: one segment of the repository grammar, or ReferenceInvalid."""
    try:
        if "/" in name:
            raise ReferenceInvalid(f"{name!r} is no project: a project is one word of a-z and 0-9, such as permian")
        return check_repository(name)
    except RegistryError as error:
        raise ReferenceInvalid(f"project {name!r}: {error.message}") from error


def split_base(text: str) -> tuple[str | None, str]:
    """`http://HOST:PORT` and the rest, or None and the text."""
    match = _URL.fullmatch(text)
    if match:
        return match["base"], match["rest"]
    first, slash, _ = text.partition("/")
    if "://" in text or (slash and ":" in first):
        raise ReferenceInvalid(f"{text!r}: an address starts with http:// or https:// and is followed by /PROJECT")
    return None, text


def _folded(segment: str, kind: str) -> str:
    """A segment that already is a repository segment stays, a true name becomes its slug."""
    try:
        return check_repository(segment)
    except RegistryError:
        return slug(segment, kind)


def _split_target(text: str) -> tuple[str, str]:
    path, at, target = text.partition("@")
    if at:
        if ":" in target:
            try:
                return path, Digest.parse(target)
            except RegistryError as error:
                raise ReferenceInvalid(f"{text!r}: {error.message}") from error
    else:
        head, slash, last = text.rpartition("/")
        last, colon, target = last.rpartition(":")
        if not colon:
            return text, LATEST
        path = head + slash + last
    if not is_tag(target):
        raise ReferenceInvalid(f"{text!r}: {target!r} is no tag; a tag is up to 128 of a-z A-Z 0-9 _ . -")
    return path, target
