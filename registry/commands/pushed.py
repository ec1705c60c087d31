"""What `dfr ls` and `dfr show` say of log files that were pushed as plain artifacts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import screen

if TYPE_CHECKING:
    from rich.table import Table

    from ..client.plain import PlainPush


def pushed_table(pushes: "Sequence[PlainPush]") -> "list[Table]":
    """A table of what became of them, or none."""
    if not pushes:
        return []
    from rich.text import Text

    table = screen.table("pushed", "import", "curves", "wells", "reason")
    for push in pushes:
        texts = (push.name, push.status, str(push.curves), ", ".join(push.wells), push.reason)
        table.add_row(*(Text(screen.plain(text)) for text in texts))
    return [table]
