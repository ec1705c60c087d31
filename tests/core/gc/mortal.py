"""A collector to be killed: `python mortal.py URL FOLDER LEASE UNDO` collects without a pause until then."""

import asyncio
import sys
from datetime import timedelta

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.deletions import Deletions
from dataforge_registry.core.work.gc import Gc
from dataforge_registry.core.work.mover import Mover
from dataforge_registry.drivers.filesystem import FilesystemDriver


async def main(url: str, folder: str, lease: float, undo: float) -> None:
    """Batches of a few, so that a kill falls between them or into one."""
    database, driver = await Database.open(url, size=2), FilesystemDriver(folder)
    gc = Gc(database, lease=timedelta(seconds=lease), undo=timedelta(seconds=undo), batch=5)
    mover, deletions = Mover(database, driver), Deletions(database, driver, batch=5)
    print("collecting", flush=True)
    while True:
        await gc.both()
        await mover.step()
        await deletions.step()


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
