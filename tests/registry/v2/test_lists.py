"""Lists: rows B12, B13, T1 to T5 and R1 to R7 of the distribution API."""

import json
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from .conftest import INDEX, MANIFEST, Answer, Registry, index, pushed, sha256

TAGS = ["0", "A", "Z", "_", "a", "a-b", "a.b", "a0", "aa", "b", "latest", "v1.10", "v1.2"]
"""In byte order."""


def following(registry: Registry, answer: Answer) -> Answer | None:
    """The next page."""
    link = answer.headers.get("link")
    if link is None:
        return None
    address, _, relation = link.partition(">; ")
    assert relation == 'rel="next"'
    assert address.startswith("</v2/")
    return registry.send("GET", address[1:])


def tags(answer: Answer) -> list[str]:
    assert answer.status == 200
    return list(json.loads(answer.body)["tags"])


@pytest.fixture
def tagged(registry: Registry, name: str) -> str:
    raw = json.dumps(registry.image(name)).encode()
    query = "&".join(f"tag={tag}" for tag in reversed(TAGS))
    assert registry.put(name, f"{sha256(raw)}?{query}", raw).status == 201
    return name


def test_tags_in_byte_order(registry: Registry, tagged: str) -> None:
    answer = registry.send("GET", f"/v2/{tagged}/tags/list")
    assert json.loads(answer.body) == {"name": tagged, "tags": TAGS}
    assert "link" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    head = registry.send("HEAD", f"/v2/{tagged}/tags/list")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(answer.body)))


@pytest.mark.parametrize("n", [1, 5, len(TAGS) - 1, len(TAGS), 100])
def test_pages_of_tags(registry: Registry, tagged: str, n: int) -> None:
    found: list[str] = []
    answer: Answer | None = registry.send("GET", f"/v2/{tagged}/tags/list?n={n}")
    while answer is not None:
        page = tags(answer)
        assert page and len(page) <= n
        found += page
        answer = following(registry, answer)
    assert found == TAGS


@pytest.mark.parametrize(("last", "first"), [("A", 2), ("B", 2), ("", 0), ("latest", 11), ("zzz", 13), ("a%2Eb", 7)])
def test_tags_after_one_that_need_not_exist(registry: Registry, tagged: str, last: str, first: int) -> None:
    assert tags(registry.send("GET", f"/v2/{tagged}/tags/list?last={last}")) == TAGS[first:]
    answer = registry.send("GET", f"/v2/{tagged}/tags/list?n=2&last={last}&ns=x")
    assert tags(answer) == TAGS[first : first + 2]
    assert ("link" in answer.headers) == (len(TAGS) > first + 2)


def test_a_page_has_a_thousand_tags_at_most(registry: Registry, name: str) -> None:
    raw = json.dumps(registry.image(name)).encode()
    every = [f"t{n:04}" for n in range(1200)]
    for part in (every[:600], every[600:]):
        assert registry.put(name, sha256(raw) + "?" + "&".join(f"tag={tag}" for tag in part), raw).status == 201
    for query in ("", f"?n={2**63}", "?n=" + "9" * 30):
        answer = registry.send("GET", f"/v2/{name}/tags/list{query}")
        assert tags(answer) == every[:1000]
        rest = following(registry, answer)
        assert rest is not None and tags(rest) == every[1000:]


def test_no_tags(registry: Registry, tagged: str) -> None:
    answer = registry.send("GET", f"/v2/{tagged}/tags/list?n=0")
    assert (tags(answer), answer.headers.get("link")) == ([], None)
    registry.blob(f"{tagged}-untagged", b"x")
    assert tags(registry.send("GET", f"/v2/{tagged}-untagged/tags/list")) == []
    answer = registry.send("GET", f"/v2/{tagged}-never/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(
    "query", ["n=-1", "n=abc", "n=1.5", "n=%2B1", "n=0x1", "n=1&n=2", "n=\u0661".encode().decode("latin-1")]
)
@pytest.mark.parametrize("path", ["{}/tags/list", "_catalog", "{}/referrers/" + "sha256:" + "0" * 64])
def test_numbers_that_are_none(registry: Registry, tagged: str, path: str, query: str) -> None:
    answer = registry.send("GET", f"/v2/{path.format(tagged)}?{quote(query, safe='=&%', encoding='latin-1')}")
    assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_the_catalog(registry: Registry, name: str) -> None:
    mine = sorted(f"{name}/{part}" for part in ("a", "b", "c-d", "c.d"))
    for repository in mine:
        registry.blob(repository, b"x")
    found: list[str] = []
    answer: Answer | None = registry.send("GET", f"/v2/_catalog?n=2&last={name}")
    while answer is not None and len(found) < 4:
        found += json.loads(answer.body)["repositories"]
        answer = following(registry, answer)
    assert found[:4] == mine
    answer = registry.send("GET", "/v2/_catalog?n=0")
    assert (json.loads(answer.body), answer.headers.get("link")) == ({"repositories": []}, None)
    whole = json.loads(registry.send("GET", f"/v2/_catalog?n={2**63}").body)["repositories"]
    assert whole == sorted(whole) and set(mine) <= set(whole)


def test_extensions(registry: Registry) -> None:
    answer = registry.send("GET", "/v2/_oci/ext/discover")
    assert answer.status == 200
    for extension in json.loads(answer.body)["extensions"]:
        assert extension["name"].startswith("_") and extension["url"] and extension["endpoints"]


# Referrers


def referrer(registry: Registry, name: str, subject: str, **more: Any) -> dict[str, Any]:
    """An image that points at a subject."""
    return registry.image(name, subject={"mediaType": MANIFEST, "digest": subject, "size": 2}, **more)


def entries(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200
    assert answer.headers["content-type"] == INDEX
    body = json.loads(answer.body)
    assert (body["schemaVersion"], body["mediaType"]) == (2, INDEX)
    return list(body["manifests"])


def test_referrers(registry: Registry, name: str) -> None:
    subject = pushed(registry, name, "v1", registry.image(name))
    typed = referrer(registry, name, sha256(subject), artifactType="a/b", annotations={"k": "v\r\n"})
    image = referrer(registry, name, sha256(subject))
    listed = index(subject=image["subject"])
    raws = [pushed(registry, name, f"r{n}", body) for n, body in enumerate((typed, image, listed))]
    found = {
        entry["digest"]: entry for entry in entries(registry.send("GET", f"/v2/{name}/referrers/{sha256(subject)}"))
    }
    expected = [
        {"mediaType": MANIFEST, "artifactType": "a/b", "annotations": {"k": "v\r\n"}},
        {"mediaType": MANIFEST, "artifactType": image["config"]["mediaType"]},
        {"mediaType": INDEX},
    ]
    assert found == {
        sha256(raw): {"digest": sha256(raw), "size": len(raw), **more} for raw, more in zip(raws, expected, strict=True)
    }
    for n, raw in enumerate(raws):
        reference = sha256(raw)
        assert registry.send("DELETE", f"/v2/{name}/manifests/{reference}").status == 202
        left = entries(registry.send("GET", f"/v2/{name}/referrers/{sha256(subject)}"))
        assert reference not in {entry["digest"] for entry in left} and len(left) == 2 - n


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha512:" + "0" * 128])
def test_nothing_refers_to_what_is_not_there(registry: Registry, name: str, digest: str) -> None:
    for repository in (name, "v2/never-pushed", "no-such-project/x"):
        for query in ("", "?artifactType=a%2Fb"):
            answer = registry.send("GET", f"/v2/{repository}/referrers/{digest}{query}")
            assert entries(answer) == []
            assert ("oci-filters-applied" in answer.headers) == bool(query)
    registry.blob(name, b"x")


def test_a_subject_may_come_later(registry: Registry, name: str) -> None:
    image = registry.image(name)
    digest = sha256(json.dumps(image).encode())
    raw = pushed(registry, name, "r", referrer(registry, name, digest))
    pushed(registry, name, "v1", image)
    assert [entry["digest"] for entry in entries(registry.send("GET", f"/v2/{name}/referrers/{digest}"))] == [
        sha256(raw)
    ]


@pytest.mark.parametrize("query", ["artifactType=a%2Fb%2Bx", "artifactType=a/b%2Bx"])
def test_filters(registry: Registry, name: str, query: str) -> None:
    subject = "sha256:" + "5" * 64
    raw = pushed(registry, name, "r1", referrer(registry, name, subject, artifactType="a/b+x"))
    pushed(registry, name, "r2", referrer(registry, name, subject, artifactType="c/d"))
    answer = registry.send("GET", f"/v2/{name}/referrers/{subject}?{query}")
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert [entry["digest"] for entry in entries(answer)] == [sha256(raw)]


def test_pages_of_referrers(registry: Registry, name: str) -> None:
    subject = "sha256:" + "6" * 64
    bodies = [referrer(registry, name, subject, artifactType=f"a/{n % 2}", annotations={"n": str(n)}) for n in range(7)]
    digests = sorted(sha256(pushed(registry, name, f"r{n}", body)) for n, body in enumerate(bodies))
    for query, wanted in (("n=3", 7), ("n=2&artifactType=a%2F1", 3)):
        found: list[str] = []
        answer: Answer | None = registry.send("GET", f"/v2/{name}/referrers/{subject}?{query}")
        while answer is not None:
            page = [entry["digest"] for entry in entries(answer)]
            assert len(page) <= int(query[2])
            assert ("oci-filters-applied" in answer.headers) == ("artifactType" in query)
            found += page
            answer = following(registry, answer)
        assert len(found) == wanted and found == [digest for digest in digests if digest in found]


def test_a_page_of_referrers_is_bounded_in_bytes(registry: Registry, name: str) -> None:
    """Clients refuse a list of more than 4 MiB."""
    subject = "sha256:" + "7" * 64
    for n in range(5):
        annotations = {"large": str(n) * (1 << 20)}
        pushed(registry, name, f"r{n}", referrer(registry, name, subject, annotations=annotations))
    found = 0
    answer: Answer | None = registry.send("GET", f"/v2/{name}/referrers/{subject}")
    while answer is not None:
        assert len(answer.body) < 4 << 20
        found += len(entries(answer))
        answer = following(registry, answer)
    assert found == 5


def test_the_list_of_a_client_without_the_api_is_merged(registry: Registry, name: str) -> None:
    """It leaves an index under sha256-<hex>; what in it has this subject is in the list, once, and nothing else is."""
    subject = "sha256:" + "8" * 64
    attached = pushed(registry, name, "r", referrer(registry, name, subject))
    beside = pushed(registry, name, "b", registry.image(name))
    pushed(registry, name, subject.replace(":", "-"), index(attached, beside))
    found = entries(registry.send("GET", f"/v2/{name}/referrers/{subject}"))
    assert [entry["digest"] for entry in found] == [sha256(attached)]


def test_a_link_stays_on_this_registry(registry: Registry, tagged: str) -> None:
    answer = registry.send("GET", f"/v2/{tagged}/tags/list?n=1", headers={"X-Forwarded-Host": "evil.example"})
    address = urlsplit(answer.headers["link"][1:].partition(">")[0])
    assert (address.scheme, address.netloc, address.path) == ("", "", f"/v2/{tagged}/tags/list")
    assert parse_qs(address.query) == {"n": ["1"], "last": ["0"]}
