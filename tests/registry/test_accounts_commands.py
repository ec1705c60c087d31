"""`dfr user`, `group`, `project`, `member` and `key` on a real database, and what they say when they cannot."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataforge_registry.core.oci.errors import RegistryError
from dataforge_registry.registry.cli import build
from dataforge_registry.registry.failures import CommandError

Dfr = Callable[..., str]
SECRET_KEY = "a master secret for tests, 32 characters or more"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_AUTH_SECRETKEY": SECRET_KEY,
        "DFR_TEST_DATA": str(tmp_path),
    }


@pytest.fixture
def dfr(settings: dict[str, str]) -> Dfr:
    """Runs one command and returns what it printed; a failure is raised."""

    def run(*arguments: str, stdin: str | None = None) -> str:
        command = [*arguments, "--data", settings["DFR_TEST_DATA"]]
        return CliRunner(env=settings).invoke(build(), command, input=stdin, catch_exceptions=False).output

    return run


def test_users_are_made_listed_disabled_and_given_passwords(dfr: Dfr) -> None:
    made = dfr("user", "create", "ann", "--admin")
    assert made.startswith("made user ann with the password ")
    assert len(made.split()[-1]) >= 12
    assert dfr("user", "create", "bob", "--password-stdin", stdin="correct horse battery\n") == "made user bob\n"
    assert dfr("user", "disable", "bob") == "user bob is disabled\n"
    assert dfr("user", "list") == "ann admin\nbob disabled\n"
    assert dfr("user", "enable", "bob") == "user bob is enabled\n"
    assert dfr("user", "password", "bob").startswith("user bob has a new password: ")
    assert dfr("user", "list") == "ann admin\nbob\n"


def test_projects_have_members_and_groups(dfr: Dfr) -> None:
    dfr("user", "create", "ann")
    assert dfr("project", "create", "wells", "--sparse", "--owner", "ann") == "made private project wells\n"
    assert dfr("project", "create", "open", "--public") == "made public project open\n"
    assert dfr("project", "list") == "open public\nwells sparse\n"
    assert dfr("group", "add", "geology", "ann") == "user ann is in group geology\n"
    assert dfr("member", "add", "open", "ann", "maintainer") == "user ann is maintainer of open\n"
    assert dfr("member", "add", "open", "--group", "geology", "3") == "group geology is guest of open\n"
    assert dfr("member", "list", "open") == "user ann maintainer\ngroup geology guest\n"
    assert dfr("group", "list") == "geology ann\n"
    assert dfr("member", "remove", "open", "--group", "geology") == "group geology is no longer a member of open\n"
    assert dfr("member", "remove", "open", "ann") == "user ann is no longer a member of open\n"
    assert dfr("group", "remove", "geology", "ann") == "user ann is no longer in group geology\n"


def test_keys_are_rotated(dfr: Dfr) -> None:
    assert dfr("key", "rotate") == dfr("key", "rotate") == "the next key signs from now on\n"


def test_the_master_secret_is_changed_and_what_it_sealed_with_it(settings: dict[str, str], dfr: Dfr) -> None:
    newer = "another master secret for tests, as long as the first"
    dfr("key", "rotate")
    assert dfr("key", "reseal").startswith("3 secrets are sealed under the first line of auth.secretkey, 0 of them")
    settings["REGISTRY_AUTH_SECRETKEY"] = newer
    with pytest.raises(CommandError, match="give the old one as a second line"):
        dfr("key", "reseal")
    settings["REGISTRY_AUTH_SECRETKEY"] = f"{newer}\n{SECRET_KEY}"
    assert dfr("key", "reseal").startswith("3 secrets are sealed under the first line of auth.secretkey, 3 of them")
    settings["REGISTRY_AUTH_SECRETKEY"] = newer
    assert dfr("key", "reseal").startswith("3 secrets are sealed under the first line of auth.secretkey, 0 of them")
    dfr("key", "rotate")


def test_robots_are_made_listed_refreshed_disabled_and_ended(dfr: Dfr) -> None:
    dfr("project", "create", "wells")
    made = dfr("robot", "create", "wells+ci", "--can", "pull", "--can", "tag:create", "--days", "7")
    assert re.fullmatch(r"made robot\$wells\+ci, until 20.* UTC, with the secret dfr_\w{49}\n", made)
    assert "for ever" in dfr("robot", "create", "reader", "--can", "pull", "--days", "-1")
    listed = dfr("robot", "list").splitlines()
    assert listed[0] == "robot$reader *:repository:pull, for ever, never used"
    assert listed[1].startswith("robot$wells+ci wells:repository:pull,tag:create, until 20")
    assert dfr("robot", "refresh", "robot$wells+ci").startswith("robot$wells+ci has the secret dfr_")
    assert dfr("robot", "disable", "reader") == "robot$reader is disabled\n"
    assert dfr("robot", "list").splitlines()[0].endswith(", disabled")
    assert dfr("robot", "enable", "reader") == "robot$reader is enabled\n"
    assert dfr("robot", "delete", "reader") == "robot$reader is deleted\n"
    for command, error in {
        ("create", "wells+ci", "--can", "pull"): "there is a robot robot$wells+ci already",
        ("create", "ci", "--can", "fly"): "there is no project permission 'fly'",
        ("create", "ci", "--can", "pull", "--days", "0"): "a robot's duration is -1",
        ("create", "Ci", "--can", "pull"): "a robot's name has a-z",
        ("refresh", "reader"): "there is no robot robot$reader",
    }.items():
        with pytest.raises(RegistryError, match=re.escape(error)):
            dfr("robot", *command)
    with pytest.raises(CommandError, match="there is no project absent"):
        dfr("robot", "create", "absent+ci", "--can", "pull")


def test_a_user_has_a_secret_for_command_lines(dfr: Dfr) -> None:
    dfr("user", "create", "ann")
    assert re.fullmatch(r"user ann has the secret dfr_\w{49}\n", dfr("user", "cli-secret", "ann"))
    assert dfr("user", "cli-secret", "ann", "--revoke") == "user ann has no secret for command lines\n"
    with pytest.raises(CommandError, match="there is no user eve"):
        dfr("user", "cli-secret", "eve")


def test_what_cannot_be_is_said_with_its_remedy(dfr: Dfr) -> None:
    dfr("user", "create", "ann")
    dfr("project", "create", "wells")
    refused = {
        ("user", "create", "ann"): "there is a user ann already",
        ("user", "create", "a:b"): "a user name has",
        ("user", "disable", "eve"): "there is no user eve",
        ("project", "create", "wells"): "there is a project wells already",
        ("project", "create", "new", "--owner", "eve"): "there is no user eve",
        ("member", "add", "wells", "ann", "king"): "the roles are project-admin, maintainer",
        ("member", "add", "wells", "ann"): "dfr member add PROJECT USER ROLE",
        ("member", "add", "wells", "ann", "guest", "--group", "g"): "dfr member add PROJECT --group NAME ROLE",
        ("member", "add", "wells", "--group", "g", "guest"): "dfr group add g USER",
        ("member", "remove", "wells"): "dfr member remove PROJECT USER",
        ("member", "remove", "wells", "ann"): "user ann is no member of wells",
    }
    for command, message in refused.items():
        with pytest.raises(CommandError, match=message):
            dfr(*command)
    with pytest.raises(CommandError, match="at least 12 characters"):
        dfr("user", "create", "bob", "--password-stdin", stdin="short\n")


def test_a_failure_is_one_line_and_exit_code_2(settings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "dataforge_registry.registry", "project", "create", "Not a name"]
    command += ["--data", settings["DFR_TEST_DATA"]]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dfr: a repository name is lower-case words")
    assert done.stderr.count("\n") == 1
