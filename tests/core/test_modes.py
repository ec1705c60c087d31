"""Modes: what each of them takes."""

import pytest

from dataforge_registry.core.modes import check_mode
from dataforge_registry.core.oci.errors import ReadOnly
from dataforge_registry.core.records.settings import Mode


@pytest.mark.parametrize(
    ("mode", "push", "taken"),
    [
        (Mode.NORMAL, True, True),
        (Mode.NORMAL, False, True),
        (Mode.NO_PUSH, True, False),
        (Mode.NO_PUSH, False, True),
        (Mode.READ_ONLY, True, False),
        (Mode.READ_ONLY, False, False),
    ],
)
def test_what_a_mode_takes(mode: Mode, push: bool, taken: bool) -> None:
    if taken:
        check_mode(mode, push=push)
    else:
        with pytest.raises(ReadOnly):
            check_mode(mode, push=push)
