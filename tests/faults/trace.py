"""The system calls of a running server, as strace saw them."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "write,writev,sendto,sendmsg,read,recvfrom,recvmsg,pwritev2,fsync,fdatasync,link,linkat,rename,renameat,renameat2"
)
LINE = re.compile(r"^(\d+) +(.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One system call: its place in the trace when it began and when it was over."""

    name: str
    arguments: str
    result: int
    began: int
    ended: int

    @property
    def on(self) -> str:
        """The first descriptor, with what it is open on."""
        return self.arguments.split(", ", 1)[0]


def parse(text: str) -> list[Call]:
    """The calls that were over, by their beginning. Those of several threads overlap."""
    calls: list[Call] = []
    begun: dict[str, tuple[int, str]] = {}
    for place, line in enumerate(text.splitlines()):
        found = LINE.match(line)
        if found is None:
            continue
        thread, said = found.groups()
        began = place
        if said.endswith("<unfinished ...>"):
            begun[thread] = place, said.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = RESUMED.match(said)
        if resumed is not None and thread in begun:
            began, head = begun.pop(thread)
            said = head + resumed[2]
        whole = CALL.match(said)
        if whole is not None:
            calls.append(Call(whole[1], whole[2], int(whole[3]), began, place))
    return sorted(calls, key=lambda call: call.began)


@contextmanager
def traced(pid: int, output: Path) -> Iterator[None]:
    """While strace follows all threads of a process; the trace is complete afterwards."""
    command = ["strace", "-f", "-qq", "-yy", "-s", "100000", "-e", f"trace={CALLS}", "-o", str(output), "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        while not _attached(pid, tracer.pid):
            assert tracer.poll() is None, (tracer.stderr.read() if tracer.stderr else b"").decode()
            time.sleep(0.02)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        assert tracer.stderr is not None
        tracer.stderr.close()


def _attached(pid: int, tracer: int) -> bool:
    """Whether all threads are traced by it."""
    states = [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return all(re.search(rf"^TracerPid:\s+{tracer}$", state, re.MULTILINE) for state in states)
