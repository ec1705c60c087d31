"""`dfr robot trust`: tokens of CI systems that pass for a robot's secret."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...core.access import SYSTEM
from .options import ConfigFile, DataFolder, read

if TYPE_CHECKING:
    from ...core.identity.rules import Condition
    from ...core.records.database import Connection
    from ...core.records.trusts import Trust

Name = Annotated[str, typer.Argument(help="project+name, or name alone for one of the whole system.")]
Pairs = Annotated[list[str] | None, typer.Option(help="Give it again for more; all must hold.")]


def trust_group() -> typer.Typer:
    """The commands."""
    group = typer.Typer(help="Tokens of CI systems in place of a robot's secret.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_rules)
    group.command("remove")(remove)
    return group


def add(
    name: Name,
    issuer: Annotated[str, typer.Option(help="https://token.actions.githubusercontent.com, https://gitlab.com ...")],
    audience: Annotated[str, typer.Option(help="What the token is made for: this registry's address, for one.")],
    claim: Pairs = None,
    match: Pairs = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Let tokens of an issuer pass for a robot's secret where claims are right: --claim NAME=TEXT for a text,
    --match NAME=PATTERN for a pattern as refs/heads/**."""
    from ...core.identity.rules import Condition
    from ...core.records import robots, trusts
    from ..administration import administer
    from ..management.trusts import check_issuer

    check_issuer(issuer, audience)
    conditions = [Condition(*_pair(each)) for each in claim or []]
    conditions += [Condition(claim_name, matches=pattern) for claim_name, pattern in map(_pair, match or [])]

    async def make(conn: "Connection") -> str:
        robot = await robots.named(conn, name)
        made = await trusts.create(conn, SYSTEM, robot, issuer, audience, conditions)
        return f"rule {made}: {robot.full_name} by tokens of {issuer}"

    print(administer(read(config, data), make))


def list_rules(name: Name, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Print a robot's rules."""
    from ...core.records import robots, trusts
    from ..administration import administer

    async def find(conn: "Connection") -> "list[Trust]":
        return await trusts.list_trusts(conn, (await robots.named(conn, name)).id)

    for rule in administer(read(config, data), find):
        print(f"{rule.id} {rule.issuer} for {rule.audience} where {', '.join(map(_said, rule.conditions))}")


def remove(
    name: Name,
    rule: Annotated[int, typer.Argument(help="The number that list shows.")],
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """End a rule, and all tokens of its robot."""
    from ...core.records import robots, trusts
    from ..administration import administer

    async def end(conn: "Connection") -> str:
        robot = await robots.named(conn, name)
        await trusts.delete(conn, SYSTEM, robot, rule)
        return robot.full_name

    print(f"rule {rule} of {administer(read(config, data), end)} is gone")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name or not value:
        raise typer.BadParameter(f"{text!r}: write NAME=VALUE")
    return name, value


def _said(condition: "Condition") -> str:
    if condition.equals:
        return f"{condition.claim} is {condition.equals}"
    return f"{condition.claim} matches {condition.matches}"
