"""What the registry's mode allows at this moment (core/records/settings.py)."""

from .oci.errors import ReadOnly
from .records.settings import Mode


def check_mode(mode: Mode, *, push: bool) -> None:
    """ReadOnly where a change, or a push, is not taken now."""
    if mode is Mode.READ_ONLY:
        raise ReadOnly("the registry is read-only for a while: an administrator has switched changes off")
    if mode is Mode.NO_PUSH and push:
        raise ReadOnly("the registry takes no pushes for a while: an administrator has switched them off")
