"""Executable model of an upload's life (core/uploads.py over upload_* in schema.sql).

Run it: `python tests/core/model/upload_protocol.py`. It walks every interleaving of two writers over one upload. A
writer takes the lease at the offset it knows, writes its letter in two halves, and saves; or closes the upload with the
digest of what its own request saw. Any writer may stop for ever (crash) or for long (pause) between any two steps, also
within a write: a search over all interleavings contains both. A lease may be found stale at any time while it is held.

Row: offset, the file that holds it, who has the lease, done. Files: what each staging holds. A promise is what a client
was told: so many bytes, and which. Not covered: the driver's own durability, and the blob behind the finish (that is
blob_protocol.py).
"""

from collections import deque
from typing import NamedTuple


class World(NamedTuple):
    offset: int
    file: int  # the row's staging
    lease: int | None  # the writer that holds it
    done: str | None  # the content the finished upload was linked with
    files: tuple  # what lies in each staging
    writers: tuple  # (step, offset taken at, its file, requests left)
    told: str  # the bytes acknowledged so far, as the clients know them


LETTERS = "ab"
SHORT_CUTS = ("no-fork", "unguarded-save", "fork-behind", "release-when-cancelled", "no-truncate")


def start():
    """One upload with an empty staging, two writers with two requests each."""
    return World(0, 0, None, None, ("",), (("idle", 0, 0, 2), ("idle", 0, 0, 2)), "")


def put(items, i, value):
    return (*items[:i], value, *items[i + 1 :])


def write(files, name, at, text):
    """Write text at an offset; what lies behind it stays."""
    held = files[name].ljust(at, "?")
    return put(files, name, held[:at] + text + held[at + len(text) :])


def steps(w, variant):
    for i, (step, at, name, left) in enumerate(w.writers):

        def now(step, at=at, name=name, left=left, i=i):
            return put(w.writers, i, (step, at, name, left))

        if step == "idle" and left and w.done is None:
            if w.lease is None:
                yield f"{i} takes", w._replace(lease=i, writers=now("taken", w.offset, w.file, left - 1))
            elif w.lease != i or variant == "unguarded-save":  # the lease is stale, or so it seems
                if variant == "no-fork" or len(w.files) > 3:
                    if variant == "no-fork":
                        yield f"{i} takes over", w._replace(lease=i, writers=now("taken", w.offset, w.file, left - 1))
                else:
                    end = None if variant == "fork-behind" else w.offset
                    files = (*w.files, w.files[w.file][:end])
                    fresh = len(w.files)
                    offset = len(files[fresh]) if variant == "fork-behind" else w.offset
                    yield (
                        f"{i} takes over with a fork",
                        w._replace(
                            lease=i,
                            file=fresh,
                            offset=offset,
                            files=files,
                            writers=now("taken", offset, fresh, left - 1),
                        ),
                    )
        elif step == "taken":  # cut what a broken write left, then the first half
            files = w.files if variant == "no-truncate" else put(w.files, name, w.files[name][:at])
            where = len(files[name]) if variant == "no-truncate" else at
            yield f"{i} writes", w._replace(files=write(files, name, where, LETTERS[i]), writers=now("half", at=at))
        elif step == "half":
            where = max(at + 1, len(w.files[name]) if variant == "no-truncate" else 0)
            yield f"{i} writes on", w._replace(files=write(w.files, name, where, LETTERS[i]), writers=now("written"))
            if variant == "release-when-cancelled" and w.lease == i:  # its thread goes on writing
                yield f"{i} is cancelled", w._replace(lease=None, writers=now("late"))
            if w.lease == i:  # the request broke for good, nothing of it is running: it lets go
                yield f"{i} fails", w._replace(lease=None, writers=now("idle"))
        elif step == "late":
            yield f"{i} writes late", w._replace(files=write(w.files, name, at + 1, LETTERS[i]), writers=now("idle"))
        elif step == "written":
            mine = w.lease == i and w.done is None
            if mine or (variant == "unguarded-save" and w.done is None):
                told = w.told[:at] + LETTERS[i] * 2
                saved = w._replace(offset=at + 2, file=name, lease=None, told=told, writers=now("idle"))
                yield f"{i} saves", saved
            else:
                yield f"{i} is told 416", w._replace(writers=now("idle"))
            # a PUT: its hash covers what was acknowledged and what it sent, and it is compared before the file is kept
            if w.done is None and w.told[:at] == w.told:
                expected = w.told + LETTERS[i] * 2
                kept = w.files[name][: at + 2]
                yield f"{i} finishes", w._replace(done=f"{expected}={kept}", lease=None, writers=now("idle"))


def broken(w):
    """The promise that this state breaks, or None."""
    if w.done is not None:
        expected, _, kept = w.done.partition("=")
        return None if expected == kept else f"linked {kept!r} under the digest of {expected!r}"
    held = w.files[w.file][: w.offset]
    if w.offset != len(w.told) or held != w.told:
        return f"told {w.told!r}, kept {held!r}"
    return None


def search(variant="ours"):
    """(states seen, what broke or None, the steps to it). Breadth first, so the steps are the fewest."""
    seen, todo = {start(): None}, deque([start()])
    while todo:
        w = todo.popleft()
        fault = broken(w)
        if fault:
            trace, at = [], w
            while seen[at]:
                label, at = seen[at]
                trace.append(label)
            return len(seen), fault, trace[::-1]
        for label, after in steps(w, variant):
            if after not in seen:
                seen[after] = (label, w)
                todo.append(after)
    return len(seen), None, []


if __name__ == "__main__":
    for variant in ("ours", *SHORT_CUTS):
        count, fault, trace = search(variant)
        print(f"{variant:24} {count:8} states  {fault or 'every promise holds'}")
        if trace:
            print("      " + " > ".join(trace))
