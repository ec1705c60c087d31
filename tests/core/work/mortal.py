"""A worker to be killed: `python mortal.py URL SILENCE` takes a task of the kind `mortal`, says so, never ends it."""

import asyncio
import sys

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.task import Kind, Task


async def never(task: Task) -> None:
    """Say that the task is taken; then sleep."""
    await task.log(f"attempt {task.attempt}")
    print("taken", flush=True)
    await asyncio.sleep(3600)


async def main(url: str, silence: float) -> None:
    """Work until killed."""
    database = await Database.open(url, size=4)
    await Queue(database, {"mortal": Kind(never)}, silence=silence).run()


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
