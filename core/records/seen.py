"""Whose projects a list may show: the same that a request for one of them would be answered for."""

from ..access import ANONYMOUS, Principal

SEEN_FROM = """FROM project p CROSS JOIN rights($1, $2, $3, '') AS x"""
_SEEN_WHERE = """NOT p.deleted AND x.valid AND (
  x.admin OR p.public OR 'project:list' = ANY (x.grants)
  OR ($1 = 'account' AND EXISTS (
    SELECT FROM project_member m WHERE m.project_id = p.project_id AND (
      m.entity_type = 'u' AND m.entity_id = $2 OR m.entity_type = 'g' AND m.entity_id IN (
        SELECT group_id FROM user_group_member WHERE account_id = $2))))
  OR ($1 = 'robot' AND '{grant}' = ANY ((SELECT y.grants FROM rights($1, $2, $3, p.name) AS y)::text[])))"""
"""Every role may list what is in its project, so any membership will do; a robot needs its grant."""


def seen_where(grant: str) -> str:
    """The condition on project `p` and the caller's own rights `x`, for rows that a robot with `grant` may list."""
    return _SEEN_WHERE.replace("{grant}", grant)


def who(principal: Principal) -> tuple[str, int, int]:
    """The parameters $1 to $3. A credential that is limited to some actions lists what everybody may."""
    seer = principal if principal.ceiling is None else ANONYMOUS
    return seer.kind, seer.id, seer.epoch
