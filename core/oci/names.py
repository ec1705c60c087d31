"""Repository names and tags (distribution-spec, "Pulling manifests")."""

import re

from .errors import ManifestInvalid, NameInvalid

REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
MAX_REPOSITORY = 229


def check_repository(name: str) -> str:
    """The name itself, or NameInvalid."""
    if len(name) > MAX_REPOSITORY:
        raise NameInvalid(f"a repository name has at most {MAX_REPOSITORY} characters")
    if not REPOSITORY.fullmatch(name):
        raise NameInvalid("a repository name is lower-case words of a-z and 0-9, joined by . _ __ or -, parted by /")
    return name


def project_of(repository: str) -> str:
    """The project a repository belongs to: the first segment of its name."""
    return repository.partition("/")[0]


def is_tag(text: str) -> bool:
    """Whether text follows the grammar of a tag."""
    return TAG.fullmatch(text) is not None


def check_tag(text: str) -> str:
    """The tag itself, or ManifestInvalid (distribution-api.md B4)."""
    if not is_tag(text):
        raise ManifestInvalid("a tag is up to 128 of a-z A-Z 0-9 _ . -, and starts with none of . and -")
    return text
