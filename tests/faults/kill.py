"""kill -9 of a server under pushes, at random times, again and again: what was acknowledged is there (promise P1).

`python -m tests.faults.kill --kills 200` by hand; tests/faults/test_kill.py a few times.
"""

import argparse
import random
import signal
import tempfile
import time
from pathlib import Path

from .pushers import Acknowledged, pushing
from .server import Server


def campaign(server: Server, kills: int) -> Acknowledged:
    """Kill a running server so many times; it runs again at the end."""
    noted = Acknowledged()
    for _ in range(kills):
        with pushing(noted, server):
            time.sleep(random.uniform(0.05, 1.0))
            server.stop(signal.SIGKILL)
        server.start()
    return noted


def main() -> None:
    """Say what came of it; exit code 1 where something was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    with tempfile.TemporaryDirectory(prefix="dfr-faults-") as name:
        Path(name).chmod(0o755)
        server = Server(Path(name), REGISTRY_UPLOAD_LEASE="1s")
        server.start()
        try:
            kills = parser.parse_args().kills
            noted = campaign(server, kills)
            lost, wrong = noted.lost(server), server.violations(killed=True)
        finally:
            server.stop()
    print(f"{kills} kills, {len(noted.contents)} contents and {len(noted.tags)} tags acknowledged, {len(lost)} lost")
    print("\n".join([*lost, *wrong]))
    raise SystemExit(bool(lost or wrong))


if __name__ == "__main__":
    main()
