"""Logins of browsers: a cookie that ends when it is told to, that no other site can use, that /v2/ does not know."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from ..v2.conftest import PASSWORD, Answer, Registry
from .conftest import Api

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def login(api: Registry, user: str = "ann", password: str = PASSWORD, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.send("POST", "/c/login", f"principal={user}&password={password}".encode(), FORM | named)


def cookie(answer: Answer) -> str:
    """`sid=value` of an answer that sets it."""
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


@dataclass(frozen=True)
class Browser:
    """What a browser sends with each request."""

    registry: Registry
    cookie: str

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.registry.send(method, path, body, {"Cookie": self.cookie, **named})

    def token(self) -> str:
        return self.send("GET", "/api/v2.0/users/current").headers["x-harbor-csrf-token"]


@pytest.fixture
def browser(nobody: Api) -> Browser:
    return Browser(nobody.registry, cookie(login(nobody.registry)))


def test_a_login_is_good_until_the_logout(browser: Browser) -> None:
    answer = browser.send("GET", "/api/v2.0/users/current")
    assert (answer.status, b'"username":"ann"' in answer.body) == (200, True)
    assert browser.send("GET", "/c/log_out").status == 200
    assert browser.send("GET", "/api/v2.0/users/current").status == 401


def test_a_cookie_is_for_us_alone(nobody: Api) -> None:
    flags = "; Path=/; HttpOnly; SameSite=Lax"
    assert re.fullmatch(r"sid=[\w-]{43}" + flags, login(nobody.registry).headers["set-cookie"])


@pytest.mark.parametrize(("user", "password"), [("ann", "wrong"), ("nobody", "x"), ("", ""), ("robot$ci", "x")])
def test_a_failed_login_says_the_same_for_everybody(nobody: Api, user: str, password: str) -> None:
    answer = login(nobody.registry, user, password)
    assert answer.status == 401 and "set-cookie" not in answer.headers and "www-authenticate" not in answer.headers
    assert b"the user name or password is wrong" in answer.body


def test_a_login_ends_the_session_before_it(browser: Browser) -> None:
    again = cookie(login(browser.registry, Cookie=browser.cookie))
    assert again != browser.cookie
    assert browser.send("GET", "/api/v2.0/users/current").status == 401
    assert Browser(browser.registry, again).send("GET", "/api/v2.0/users/current").status == 200


def test_a_cookie_is_nothing_to_the_other_apis(browser: Browser) -> None:
    assert browser.send("GET", "/v2/").status == 401
    assert browser.send("GET", "/v2/wells/gr/tags/list").status == 401
    assert browser.send("GET", "/api/v1/projects/wells/wells").status == 401
    assert browser.send("GET", "/service/token").headers["content-type"].startswith("application/json")
    token = browser.send("GET", "/service/token?scope=repository:wells/gr:pull").body
    assert b'"scope":""' in token.replace(b" ", b"")


def change(browser: Browser, **headers: str) -> int:
    """The status of a change of one's profile."""
    user = browser.registry.records("SELECT account_id FROM account WHERE username = 'ann'")[0][0]
    return browser.send("PUT", f"/api/v2.0/users/{user}", b'{"realname": ""}', **headers).status


def test_another_site_changes_nothing(browser: Browser) -> None:
    token = browser.token()
    origin = f"http://{browser.registry.host}"
    assert change(browser, X_Harbor_CSRF_Token=token) == 200
    assert change(browser, X_Harbor_CSRF_Token=token, Sec_Fetch_Site="same-origin") == 200
    assert change(browser, X_Harbor_CSRF_Token=token, Origin=origin) == 200
    for site in ("cross-site", "same-site", "what"):
        assert change(browser, X_Harbor_CSRF_Token=token, Sec_Fetch_Site=site, Origin=origin) == 403
    for other in ("https://evil.example", "null", origin + "0", ""):
        assert change(browser, X_Harbor_CSRF_Token=token, Origin=other) == 403
    assert change(browser) == change(browser, X_Harbor_CSRF_Token="x") == 403
    assert change(browser, X_Harbor_CSRF_Token="ü", Sec_Fetch_Site="same-origin") == 403


def test_a_refused_change_brings_the_pair_to_try_again_with(browser: Browser) -> None:
    refused = browser.send("POST", "/api/v2.0/usergroups", b"{}")
    token = refused.headers["x-harbor-csrf-token"]
    pair = refused.headers["set-cookie"].partition(";")[0]
    assert (refused.status, pair) == (403, f"_gorilla_csrf={token}")
    again = Browser(browser.registry, f"{browser.cookie}; {pair}")
    assert change(again, X_Harbor_CSRF_Token=token) == 200
    other = Browser(browser.registry, cookie(login(browser.registry)))
    assert change(other, X_Harbor_CSRF_Token=token) == 403


def test_another_site_neither_logs_in_nor_out(browser: Browser) -> None:
    assert login(browser.registry, Sec_Fetch_Site="cross-site").status == 403
    assert login(browser.registry, Origin="https://evil.example").status == 403
    assert browser.send("GET", "/c/log_out", Sec_Fetch_Site="cross-site").status == 403
    assert browser.send("GET", "/api/v2.0/users/current").status == 200


def test_credentials_count_before_a_cookie(browser: Browser, admin: Api) -> None:
    mixed = Browser(admin.registry, browser.cookie)
    assert b'"username":"admin"' in mixed.send("GET", "/api/v2.0/users/current").body
    assert mixed.send("DELETE", "/api/v2.0/users/" + "9" * 17).status == 404


@pytest.mark.parametrize("line", ["", "sid", "sid=", "sid=x", "sid=" + "a" * 5000, "sid=\xff", "=; ;;", "__Host-sid=x"])
def test_a_cookie_that_names_no_session_is_nobody(nobody: Api, line: str) -> None:
    answer = nobody.registry.send("GET", "/api/v2.0/systeminfo", headers={"Cookie": line})
    assert (answer.status, "set-cookie" in answer.headers) == (200, False)


def test_two_sessions_at_once_are_none(browser: Browser) -> None:
    other = cookie(login(browser.registry, "mia"))
    both = Browser(browser.registry, f"{browser.cookie}; {other}")
    assert both.send("GET", "/api/v2.0/users/current").status == 401


def test_what_is_no_form_is_no_login(nobody: Api) -> None:
    send = nobody.registry.send
    assert send("POST", "/c/login", b"{}", {"Content-Type": "application/json"}).status == 415
    assert send("POST", "/c/login", b"principal=%ff", FORM).status == 400
    assert send("POST", "/c/login", b"principal=a&principal=b", FORM).status == 400
    assert send("GET", "/c/login").status == 405
    assert send("GET", "/c/nowhere").status == send("GET", "/c/").status == 404


def test_whoever_guesses_waits(admin: Api, word: str) -> None:
    answers: list[int] = []
    for _ in range(11):
        answers.append(login(admin.registry, word, "wrong").status)
    assert answers == [401] * 10 + [429]
    admin.registry.records("DELETE FROM login_failure RETURNING 1")


def test_a_session_ends_with_its_account_its_password_and_its_time(admin: Api, word: str) -> None:
    first, second = "a first long password", "a second long password"
    made = admin.post("/users", {"username": word, "password": first})
    number = made.headers["location"].rpartition("/")[2]

    def status(browser: Browser) -> int:
        return browser.send("GET", "/api/v2.0/users/current").status

    nobody = admin.by(None).registry
    browser = Browser(nobody, cookie(login(nobody, word, first)))
    assert status(browser) == 200
    assert admin.put(f"/users/{number}/password", {"new_password": second}).status == 200
    assert status(browser) == 401
    browser = Browser(nobody, cookie(login(nobody, word, second)))
    admin.registry.records("UPDATE session SET expires_at = now() WHERE account_id = $1 RETURNING 1", int(number))
    assert status(browser) == 401
    browser = Browser(nobody, cookie(login(nobody, word, second)))
    assert admin.put(f"/users/{number}/sysadmin", {"sysadmin_flag": True}).status == 200
    assert status(browser) == 401
    browser = Browser(nobody, cookie(login(nobody, word, second)))
    assert admin.delete(f"/users/{number}").status == 200
    assert status(browser) == 401


def test_use_keeps_a_session_alive_up_to_its_longest(browser: Browser) -> None:
    ask = browser.registry.records
    of_ann = "account_id = (SELECT account_id FROM account WHERE username = 'ann')"
    left = f"SELECT bool_or(expires_at - now() > interval '50 minutes') FROM session WHERE {of_ann}"
    ask(f"UPDATE session SET expires_at = now() + interval '20 minutes' WHERE {of_ann} RETURNING 1")
    assert ask(left) == [(False,)]
    assert browser.send("GET", "/api/v2.0/users/current").status == 200
    assert ask(left) == [(True,)]
    ask(
        f"UPDATE session SET creation_time = now() - interval '11.9 hours', expires_at = now() + interval '6 minutes'"
        f" WHERE {of_ann} RETURNING 1"
    )
    assert browser.send("GET", "/api/v2.0/users/current").status == 200
    assert ask(left) == [(False,)]
