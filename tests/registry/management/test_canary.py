"""P29: no secret that a request carried, or an answer gave, stands in the audit trail, an event, a task or a log."""

import base64
import json

from .conftest import Api

TABLES = """SELECT c.relname AS name FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"""


def test_no_secret_is_written_down(nobody: Api, admin: Api, word: str) -> None:
    canary = f"Canary-{word}-of-a-secret"
    user = f"u{word}"
    made = {"username": user, "password": canary, "email": f"{user}@example.org", "realname": "U", "comment": ""}
    assert admin.post("/users", made).status == 201
    assert nobody.by(user, canary).get("/users/current").status == 200
    assert nobody.by(user, canary + "x").get("/users/current").status == 401
    assert nobody.by(canary, "typed into the wrong field").get("/users/current").status == 401
    assert nobody.registry.send("GET", f"/service/token?account={user}", None, _basic(user, canary)).status == 200
    form = f"grant_type=password&username={user}&password={canary}&client_id=c&access_type=offline".encode()
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    token = nobody.registry.send("POST", "/service/token", form, typed)
    login = f"principal={user}&password={canary}".encode()
    session = nobody.registry.send("POST", "/c/login", login, typed)
    assert (token.status, session.status) == (200, 200)
    bearer = nobody.registry.send("GET", "/v2/", None, {"Authorization": f"Bearer {canary}"})
    assert bearer.status == 401
    access = [{"resource": "repository", "action": "pull"}]
    robot = admin.post(
        "/robots",
        {
            **{"name": word, "level": "system", "duration": 1, "secret": f"{canary}-Robot1"},
            "permissions": [{"kind": "project", "namespace": "*", "access": access}],
        },
    )
    assert robot.status == 201
    given = json.loads(token.body)
    secrets = {canary, robot.json["secret"], given["refresh_token"], given["token"]}
    secrets |= {base64.b64encode(f"{user}:{canary}".encode()).decode()}
    secrets |= {canary.lower()}  # a name is folded
    secrets |= {part.split("=")[1].split(";")[0] for part in [session.headers["set-cookie"]]}
    for row in nobody.registry.records(TABLES):
        text = nobody.registry.records(f"SELECT string_agg(q::text, ' ') AS text FROM {row['name']} AS q")[0]["text"]
        assert not [secret for secret in secrets if secret in (text or "")], row["name"]
    log = (nobody.registry.server.directory.parent / "log").read_text(errors="replace")
    assert not [secret for secret in secrets if secret in log]
    assert nobody.registry.records("SELECT 1 FROM access_log WHERE operation = 'login' AND username = $1", user)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
