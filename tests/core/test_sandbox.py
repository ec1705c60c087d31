"""The sandbox: bytes in, bytes out, and what happens to work that takes too much or breaks."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core import sandbox as module
from dataforge_registry.core.curves.artifact.decode import decode
from dataforge_registry.core.curves.errors import ContentMismatch, CurveError, LasRefused
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.sandbox import Sandbox, SandboxLimits, SandboxRefused

# The child takes functions of the package alone: these stand in for some of it.
HERE = "dataforge_registry.core.sandboxed_trial"
SMALL = SandboxLimits(memory=1 << 30, seconds=2, wall=20.0)
TRIAL = """
import os, time
from dataforge_registry.core.curves.errors import ContentMismatch, LasRefused

def echo(argument, blobs):
    print("what a library prints is nobody's answer")
    return argument, blobs

def digest(argument, blobs):
    from dataforge_registry.core.oci.digest import Digest
    return {"digest": Digest.of(b"x")}, []

def process(argument, blobs):
    return os.getpid(), []

def niceness(argument, blobs):
    return os.nice(0), []

def session(argument, blobs):
    return open("/proc/self/autogroup").read(), []

def hoard(argument, blobs):
    return len(bytearray(4 << 30)), []

def spin(argument, blobs):
    while True: pass

def sleep(argument, blobs):
    time.sleep(60)

def die(argument, blobs):
    os._exit(3)

def write(argument, blobs):
    with open(argument, "wb") as file: file.write(b"x")

def fail(argument, blobs):
    raise ZeroDivisionError("of some library")

def mismatch(argument, blobs):
    raise ContentMismatch("the bytes are others")

def las(argument, blobs):
    raise LasRefused("no ~A section", 7)
"""


@pytest.fixture(scope="module", autouse=True)
def trial(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Functions in a module whose name is inside the package and whose file is not."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "sandbox_trial.py").write_text(TRIAL)
    patched = pytest.MonkeyPatch()
    patched.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    (folder / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location({HERE!r}, {str(folder / 'sandbox_trial.py')!r})\n"
        "import dataforge_registry.core\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"sys.modules[{HERE!r}] = module\n"
    )
    yield
    patched.undo()


def work(name: str) -> module.Work:
    """The name of a function of TRIAL, as a function: what the parent sends is no more than that."""

    def function(argument: Any, blobs: list[bytes]) -> tuple[Any, Sequence[bytes]]:
        raise AssertionError("runs in the child only")

    function.__module__, function.__qualname__ = HERE, name
    return function


@pytest.mark.asyncio
async def test_arguments_and_blobs_go_in_and_come_out() -> None:
    async with Sandbox() as sandbox:
        blobs = [b"", b"x" * 3_000_000, b"\0"]
        assert await sandbox.run(work("echo"), {"from": 1.5, "names": ["ü"]}, blobs) == (
            {"from": 1.5, "names": ["ü"]},
            blobs,
        )


@pytest.mark.asyncio
async def test_digests_come_out_as_text() -> None:
    async with Sandbox() as sandbox:
        assert (await sandbox.run(work("digest")))[0] == {"digest": Digest.of(b"x")}


@pytest.mark.asyncio
async def test_a_child_serves_call_after_call_and_no_more_than_asked_for_run() -> None:
    async with Sandbox(2, SMALL) as sandbox:
        found = await asyncio.gather(*(sandbox.run(work("process")) for _ in range(10)))
        assert 1 <= len({process for process, _ in found}) <= 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hoard", "takes more than 1024 MiB of memory"),
        ("spin", "takes more than 2 s of computing"),
        ("die", r"broke the process that read it \(exit code 3\)"),
        ("fail", "cannot be read: ZeroDivisionError: of some library"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
async def test_what_takes_too_much_or_breaks_is_refused_and_the_next_call_is_served(name: str, said: str) -> None:
    async with Sandbox(1, SMALL) as sandbox:
        with pytest.raises(SandboxRefused, match=said):
            await sandbox.run(work(name))
        assert (await sandbox.run(work("echo"), 1))[0] == 1


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="priorities are POSIX")
async def test_a_child_stands_as_far_behind_others_as_asked() -> None:
    async with Sandbox(1, SandboxLimits(nice=5)) as sandbox:
        assert (await sandbox.run(work("niceness")))[0] == min(os.nice(0) + 5, 19)


@pytest.mark.asyncio
@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel knows no autogroups")
async def test_and_so_does_its_session() -> None:
    async with Sandbox(1, SandboxLimits(nice=5)) as sandbox:
        assert (await sandbox.run(work("session")))[0].endswith(" nice 5\n")


@pytest.mark.asyncio
async def test_what_takes_too_long_is_ended() -> None:
    async with Sandbox(1, SandboxLimits(wall=1.0)) as sandbox:
        with pytest.raises(SandboxRefused, match="takes more than 1 s to read"):
            await sandbox.run(work("sleep"))


@pytest.mark.asyncio
async def test_a_cancelled_call_takes_its_child_along() -> None:
    async with Sandbox(1, SMALL) as sandbox:
        call = asyncio.create_task(sandbox.run(work("sleep")))
        await asyncio.sleep(0.5)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await sandbox.run(work("echo"), 2))[0] == 2


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
async def test_no_file_is_written_inside(tmp_path: Any) -> None:
    async with Sandbox(1, SMALL) as sandbox:
        with pytest.raises(SandboxRefused):
            await sandbox.run(work("write"), str(tmp_path / "out"))
        assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size == 0


@pytest.mark.asyncio
async def test_refusals_keep_their_class() -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(ContentMismatch, match="the bytes are others"):
            await sandbox.run(work("mismatch"))
        with pytest.raises(LasRefused, match="line 7: no ~A section") as refused:
            await sandbox.run(work("las"))
        assert refused.value.line == 7


@pytest.mark.asyncio
async def test_functions_of_others_are_not_called() -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(CurveError, match="no function of ours"):
            await sandbox.run(os.path.join)  # type: ignore[arg-type]
        with pytest.raises(SandboxRefused):
            await sandbox.run(decode, None, [b"not Parquet"])  # type: ignore[arg-type]
