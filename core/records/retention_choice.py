"""What a retention policy lets go, as one statement over sets: it picks, and stores what it picked.

An artifact stays where a rule keeps it, where what stays needs it (a child of an index, an accessory of its subject),
or where nobody may remove it (held, immutable, or untagged and promised by its lease). Rules count artifacts that stand
for themselves: those with a tag, and those that are neither in a live index nor attached to a live subject. An index of
a well that a newer one superseded and no tag names stands for nothing: no rule keeps it, so it keeps nothing either.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..policies.retention import Keep
from .database import Connection

SETTINGS: Final = """SET LOCAL statement_timeout = 0; SET LOCAL plan_cache_mode = force_custom_plan;
SET LOCAL enable_seqscan = on; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"""
"""A statement that reads a whole project is planned for what is there."""
READ_IMMUTABLE: Final = "SELECT repositories, tags FROM immutable_rule WHERE project_id = $1 AND enabled"
_RELATIVE: Final = "substr(r.name, strpos(r.name, '/') + 1)"


@dataclass
class _Statement:
    """Values that travel as parameters behind $1 (project) and $2 (execution)."""

    arguments: list[Any] = field(default_factory=list)

    def text(self, value: str) -> str:
        """A text's placeholder."""
        self.arguments.append(value)
        return f"${len(self.arguments) + 2}::text"

    def labels(self, artifact: str, selector: dict[str, Any]) -> str:
        """A selector by labels."""
        found = f"labelled({artifact}, {self.text(json.dumps(selector['labels']))}::jsonb)"
        return f"NOT {found}" if selector["not"] else found

    def matches(self, name: str, selector: dict[str, Any]) -> str:
        """A selector by a pattern."""
        return f"{name} {'!~' if selector['not'] else '~'} {self.text(selector['re'])}"


def statement(keeps: Sequence[Keep], immutable: Sequence[tuple[Any, Any]]) -> tuple[str, list[Any]]:
    """The statement and its arguments behind the project's and the execution's id. immutable: (repositories, tags) of
    the project's rules, compiled as those of `keeps`."""
    made = _Statement()
    homes, tagged, selected, kept, expires = [], [], [], [], []
    for n, keep in enumerate(keeps):
        homes.append(f"({_all(keep.repositories, lambda s: made.matches(_RELATIVE, s))}) AS in_{n}")
        conditions = [f"s.in_{n}", "NOT superseded.yes"]
        for m, selector in enumerate(keep.tags):
            if "labels" in selector:
                conditions.append(made.labels("a.id", selector))
                continue
            tagged.append(f"bool_or({made.matches('g.name', selector)}) AS tag_{n}_{m}")
            conditions.append(f"coalesce(n.tag_{n}_{m}, {str(selector['untagged']).lower()})")
        selected.append(f"({' AND '.join(conditions)}) AS sel_{n}")
        kept.append(_kept(n, keep))
        if keep.expire is not None:
            expires.append(f"(sel_{n} AND pushed < now() - interval '1 day' * {keep.expire})")
    fixed = " OR ".join(
        f"(({_all(homes_, lambda s: made.matches(_RELATIVE, s))}) AND ({_all(tags_, lambda s: _one(made, s))}))"
        for homes_, tags_ in immutable
    )
    tagged.append(f"bool_or({fixed or 'false'}) AS immutable")
    return _TEXT.format(
        homes=", ".join(homes),
        anywhere=" OR ".join(f"in_{n}" for n in range(len(keeps))),
        tagged=", ".join(tagged),
        selected=", ".join(selected),
        kept=" OR ".join(kept),
        expires=" OR ".join(expires) or "false",
    ), made.arguments


def _all(selectors: Sequence[dict[str, Any]], one: Callable[[dict[str, Any]], str]) -> str:
    return " AND ".join(one(each) for each in selectors) or "true"


def _one(made: _Statement, selector: dict[str, Any]) -> str:
    return made.labels("g.artifact_id", selector) if "labels" in selector else made.matches("g.name", selector)


def _kept(n: int, keep: Keep) -> str:
    match keep.template:
        case "latestPushedK" | "latestPulledN":
            by = "pushed" if keep.template == "latestPushedK" else "coalesce(pulled, '-infinity')"
            row = f"row_number() OVER (PARTITION BY repository_id, stands AND sel_{n} ORDER BY {by} DESC, id DESC)"
            return f"(stands AND sel_{n} AND {row} <= {keep.number})"
        case "nDaysSinceLastPush":
            return f"(stands AND sel_{n} AND pushed >= now() - interval '1 day' * {keep.number})"
        case "nDaysSinceLastPull":  # what nobody has pulled yet is as young as its push
            return f"(stands AND sel_{n} AND greatest(pushed, pulled) >= now() - interval '1 day' * {keep.number})"
    return f"(stands AND sel_{n})"


_TEXT: Final = """
WITH RECURSIVE scope AS MATERIALIZED (
  SELECT * FROM (SELECT r.repository_id, r.name, {homes} FROM repository r WHERE r.project_id = $1) AS q
  WHERE {anywhere}
), named AS MATERIALIZED (
  SELECT g.artifact_id, array_agg(g.name ORDER BY g.name) AS tags, max(g.push_time) AS pushed, {tagged}
  FROM tag g JOIN scope s ON s.repository_id = g.repository_id JOIN repository r ON r.repository_id = g.repository_id
  GROUP BY g.artifact_id
), listed AS MATERIALIZED (
  SELECT DISTINCT f.child_id AS id FROM artifact_reference f JOIN scope s ON s.repository_id = f.repository_id
  JOIN artifact p ON p.id = f.artifact_id WHERE p.deleted_at IS NULL AND f.child_id IS NOT NULL
), attached AS MATERIALIZED (
  SELECT c.artifact_id AS id, c.subject_artifact_id AS subject FROM artifact_accessory c
  JOIN scope s ON s.repository_id = c.repository_id
  JOIN artifact p ON p.id = c.subject_artifact_id WHERE p.deleted_at IS NULL
), newest AS MATERIALIZED (
  SELECT a.repository_id, max(a.id) AS id FROM artifact a JOIN scope s ON s.repository_id = a.repository_id
  WHERE a.type = 'WELL' AND a.deleted_at IS NULL GROUP BY a.repository_id
), candidate AS MATERIALIZED (
  SELECT a.id, a.repository_id, s.name, a.digest, coalesce(n.tags, '{{}}') AS tags,
    greatest(a.push_time, n.pushed) AS pushed,
    a.pull_time AS pulled, l.id IS NOT NULL OR c.id IS NOT NULL AS late, coalesce(n.immutable, false) AS immutable,
    c.id IS NULL AND (n.artifact_id IS NOT NULL OR l.id IS NULL) AS stands,
    n.artifact_id IS NULL AND a.keep_until > now() AS promised,
    EXISTS (SELECT FROM hold h WHERE h.project_id = $1
      AND (h.repository_id IS NULL OR h.repository_id = a.repository_id)
      AND (h.artifact_id IS NULL OR h.artifact_id = a.id)) AS held,
    {selected}
  FROM artifact a JOIN scope s ON s.repository_id = a.repository_id
  LEFT JOIN named n ON n.artifact_id = a.id LEFT JOIN listed l ON l.id = a.id LEFT JOIN attached c ON c.id = a.id
  LEFT JOIN newest w ON w.repository_id = a.repository_id
  CROSS JOIN LATERAL (SELECT a.type = 'WELL' AND n.artifact_id IS NULL AND a.id < w.id AS yes) AS superseded
  WHERE a.deleted_at IS NULL
), judged AS MATERIALIZED (
  SELECT *, ({kept}) OR held OR promised OR (immutable AND NOT ({expires})) AS stays FROM candidate
), edge AS MATERIALIZED (
  SELECT f.artifact_id AS id, f.child_id AS need FROM artifact_reference f
  JOIN scope s ON s.repository_id = f.repository_id
  WHERE f.child_id IS NOT NULL UNION ALL SELECT subject, id FROM attached
), needed AS (
  SELECT e.need AS id FROM edge e JOIN judged j ON j.id = e.id WHERE j.stays
  UNION SELECT e.need FROM needed n JOIN edge e ON e.id = n.id
), result AS MATERIALIZED (
  SELECT j.*, NOT j.stays AND n.id IS NULL AS gone FROM judged j LEFT JOIN needed n ON n.id = j.id
), task AS (
  INSERT INTO retention_task (execution_id, repository_id, repository, total, retained, computed_at)
  SELECT $2::bigint, repository_id, name, count(*), count(*) FILTER (WHERE NOT gone), now()
  FROM result GROUP BY repository_id, name ORDER BY name
  RETURNING id, repository_id
)
INSERT INTO retention_pick (execution_id, artifact_id, task_id, digest, tags, pushed, pulled, late, expires)
SELECT $2::bigint, r.id, t.id, r.digest, r.tags, r.pushed, r.pulled, r.late, r.immutable
FROM result r JOIN task t ON t.repository_id = r.repository_id WHERE r.gone
"""


async def choose(conn: Connection, project_id: int, execution_id: int, keeps: Sequence[Keep]) -> int:
    """Pick what goes, and store it as the execution's tasks and diff; how many artifacts that is. The caller's
    transaction does nothing else."""
    if not keeps:
        return 0
    for setting in SETTINGS.split(";"):
        await conn.execute(setting)
    rows = await conn.fetch(READ_IMMUTABLE, project_id)
    text, arguments = statement(keeps, [(json.loads(row[0]), json.loads(row[1])) for row in rows])
    return int((await conn.execute(text, project_id, execution_id, *arguments)).rpartition(" ")[2])
