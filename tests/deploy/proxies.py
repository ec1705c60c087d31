"""deploy/nginx as it stands, in front of servers of a test: only addresses, ports and the certificate are put in."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..certificate import make_certificate
from ..clients.server import free_port

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "deploy" / "nginx" / "dataforge-registry.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin") or "nginx"
AROUND = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
daemon off;
events {{ worker_connections 256; }}
http {{
    log_format nodes '$request_method $uri $status $upstream_addr';
    access_log {folder}/access.log nodes;
    client_body_temp_path {folder}/spool;
    proxy_temp_path {folder}/spool;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx: `port` speaks TLS with `certificate`, `plain` sends there."""

    port: int
    plain: int
    certificate: str
    folder: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def nodes(self, path: str) -> list[str]:
        """The nodes (port of each, the last one tried) that answered requests whose path begins so."""
        lines = (self.folder / "access.log").read_text().splitlines()
        asked = (line.split(maxsplit=3) for line in lines)
        return [words[3].rpartition(":")[2] for words in asked if words[1].startswith(path)]

    def spooled(self) -> list[str]:
        """What it wrote of bodies to files: there now, or told of in its log."""
        told = [line for line in (self.folder / "error.log").read_text().splitlines() if "temporary file" in line]
        return told + [str(path) for path in (self.folder / "spool").rglob("*") if path.is_file()]


def site(text: str, ports: Sequence[int], port: int, plain: int, certificate: tuple[str, str]) -> str:
    """The published file with the addresses of a test; each replacement must find what it replaces."""
    changes = {f"server server{number}:5000": f"server 127.0.0.1:{node}" for number, node in enumerate(ports, 1)}
    changes |= {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "ssl_certificate /etc/nginx/certs/tls.crt;": f"ssl_certificate {certificate[0]};",
        "ssl_certificate_key /etc/nginx/certs/tls.key;": f"ssl_certificate_key {certificate[1]};",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the configuration"
        text = text.replace(old, new)
    assert not re.search(r"server server\d", text)
    return text


@contextmanager
def nginx(folder: Path, ports: Sequence[int]) -> Iterator[Nginx]:
    """The configuration in front of two servers on these ports of 127.0.0.1."""
    running = Nginx(free_port(), free_port(), make_certificate(folder)[0], folder)
    certificate = (running.certificate, str(folder / "key.pem"))
    text = site(CONFIGURATION.read_text(), ports, running.port, running.plain, certificate)
    (folder / "site.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
    process = subprocess.Popen([NGINX, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")])
    try:
        wait_for(running.port, process)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until something listens on a port of 127.0.0.1."""
    for _ in range(200):
        assert process.poll() is None, "it did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")
