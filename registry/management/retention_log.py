"""What a run of a retention policy did with a repository, as a text for people."""

import json
from collections.abc import Sequence
from typing import Any

from ...core.records.retention import MOST_LINES, Pick

_WORDS = {"picked": "to go", "removed": "gone", "kept": "kept: needed again"}


def log_of(row: Any, picks: Sequence[Pick]) -> str:
    """row: the repository's result, as `retention.picks` has it."""
    dry_run = bool(json.loads(row["extra_attrs"]).get("dry_run"))
    lines = [
        f"{row['computed_at'].isoformat()} {row['repository']}: {row['total']} artifacts, {row['retained']} stay"
        + (" (dry run: nothing goes)" if dry_run else ""),
        "digest, tags, last push, last pull, what became of it",
    ]
    for pick in picks:
        pulled = pick.pulled.isoformat() if pick.pulled else "never"
        tags = " ".join(pick.tags) or "untagged"
        word = "would go" if dry_run else _WORDS[pick.state]
        lines.append(f"{pick.digest}, {tags}, {pick.pushed.isoformat()}, {pulled}, {word}")
    if len(picks) == MOST_LINES:
        lines.append(f"... the first {MOST_LINES} of them")
    return "\n".join(lines) + "\n"
