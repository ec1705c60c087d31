"""The configuration: what is read from where, and what bad ones are told."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge_registry.registry.config import Config, ConfigError, from_yaml, load
from dataforge_registry.registry.environment import struct_of
from dataforge_registry.registry.sections import Filesystem, InMemory, Storage
from dataforge_registry.registry.units import Duration, Secret, Size

EXAMPLE = Path(__file__).parents[2] / "deploy" / "config.example.yml"
DATA = {"REGISTRY_DATA": "/srv/data"}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(text)
    return path


def keys(struct: type[msgspec.Struct], path: str = "") -> list[str]:
    """The dotted path of every key."""
    found = []
    for field in msgspec.structs.fields(struct):
        name = f"{path}{field.encode_name}"
        inner = struct_of(field.type)
        found += keys(inner, f"{name}.") if inner and inner.__struct_fields__ else [name]
    return found


def test_every_key_is_in_the_example() -> None:
    other_drivers = re.sub(r"^  # ( +\w+:|s3:|azure:|gcs:|inmemory:)", r"  \1", EXAMPLE.read_text(), flags=re.MULTILINE)
    example = yaml.safe_load(other_drivers)
    for key in keys(Config):
        value: Any = example
        for name in key.split("."):
            assert name in value, f"{key} is not documented in deploy/config.example.yml"
            value = value[name]


def test_the_example_holds_the_defaults() -> None:
    expected = Config(
        storage=Storage(filesystem=Filesystem("/var/lib/dataforge-registry"), maintenance={}, tag={}),
        data="/srv/data",
    )
    assert load(EXAMPLE, DATA) == expected


def test_a_data_folder_is_enough() -> None:
    config = load(None, {}, data="/srv/data")
    assert config.storage.driver == "filesystem"
    assert config.storage.filesystem == Filesystem("/srv/data/storage")
    assert config.data == "/srv/data"
    assert config.http.host == "127.0.0.1"
    assert config.http.port == 5000
    assert config.auth.mode == "local"


def test_other_storage_keys_leave_the_data_folder_its_files() -> None:
    config = load(None, {"REGISTRY_STORAGE_DELETE_ENABLED": "false"}, data="/srv/data")
    assert config.storage.filesystem == Filesystem("/srv/data/storage")
    assert not config.storage.delete.enabled


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "data: /a\nhttp: {port: 1, host: file, drain: 5}\n")
    env = {"REGISTRY_HTTP_PORT": "2", "REGISTRY_HTTP_HOST": "env"}
    http = load(path, env, overrides={"http.port": 3}).http
    assert (http.port, http.host, http.drain) == (3, "env", 5.0)


def test_distribution_and_harbor_files(tmp_path: Path) -> None:
    text = """
        data: /a
        storage:
          cache: {layerinfo: redis}
          filesystem: {rootdirectory: /storage, maxthreads: 100}
          maintenance: {uploadpurging: {enabled: false}}
          delete: {enabled: true}
          redirect: {disable: false}
    """
    config = load(written(tmp_path, text), {})
    assert config.storage.filesystem == Filesystem("/storage", 100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("storage: {filesystem: {rootdirectry: x}}", "unknown field `rootdirectry` - at `storage.filesystem`"),
        ("data: x\nhtpp: {port: 1}", "unknown field `htpp`"),
        ("", "no storage: give --data DIR"),
        ("storage: {delete: {enabled: true}}", "no storage driver"),
        ("storage: {inmemory: , filesystem: {rootdirectory: x}}", "two storage drivers, filesystem and inmemory"),
        ("storage: {swift: {container: b}}", "storage.swift: this driver is not built yet"),
        ("storage: {filesystem: {}}", "missing required field `rootdirectory` - at `storage.filesystem`"),
        ("storage: {filesystem: {rootdirectory: ''}}\ndata: x", "name the folder of the blobs"),
        ("storage: {inmemory: }", "no database: set database.url"),
        ("data: x\nhttp: {port: 99999}", "<= 65535 - at `http.port`"),
        ("data: x\nhttp: {stall: soon}", "not a duration: 'soon'"),
        ("data: x\nhttp: {manifest_limit: 4 MB x}", "not a size: '4 MB x'"),
        ("data: x\nlog: {level: loud}", "'loud' - at `log.level`"),
        ("data: x\ngc: {lease: 30m}", "gc.lease: at least 1h"),
        ("data: x\ndatabase: {replicas: ['h/d']}", "database.replicas: write postgresql://"),
        ("data: x\ndatabase: {pooler: true}", "name the server behind the pooler in database.direct_url"),
        ("data: x\nhttp: {tls: {key: k.pem}}", "certificate and key go together"),
        ("data: x\nhttp: {external_url: 'registry.example.org/v2'}", "http.external_url"),
        ("data: x\nstorage: {inmemory: , maintenance: {readonly: {enabled: true}}}", "readonly: not supported"),
        ("data: x\nauth: {secretkey: '${file:/no/such/file}'}", "cannot read /no/such/file named by $.auth.secretkey"),
        ("data: [", "line 1: not YAML"),
        ("- data", "a mapping of sections, not a list"),
        ("data: x\nauth: {secretkey: 12}", "at `auth.secretkey`"),
    ],
)
def test_a_bad_file_is_told_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as failure:
        load(written(tmp_path, text), {})
    assert message.lower() in str(failure.value).lower()
    assert "\n" not in str(failure.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yml", {})
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "bytes.yml", {})


def test_the_environment_by_distributions_rule(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    env = {
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/blobs",
        "REGISTRY_DATABASE_URL": "postgresql://u:p@h/d",
        "REGISTRY_AUTH_SECRETKEY_FILE": str(secret),
        "REGISTRY_HTTP_TRUSTED_PROXIES": "[10.0.0.0/8, '::1']",
        "REGISTRY_HTTP_BLOB_LIMIT": "10GiB",
        "REGISTRY_HTTP_DRAIN": "1m",
    }
    config = load(None, env)
    assert config.storage.filesystem == Filesystem("/blobs")
    assert config.auth.secretkey == "s3cret"
    assert config.http.trusted_proxies == ["10.0.0.0/8", "::1"]
    assert config.http.blob_limit == 10 << 30
    assert config.http.drain == 60


def test_an_empty_driver_from_the_environment() -> None:
    assert load(None, {"REGISTRY_STORAGE_INMEMORY": "{}"} | DATA).storage.inmemory == InMemory()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"REGISTRY_HTTP_PROT": "1"}, "REGISTRY_HTTP_PROT: there is no such key"),
        ({"REGISTRY_HTTP_PORT": "["}, "REGISTRY_HTTP_PORT: not YAML"),
        ({"REGISTRY_AUTH_SECRETKEY_FILE": "/no/such"}, "REGISTRY_AUTH_SECRETKEY_FILE: cannot read /no/such"),
    ],
)
def test_bad_variables(env: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as failure:
        load(None, env | DATA)
    assert message in str(failure.value)


def test_variables_that_kubernetes_sets_are_left_alone() -> None:
    env = {"REGISTRY_PORT": "tcp://10.0.0.1:5000", "REGISTRY_SERVICE_HOST": "10.0.0.1", "REGISTRY_PORT_5000_TCP": "x"}
    assert load(None, env | DATA).http.port == 5000


def test_secrets_do_not_show() -> None:
    env = {
        "REGISTRY_DATABASE_URL": "postgresql://dfr:hunter2@db/registry?password=hunter2",
        "REGISTRY_DATABASE_REPLICAS": "['postgresql://dfr:hunter2@standby/registry']",
        "REGISTRY_AUTH_SECRETKEY": "k" * 40,
        "REGISTRY_AUTH_ADMIN_PASSWORD": "correct horse",
    }
    config = load(None, env | DATA)
    for text in (repr(config), config.to_yaml()):
        assert not any(secret in text for secret in ("hunter2", "k" * 40, "correct horse"))
    assert "postgresql://dfr:***@db/registry" in config.to_yaml()


def test_what_is_shown_unredacted_is_read_back() -> None:
    env = {"REGISTRY_DATABASE_URL": "postgresql://u:${file:x}@h/d", "REGISTRY_HTTP_BLOB_LIMIT": "1KiB"}
    config = from_yaml(load(EXAMPLE, {"REGISTRY_HTTP_BLOB_LIMIT": "1KiB"} | DATA).to_yaml(redacted=False))
    assert config.http.blob_limit == 1024
    kept = msgspec.structs.replace(config.database, url=Secret(env["REGISTRY_DATABASE_URL"]))
    config = msgspec.structs.replace(config, database=kept)
    assert from_yaml(config.to_yaml(redacted=False)) == config


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1h30m", 5400), ("7d", 604800), ("250ms", 0.25), (2.5, 2.5)]
)
def test_durations(text: object, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("8KiB", 8192), ("64 MiB", 1 << 26), ("10GB", 10**10), ("5", 5), (7, 7)])
def test_sizes(text: object, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize("value", ["", "-1", "1x", "h", "1h 30m", None, True, -1, float("nan"), float("inf"), []])
def test_no_durations(value: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        Duration.parse(value)


@pytest.mark.parametrize("value", ["", "-1", "1.5KiB", "KiB", None, True, -1, 1.5, 2**63, "9" * 30, []])
def test_no_sizes(value: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        Size.parse(value)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))
sections = st.sampled_from([field.encode_name for field in msgspec.structs.fields(Config)])


@settings(deadline=None)
@given(st.dictionaries(sections, trees, max_size=4))
def test_any_tree_is_a_configuration_or_told_why(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    try:
        assert load(path, {}).storage.driver
    except ConfigError as error:
        assert "\n" not in str(error)
