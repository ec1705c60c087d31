"""Secrets at rest: what opens, what must not, and the file that holds the master secret."""

import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.secrets import SealBroken, SecretKeyError, Vault, own_secret, write_secret

OLD, NEW = secrets.token_hex(32), secrets.token_hex(32)
VAULT = Vault(NEW)
PLACE = "signing_key:1"


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens_in_its_place_alone(value: bytes, place: str) -> None:
    sealed = VAULT.seal(place, value)
    assert VAULT.open(place, sealed) == value
    assert len(value) < 8 or value not in sealed
    with pytest.raises(SealBroken):
        VAULT.open(place + "x", sealed)


@given(st.data())
def test_a_flipped_bit_or_a_cut_is_noticed(data: st.DataObject) -> None:
    sealed = VAULT.seal(PLACE, b"private")
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    for broken in (bytes(flipped), cut):
        with pytest.raises(SealBroken):
            VAULT.open(PLACE, broken)


def test_the_master_secret_can_be_changed() -> None:
    old = Vault(OLD).seal(PLACE, b"private")
    both = Vault(f"{NEW}\n{OLD}\n")
    assert both.open(PLACE, old) == b"private"
    assert both.outdated(old)
    again = both.seal(PLACE, b"private")
    assert not both.outdated(again)
    assert VAULT.open(PLACE, again) == b"private"
    with pytest.raises(SealBroken, match=r"another auth\.secretkey"):
        VAULT.open(PLACE, old)


@pytest.mark.parametrize("master", ["", "short", f"{NEW}\nshort"], ids=["none", "short", "short second"])
def test_a_weak_master_secret_is_refused(master: str) -> None:
    with pytest.raises(SecretKeyError, match="32 characters"):
        Vault(master)


def test_racing_processes_agree_on_one_secret_file(tmp_path: Path) -> None:
    path = tmp_path / "secretkey"
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(own_secret, [path] * 32))
    assert len(made) == 1
    Vault(made.pop())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secretkey"]


def test_a_secret_file_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secretkey"
    write_secret(path, NEW)
    path.chmod(0o640)
    with pytest.raises(SecretKeyError, match="chmod 600"):
        own_secret(path)


def test_a_secret_file_is_not_followed_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secretkey").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretKeyError, match="cannot use"):
        own_secret(tmp_path / "secretkey")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretKeyError, match=r"cannot use .*secretkey: Not a directory"):
        own_secret(tmp_path / "file" / "secretkey")
