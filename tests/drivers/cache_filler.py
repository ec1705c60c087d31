"""Fill and read copies in a folder that others fill too, until killed: `cache_filler.py FOLDER SIZE`.

Ends by itself only where it reads wrong bytes, or where a copy that was kept is damaged."""

import hashlib
import random
import sys

from dataforge_registry.drivers.cache_folder import CacheFolder


def main(root: str, size: int) -> None:
    folder, chance = CacheFolder(root, size), random.Random()
    print("ready", flush=True)
    while True:
        number = chance.randrange(40)
        content = random.Random(number).randbytes(50_000 + 10_000 * number)
        name = hashlib.sha256(content).hexdigest()
        entry = folder.open(name)
        if entry is not None:
            start = chance.randrange(len(content))
            piece = entry.read(start, len(content))
            assert piece and content.startswith(piece, start)
            entry.close()
            continue
        draft = folder.reserve(name, len(content))
        if draft is None:
            continue
        for at in range(0, len(content), 70_000):
            draft.write(content[at : at + 70_000])
        if chance.random() < 0.2:
            draft.discard()
        else:
            draft.keep()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
