"""PostgreSQL killed under pushes (promise P3): 503 with Retry-After, nothing else, and back without a restart."""

import os
import signal
import time

from .pushers import Acknowledged, pushing
from .server import Server

KILLS = int(os.environ.get("FAULTS", "2"))


def test_postgres_killed_under_pushes(server: Server) -> None:
    noted = Acknowledged()
    with pushing(noted, server):
        for _ in range(KILLS):
            time.sleep(0.7)
            before, running = len(noted.tags), server.postgres()
            os.kill(running, signal.SIGKILL)
            while len(noted.tags) <= before + 4:  # pushed again, by the same process
                time.sleep(0.05)
            assert server.postgres() != running
    print(f"{KILLS} kills of PostgreSQL, {len(noted.contents)} contents acknowledged, {len(noted.refusals)} refusals")
    assert {status for status, _ in noted.refusals} <= {503, 404, 416}
    assert all(headers.get("retry-after") for status, headers in noted.refusals if status == 503)
    assert noted.lost(server) == []
    assert server.violations(killed=True) == []
