"""Dockerfiles and the compose file, as far as they can be held to account without Docker: what they copy, run and name
is there, the wheel is built by the very step, secrets and certificate are made, the store starts by its script."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from typer.testing import CliRunner

from dataforge_registry.registry.cli import build
from dataforge_registry.registry.config import load
from dataforge_registry.registry.server import STOP_SECONDS

from ..clients.server import free_port
from .dockerfiles import copied, stages
from .proxies import CONFIGURATION, ROOT, wait_for

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yml"
IMAGE, STORE = DEPLOY / "Dockerfile", DEPLOY / "compose" / "versitygw.Dockerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SECRETS = "/run/secrets/"


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def accepted(words: list[str]) -> None:
    """Whether our command line knows a command and its options."""
    said = CliRunner().invoke(build(), [words[0], "--help"], env={"COLUMNS": "200"})
    assert said.exit_code == 0, said.output
    for word in words[1:]:
        assert not word.startswith("--") or word in said.stdout


@pytest.mark.parametrize("path", [IMAGE, STORE], ids=lambda path: path.name)
def test_images_are_pinned_small_and_nobodys(path: Path) -> None:
    found = stages(path)
    assert len(found) > 1, "what builds it is not in it"
    names = [stage.name for stage in found]
    for number, stage in enumerate(found):
        assert re.fullmatch(r"[a-z]+:\d+(\.\d+)+[a-z0-9.-]*", stage.base), f"{stage.base}: a name and an exact version"
        for text in stage.all("COPY"):
            if text.startswith("--from="):
                assert text.split()[0].removeprefix("--from=") in names[:number]
    last = found[-1]
    assert [int(part) > 0 for part in last.all("USER")[-1].split(":")] == [True, True]
    assert last.all("HEALTHCHECK") and last.all("VOLUME")
    assert not any(text for stage in found for text in stage.all("ADD"))
    assert not re.search(r"https?://(?!127\.0\.0\.1)", path.read_text())


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    sources = {source for stage in stages(IMAGE) for source in copied(stage)}
    assert sources == kept
    assert all((ROOT / source).exists() for source in sources)


def test_the_image_runs_what_we_have() -> None:
    found = stages(IMAGE)
    extras = re.search(r"EXTRAS=(\S+)", found[1].all("ARG")[0])
    assert extras and set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    assert {"azure", "gcs", "server"} <= set(extras[1].split(",")), "every driver is in it"
    last = found[-1]
    assert last.words("ENTRYPOINT") == ["dfr"] and "dfr" in PROJECT["project"]["scripts"]
    accepted(last.words("CMD"))
    check = re.sub(r"^(--\S+\s+)+", "", last.all("HEALTHCHECK")[0]).removeprefix("CMD ")
    program, *words = yaml.safe_load(check)
    assert program == "dfr"
    accepted(words)


def test_the_wheel_is_built_by_the_images_step_and_the_same_each_time(tmp_path: Path) -> None:
    stage = stages(IMAGE)[0]
    (step,) = [text for text in stage.all("RUN") if text.startswith("pip wheel")]
    built = []
    for number in range(2):
        source = tmp_path / f"source{number}"
        source.mkdir()
        for name in copied(stage):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, source / name)
        variables = dict(word.split("=", 1) for text in stage.all("ENV") for word in text.split())
        command = [sys.executable, "-m", *step.replace("/dist", str(tmp_path / f"dist{number}")).split()]
        done = subprocess.run(command, cwd=source, env=os.environ | variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        built += (tmp_path / f"dist{number}").glob("*.whl")
    assert built[0].read_bytes() == built[1].read_bytes()
    with zipfile.ZipFile(built[0]) as wheel:
        names = wheel.namelist()
    for folder in ("core", "drivers", "registry"):
        sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert {f"dataforge_registry/{name}" for name in sources} <= set(names)


def test_the_store_is_the_one_that_tests_use() -> None:
    pinned = re.search(r"cmd/versitygw\s+(v\S+)", (ROOT / ".ci" / "tools.sh").read_text())
    assert pinned and f"cmd/versitygw@{pinned[1]}" in STORE.read_text()


@pytest.mark.tool("docker-compose")
def test_docker_compose_takes_the_file() -> None:
    done = subprocess.run(["docker-compose", "-f", COMPOSE, "config", "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_services_name_what_there_is() -> None:
    document = yaml.safe_load(COMPOSE.read_text())
    for name, service in services().items():
        assert set(service.get("secrets", ())) <= set(document["secrets"])
        assert set(service["networks"]) <= set(document["networks"])
        assert set(service.get("depends_on", ())) <= set(services())
        assert service["restart"] in ("unless-stopped", "no")
        assert service["logging"] == {"driver": "local"}, name  # the default one fills the disk
        assert service["security_opt"] == ["no-new-privileges:true"], name
        own = service.get("build") or {}
        if own:
            folder = DEPLOY / own["context"]
            for stage in stages(folder / own["dockerfile"]):
                assert all((folder / source).exists() for source in copied(stage))
            assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        else:
            assert re.fullmatch(r"[a-z]+:\d+(\.\d+)+\S*", service["image"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            made = source == "./compose/certs"  # by prepare.sh
            assert made or source in document["volumes"] or (DEPLOY / source).is_file(), volume
        if service["image"] == "dataforge-registry":
            accepted(service["command"])
            assert service["mem_limit"], name  # what load is shed by
    assert "inside" not in services()["nginx"]["networks"] and services()["database"]["networks"] == ["inside"]


def test_the_proxy_finds_the_servers_and_its_certificate() -> None:
    names = re.findall(r"^\s+server (\w+):5000", CONFIGURATION.read_text(), re.MULTILINE)
    assert names == [name for name in services() if name.startswith("server")]
    assert {f"/etc/nginx/certs/{name}" for name in ("tls.crt", "tls.key")} == set(
        re.findall(r"^\s+ssl_certificate(?:_key)? (\S+);", CONFIGURATION.read_text(), re.MULTILINE)
    )


def prepared(folder: Path) -> Path:
    """The folder of compose with its secrets made."""
    shutil.copytree(DEPLOY / "compose", folder / "compose", ignore=shutil.ignore_patterns("secrets", "certs"))
    done = subprocess.run(["sh", folder / "compose" / "prepare.sh", "127.0.0.1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "compose"


def test_secrets_are_made_once_and_the_configuration_is_one(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    secrets = {path.name: path.read_text() for path in (folder / "secrets").iterdir()}
    assert set(secrets) == set(yaml.safe_load(COMPOSE.read_text())["secrets"])
    assert len(set(secrets.values())) == len(secrets)
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    assert (folder / "certs" / "tls.key").stat().st_mode & 0o077 == 0
    text = subprocess.run(
        ["openssl", "x509", "-in", folder / "certs" / "tls.crt", "-noout", "-text"], capture_output=True, text=True
    ).stdout
    assert "IP Address:127.0.0.1" in text
    subprocess.run(["sh", folder / "prepare.sh", "127.0.0.1"], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (folder / "secrets").iterdir()} == secrets

    named = (folder / "config.yml").read_text()
    (tmp_path / "config.yml").write_text(named.replace(SECRETS, f"{folder}/secrets/"))
    config = load(tmp_path / "config.yml", {})
    assert config.database.url == secrets["database_url"].strip()
    assert set(re.findall(rf"{SECRETS}(\w+)", named)) == set(services()["server1"]["secrets"])
    assert not config.worker.enabled and f":{config.worker.port}" in services()["worker"]["healthcheck"]["test"][-1]
    assert config.storage.s3 and config.storage.s3.regionendpoint == "http://store:7070"
    grace = int(services()["server1"]["stop_grace_period"].removesuffix("s"))
    assert grace > config.http.drain + config.http.drain_delay + STOP_SECONDS + 20


@pytest.mark.tool("versitygw")
def test_the_store_starts_by_its_script_and_knows_its_keys(tmp_path: Path) -> None:
    folder, port = prepared(tmp_path), free_port()
    places = {"OBJECTS": str(tmp_path / "objects"), "SECRETS": str(folder / "secrets"), "LISTEN": f"127.0.0.1:{port}"}
    (tmp_path / "objects").mkdir()
    process = subprocess.Popen(["sh", folder / "versitygw.sh"], env=os.environ | places)
    try:
        wait_for(port, process)
        assert requests.get(f"http://127.0.0.1:{port}/wells", timeout=30).status_code == 403
        assert (tmp_path / "objects" / "wells").is_dir()
    finally:
        process.terminate()
        process.wait(20)
