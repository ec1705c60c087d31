"""What everybody may ask, and how the API treats what it does not know."""

from .conftest import Api


def test_ping_is_a_word_in_plain_text(nobody: Api) -> None:
    answer = nobody.get("/ping")
    assert (answer.status, answer.body) == (200, b"Pong")
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_version_is_for_those_who_signed_in(nobody: Api) -> None:
    assert "harbor_version" not in nobody.get("/systeminfo").json
    assert nobody.by("eve").get("/systeminfo").json["harbor_version"].startswith("v2.")


def test_an_address_that_is_not_served_and_a_method_that_is_not(nobody: Api) -> None:
    answer = nobody.get("/nowhere")
    assert (answer.status, answer.code) == (404, "NOT_FOUND")
    answer = nobody.post("/ping")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD"


def test_wrong_credentials_are_told_so_even_where_none_are_needed(nobody: Api) -> None:
    answer = nobody.by("eve", "wrong").get("/systeminfo")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_the_document_lists_every_operation(nobody: Api) -> None:
    document = nobody.get("/openapi.json").json
    paths = document["paths"]
    assert "get" in paths["/api/v2.0/systeminfo"]
    assert {"session": []} in paths["/api/v2.0/systeminfo"]["get"]["security"]
    assert {"session": [], "csrf": []} in document["security"] and "security" not in paths["/api/v2.0/labels"]["post"]
    schemes = document["components"]["securitySchemes"]
    assert (schemes["session"]["name"], schemes["csrf"]["name"]) == ("sid", "X-Harbor-CSRF-Token")


def test_a_parameter_without_a_value_was_not_sent(admin: Api, word: str) -> None:
    """harborapi sends `page=&page_size=` for what its caller left out."""
    admin.registry.project(word)
    answer = admin.get(f"/projects?page=&page_size=&public=&with_detail=&q=&sort=&name={word}")
    assert [each["name"] for each in answer.json] == [word]
    assert admin.get("/quotas?reference=&reference_id=").status == 200
    assert admin.get("/projects?page=x").code == "BAD_REQUEST"
    zeros = admin.get("/projects?page=0&page_size=0")  # as Go's clients send it: the first page, as long as one may be
    assert zeros.json == admin.get("/projects?page=1&page_size=100").json


def test_q_may_come_encoded_twice(admin: Api, word: str) -> None:
    admin.registry.project(word)
    for q in (f"name%3D{word}", f"name%253D{word}", f"name%3D%7E{word}%2Cname%3D%7Bx%20{word}%7D"):
        assert [each["name"] for each in admin.get(f"/projects?q={q}").json] == [word]
    assert admin.get("/projects?q=name%253D%2500").code == "BAD_REQUEST"
