"""A worker as a process: `python ticking.py URL SILENCE` fires schedules and does tasks of the kind `tick`, of which a
first attempt never ends."""

import asyncio
import sys

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.schedule import Clock
from dataforge_registry.core.work.task import Kind, Task
from dataforge_registry.core.work.worker import Step, Worker


async def tick(task: Task) -> None:
    """Say that the task is taken; the first who takes it sleeps."""
    await task.log(f"attempt {task.attempt}")
    print("taken", flush=True)
    if task.attempt == 1:
        await asyncio.sleep(3600)


async def main(url: str, silence: float) -> None:
    """Work until killed."""
    database = await Database.open(url, size=4)
    queue = Queue(database, {"tick": Kind(tick)}, silence=silence)
    await Worker(queue, [Step("schedules", Clock(database, {}).step, 0.1)]).run()


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
