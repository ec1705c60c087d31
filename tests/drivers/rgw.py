"""A Ceph of one monitor, one OSD in memory and one RADOS gateway, from Debian's packages: the S3 server of many sites.

Everything lies in one folder and listens on 127.0.0.1. Up in about 5 s, with about 500 MB; without a manager, since
nobody asks for statistics here. The gateway makes the pools that it needs.
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

CONFIG = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon}
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
paxos propose interval = 0.05
paxos min wait = 0.01
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
[mon]
mon data = {folder}/mon
[osd]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {memory}
osd class load list = *
osd class default list = *
[client.rgw.a]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw gc obj min wait = 1
rgw gc processor period = 1
rgw gc processor max time = 1
"""
SECONDS, TRY = 150, 30


class Ceph:
    """A running cluster; `end` ends its processes and removes its folder."""

    def __init__(self, port: int, accesskey: str, secretkey: str, memory: int = 8 << 30) -> None:
        """memory: bytes that objects may take."""
        self.folder = Path(tempfile.mkdtemp(prefix="dfr-ceph-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        atexit.register(self.end)
        fsid, mon, osd = str(uuid4()), _free_port(), str(uuid4())
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        self._config = self.folder / "ceph.conf"
        self._config.write_text(CONFIG.format(fsid=fsid, mon=mon, port=port, folder=self.folder, memory=memory))
        keyring, monmap = f"{self.folder}/keyring", f"{self.folder}/monmap"
        make = ["ceph-authtool", keyring, "--gen-key"]
        self._run([*make, "--create-keyring", "-n", "mon.", "--cap", "mon", "allow *"])
        self._run([*make, "-n", "client.admin", "--cap", "mon", "allow *"])
        self._run(["monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon}]", monmap])
        self._run(["ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring])
        self._start(["ceph-mon", "-f", "-i", "a"])
        self._run(["ceph", "osd", "new", osd], patient=True)
        self._run(["ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd])
        self._start(["ceph-osd", "-f", "-i", "0"])
        keys = [f"--access-key={accesskey}", f"--secret-key={secretkey}"]
        self._run(["radosgw-admin", "user", "create", "--uid=t", "--display-name=t", *keys], patient=True)
        self._start(["radosgw", "-f", "-n", "client.rgw.a"])
        _wait(port)

    def end(self) -> None:
        """End what was started."""
        for process in reversed(self._processes):
            process.kill()  # nothing of it is kept
            process.wait()
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _command(self, command: Sequence[str]) -> list[str]:
        """With our configuration, for the programs that read one. Those that ask the monitor for theirs as well forget
        the cluster's id with it: an OSD whose first command was quicker than the answer was refused, and ended."""
        if command[0] in ("ceph-authtool", "monmaptool"):
            return [*command]
        own = [] if command[0] in ("ceph", "ceph-mon") else ["--no-mon-config"]
        return [*command, "-c", str(self._config), *own]

    def _run(self, command: Sequence[str], patient: bool = False) -> None:
        """patient: again until it succeeds, since a cluster that just began refuses some things."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                done = subprocess.run(self._command(command), capture_output=True, text=True, timeout=TRY)
                said = done.stdout + done.stderr
                if done.returncode == 0:
                    return
            except subprocess.TimeoutExpired:  # seen: one that asked too early waits for ever
                said = f"no end in {TRY} s"
            if not patient or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)}: {said}")
            time.sleep(0.5)

    def _start(self, command: Sequence[str]) -> None:
        log = os.open(self.folder / f"{command[0]}.out", os.O_CREAT | os.O_WRONLY)
        self._processes.append(subprocess.Popen(self._command(command), stdout=log, stderr=log))
        os.close(log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
