"""deploy/nginx run for real: two servers over one database and one store behind it, foreign clients before it."""

import io
import os
import socket
import ssl
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from ..clients.server import Client, Server, sha256
from ..faults import server as nodes
from ..memory import home
from .proxies import NGINX, Nginx, nginx

pytestmark = [pytest.mark.tool(NGINX), pytest.mark.timeout(300), pytest.mark.xdist_group("nginx")]
BLOCK = 1 << 20


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with home("dfr-deploy-") as folder:
        yield folder


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[list[nodes.Server]]:
    settings = {"REGISTRY_HTTP_TRUSTED_PROXIES": "[127.0.0.1]", "REGISTRY_UPLOAD_LEASE": "1s"}
    running = [nodes.Server(folder, **settings) for _ in range(2)]
    try:
        for server in running:
            server.start()
        yield running
    finally:
        for server in running:
            server.stop()


@pytest.fixture(scope="module")
def front(folder: Path, servers: list[nodes.Server]) -> Iterator[Nginx]:
    with nginx(folder, [server.port for server in servers]) as running:
        yield running


@pytest.fixture
def session(front: Nginx) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify, session.trust_env = front.certificate, False
        yield session


def opened(front: Nginx) -> ssl.SSLSocket:
    """A connection to it as a client has one."""
    plain = socket.create_connection(("127.0.0.1", front.port), timeout=60)
    return ssl.create_default_context(cafile=front.certificate).wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.tool("oras", "crane")
def test_foreign_clients_push_and_pull_through_it(front: Nginx, folder: Path, tmp_path: Path) -> None:
    client = Client(tmp_path, Server(front.host, folder))
    content = os.urandom(9 * BLOCK)
    (tmp_path / "log.bin").write_bytes(content)
    client.run("oras", "push", f"{front.host}/proxied/oras:v1", "log.bin", SSL_CERT_FILE=front.certificate)
    (tmp_path / "back").mkdir()
    client.run("oras", "pull", "-o", "back", f"{front.host}/proxied/oras:v1", SSL_CERT_FILE=front.certificate)
    assert (tmp_path / "back" / "log.bin").read_bytes() == content

    with tarfile.open(tmp_path / "layer.tar", "w") as layer:
        member = tarfile.TarInfo("log.bin")
        member.size = len(content)
        layer.addfile(member, io.BytesIO(content))
    image = f"{front.host}/proxied/crane:v1"
    client.run("crane", "append", "-f", "layer.tar", "-t", image, SSL_CERT_FILE=front.certificate)
    client.run("crane", "export", image, "all.tar", SSL_CERT_FILE=front.certificate)
    with tarfile.open(tmp_path / "all.tar") as whole:
        back = whole.extractfile("log.bin")
        assert back is not None and back.read() == content
    assert len(set(front.nodes("/v2/proxied/"))) == 2
    assert front.spooled() == []


def test_an_upload_changes_nodes_and_its_addresses_are_nginxs(front: Nginx, session: requests.Session) -> None:
    content = os.urandom(6 * BLOCK)
    root = f"https://{front.host}"
    answer = session.post(f"{root}/v2/proxied/moving/blobs/uploads/")
    for at in range(0, len(content), BLOCK):
        location = urljoin(root, answer.headers["Location"])
        assert location.startswith(f"{root}/v2/proxied/moving/blobs/uploads/")
        span = {"Content-Range": f"{at}-{at + BLOCK - 1}"}
        answer = session.patch(location, data=content[at : at + BLOCK], headers=span)
        assert answer.status_code == 202, answer.text
    location = urljoin(root, answer.headers["Location"])
    answer = session.put(location, params={"digest": sha256(content)})
    assert answer.status_code == 201, answer.text
    assert session.get(f"{root}/v2/proxied/moving/blobs/{sha256(content)}").content == content
    assert len(set(front.nodes("/v2/proxied/moving/blobs/uploads/"))) == 2


def test_a_body_reaches_the_node_while_it_comes(front: Nginx, servers: list[nodes.Server]) -> None:
    with requests.post(f"https://{front.host}/v2/proxied/large/blobs/uploads/", verify=front.certificate) as begun:
        path = begun.headers["Location"].removeprefix(f"https://{front.host}")
    content = os.urandom(16 * BLOCK)
    half = len(content) // 2
    before = servers[0].staged()
    with opened(front) as connection:
        head = f"PATCH {path} HTTP/1.1\r\nHost: {front.host}\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content[:half])
        deadline = time.monotonic() + 60
        while servers[0].staged() - before < half - BLOCK:  # what is still under way is less than a block
            assert time.monotonic() < deadline, f"{servers[0].staged() - before} of {half} bytes came through"
            time.sleep(0.05)
        assert front.spooled() == []
        connection.sendall(content[half:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")
    assert front.spooled() == []


def test_what_is_of_one_node_or_plain_is_not_served(front: Nginx, session: requests.Session) -> None:
    assert session.get(f"https://{front.host}/metrics").status_code == 404
    assert session.get(f"https://{front.host}/health/ready").status_code == 200
    sent = session.get(f"http://127.0.0.1:{front.plain}/v2/", allow_redirects=False)
    assert (sent.status_code, sent.headers["Location"]) == (308, "https://127.0.0.1/v2/")


@pytest.mark.parametrize(("method", "body", "tries"), [("GET", b"", 2), ("PATCH", b"x" * 100_000, 1)])
def test_a_body_goes_to_one_node_only(tmp_path: Path, method: str, body: bytes, tries: int) -> None:
    """Both nodes take the request and die; POST and PUT with a body go the same way as PATCH."""
    heads: list[bytes] = []
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    def die(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heads.append(connection.recv(1 << 20))
                time.sleep(0.2)  # the body is under way

    threads = [threading.Thread(target=die, args=(listener,), daemon=True) for listener in listeners]
    for thread in threads:
        thread.start()
    with nginx(tmp_path, [listener.getsockname()[1] for listener in listeners]) as front, opened(front) as connection:
        head = f"{method} /v2/a/b/blobs/uploads/1 HTTP/1.1\r\nHost: {front.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 502 ")
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    assert len(heads) == tries


def test_pulls_and_pushes_go_on_when_a_node_dies(
    front: Nginx, servers: list[nodes.Server], session: requests.Session
) -> None:
    """The last of this file: one node is gone after it."""
    root, content = f"https://{front.host}", os.urandom(3 * BLOCK)
    digest = sha256(content)
    pushed = session.post(f"{root}/v2/proxied/lasting/blobs/uploads/", params={"digest": digest}, data=content)
    assert pushed.status_code == 201, pushed.text
    for number in range(24):
        if number == 8:
            servers[1].stop(9)
        assert session.get(f"{root}/v2/proxied/lasting/blobs/{digest}").content == content
        begun = session.post(f"{root}/v2/proxied/lasting/blobs/uploads/")
        assert begun.status_code == 202, begun.text
    assert set(front.nodes("/v2/proxied/lasting/")) >= {str(servers[0].port)}
    assert front.spooled() == []
