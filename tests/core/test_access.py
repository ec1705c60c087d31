"""The table of roles and actions, and what each refusal may say."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.access import (
    ACTIONS,
    ANONYMOUS,
    DEVELOPER,
    GUEST,
    LIMITED_GUEST,
    MAINTAINER,
    PROJECT_ADMIN,
    SYSTEM,
    Action,
    Principal,
    Rights,
    permits,
    require,
)
from dataforge_registry.core.oci.errors import (
    Denied,
    NameUnknown,
    RegistryError,
    ScopeInsufficient,
    TokenInvalid,
    Unauthorized,
)

ANN = Principal("account", 12, "ann")
PULL, PUSH, DELETE = Action.PULL, Action.PUSH, Action.DELETE
ALL = set(Action)
READ = {PULL, *(each for each in ALL if each.value.endswith((":read", ":list")))}
POLICIES = {each for each in ALL if each.value.startswith(("metadata", "tag-retention", "immutable-tag"))}
WRITE = {PUSH, *map(Action, ("artifact:create", "repository:update", "tag:create"))}
LABELS = {Action("artifact-label:create"), Action("artifact-label:delete")}
OWNERS = {each for each in ALL if each.value.startswith(("project:", "metadata:", "member:", "robot:"))} - READ
LIMITED = READ - POLICIES - {each for each in ALL if each.value.startswith(("member", "log", "label", "robot", "hold"))}
TABLE = {
    PROJECT_ADMIN: ALL,
    MAINTAINER: ALL - OWNERS - {Action("hold:delete")},
    DEVELOPER: READ - POLICIES | WRITE | LABELS,
    GUEST: READ - POLICIES,
    LIMITED_GUEST: LIMITED,
}
RIGHTS = st.builds(
    Rights,
    valid=st.booleans(),
    admin=st.booleans(),
    project_id=st.none() | st.integers(1, 9),
    public=st.booleans(),
    sparse=st.booleans(),
    roles=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=3).map(tuple),
)


@pytest.mark.parametrize(("role", "action"), list(product(TABLE, Action)))
def test_a_role_allows_what_harbors_role_allows(role: int, action: Action) -> None:
    assert permits(Rights(True, project_id=1, roles=(role,)), action) is (action in TABLE[role])


def test_the_roles_of_a_user_and_of_its_groups_add_up() -> None:
    assert permits(Rights(True, project_id=1, roles=(GUEST, DEVELOPER)), PUSH)
    assert not permits(Rights(True, project_id=1, roles=()), PULL)


def test_a_public_project_is_pulled_by_everybody_and_pushed_by_nobody_else() -> None:
    public = Rights(True, project_id=1, public=True)
    everybody = {action for action in Action if permits(public, action)}
    assert everybody == READ - POLICIES - {
        a for a in READ if a.value.startswith(("member", "log", "robot", "hold", "quota"))
    }


@given(RIGHTS, st.sampled_from(Action))
def test_nothing_is_allowed_to_who_is_gone_or_where_nothing_is(rights: Rights, action: Action) -> None:
    if permits(rights, action):
        assert rights.valid
        assert rights.project_id is not None
        assert rights.admin or rights.roles or (rights.public and action in READ)


@given(RIGHTS, st.sampled_from(Action), st.sampled_from([ANONYMOUS, ANN]))
def test_require_passes_exactly_what_is_permitted(rights: Rights, action: Action, who: Principal) -> None:
    try:
        require(who, rights, action)
    except RegistryError:
        assert not permits(rights, action)
    else:
        assert permits(rights, action)


@pytest.mark.parametrize(
    ("who", "rights", "error"),
    [
        (ANONYMOUS, Rights(True), Unauthorized),
        (ANONYMOUS, Rights(True, project_id=1), Unauthorized),
        (ANN, Rights(False, project_id=1, public=True, roles=(1,)), TokenInvalid),
        (ANN, Rights(True), Denied),
        (ANN, Rights(True, project_id=1, public=True), Denied),
        (ANN, Rights(True, admin=True), NameUnknown),
        (SYSTEM, Rights(True, admin=True), NameUnknown),
    ],
)
def test_a_refusal_says_what_its_hearer_may_know(who: Principal, rights: Rights, error: type[RegistryError]) -> None:
    with pytest.raises(RegistryError) as refusal:
        require(who, rights, PUSH)
    assert type(refusal.value) is error


def test_whether_a_project_exists_is_not_told_to_strangers() -> None:
    told = set()
    for project, action in product((None, 1), (PULL, PUSH, DELETE)):
        with pytest.raises(Denied) as refusal:
            require(ANN, Rights(True, project_id=project), action)
        told.add((refusal.value.message, refusal.value.detail, *refusal.value.headers))
    assert len(told) == 1


def test_a_narrow_credential_is_told_so_only_where_its_holder_may() -> None:
    narrow = Principal("robot", 3, "ci", ceiling=frozenset({PULL}))
    developer = Rights(True, project_id=1, roles=(DEVELOPER,))
    require(narrow, developer, PULL)
    with pytest.raises(ScopeInsufficient):
        require(narrow, developer, PUSH)
    with pytest.raises(Denied):
        require(narrow, developer, DELETE)


def test_a_principal_has_one_key() -> None:
    assert [who.key for who in (ANN, ANONYMOUS, SYSTEM)] == ["account:12", "anonymous:0", "system:0"]
