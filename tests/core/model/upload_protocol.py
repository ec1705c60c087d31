"""Executable model of an upload's life: core/uploads.py over upload_* in schema.sql, files, the reaper.

Run it: `python -m tests.core.model.upload_protocol`. It walks every interleaving of two or three writers, a client that
cancels, and the reaper over one upload. A writer takes the lease at the offset it knows, opens the file, writes its
letter twice, and saves (PATCH); or compares, links the file to its key and finishes (PUT). Any writer may stop for ever
(crash) or for long (pause) between any two steps, also between its two letters: a search over all interleavings
contains both. A lease may be found stale at any time while it is held. A request may fail, or be cancelled, or be
refused at T2.

What is told to a client is a promise: so many bytes, and which. A key never holds other bytes than its digest's. A
staging that a row has named is named by a row, by the queue or by a writer until it is gone; one that no row ever
named is found by its age (Reaper.strays), which is not modelled. Not covered: the driver's own durability, and the
blob behind the finish (that is blob_protocol.py).
"""

from collections import deque
from typing import NamedTuple

NONE = -1


class Row(NamedTuple):
    offset: int
    name: int  # the staging, NONE before the first save
    lease: int  # the writer that holds it, or NONE
    done: bool = False


class Writer(NamedTuple):
    left: int  # requests to come
    step: str = "idle"
    at: int = 0  # the offset it took the lease at
    name: int = NONE  # its staging
    old: int = NONE  # the staging it has copied
    inode: int = NONE  # the file it has open
    fresh: bool = False  # whether its staging is this request's own
    text: str = ""  # what had been acknowledged when it took the lease: its hash begins there


class World(NamedTuple):
    row: Row | None
    names: tuple  # staging -> inode, NONE once aborted
    inodes: tuple  # what lies in each file
    named: frozenset  # stagings that a row has named
    queue: frozenset  # rows of upload_staging
    objects: frozenset  # (digest, inode): what is linked at each key; a digest is the text itself
    told: str  # the bytes acknowledged so far, as the clients know them
    writers: tuple


LETTERS = "abc"
SHORT_CUTS = (
    "no-fork",
    "fork-behind",
    "fork-forgets",
    "unguarded-save",
    "release-when-cancelled",
    "no-truncate",
    "write-through-links",
    "abort-before-t2",
    "cancel-forgets",
)


def start(requests=(2, 1)):
    """One upload without a staging, writers with so many requests each."""
    return World(
        Row(0, NONE, NONE),
        (),
        (),
        frozenset(),
        frozenset(),
        frozenset(),
        "",
        tuple(Writer(left) for left in requests),
    )


def put(items, i, value):
    return (*items[:i], value, *items[i + 1 :])


def write(inodes, inode, at, text):
    """Write text at an offset; what lies behind it stays."""
    held = inodes[inode].ljust(at, "?")
    return put(inodes, inode, held[:at] + text + held[at + len(text) :])


def let_go(w, i):
    """The end of a request that failed: the lease is released if it is still ours, a staging of its own is aborted."""
    me = w.writers[i]
    row = w.row
    if row is not None and row.lease == i and not row.done:
        row = row._replace(lease=NONE)
    names = put(w.names, me.name, NONE) if me.fresh else w.names
    return w._replace(row=row, names=names, writers=put(w.writers, i, Writer(me.left)))


def opened(w, i, variant):
    """driver.append begins: the file by its name, cut to the offset; one that a key shares is copied first."""
    me = w.writers[i]
    if me.name == NONE:
        w = w._replace(names=(*w.names, len(w.inodes)), inodes=(*w.inodes, ""))
        me = me._replace(name=len(w.names) - 1, fresh=True)
    inode = w.names[me.name]
    if inode == NONE:
        return None  # StagingLost
    shared = any(inode == linked for _, linked in w.objects)
    if shared and variant != "write-through-links":
        w = w._replace(inodes=(*w.inodes, w.inodes[inode][: me.at]))
        inode = len(w.inodes) - 1
        w = w._replace(names=put(w.names, me.name, inode))
    elif variant != "no-truncate":
        w = w._replace(inodes=put(w.inodes, inode, w.inodes[inode][: me.at]))
    return w._replace(writers=put(w.writers, i, me._replace(step="opened", inode=inode)))


def steps(w, variant):
    row = w.row
    for i, me in enumerate(w.writers):

        def now(step, i=i, me=me, **more):
            return put(w.writers, i, me._replace(step=step, **more))

        mine = row is not None and row.lease == i and not row.done
        twice = LETTERS[i] * 2
        if me.step == "idle" and me.left and row is not None and not row.done:
            taken = w._replace(row=row._replace(lease=i))
            took = {"left": me.left - 1, "at": row.offset, "name": row.name, "text": w.told}
            if row.lease == NONE or row.name == NONE or variant == "no-fork":
                word = "takes" if row.lease == NONE else "takes over"
                yield f"{i} {word}", taken._replace(writers=now("taken", **took))
            else:  # the lease is stale, or seems so: the last writer did not let go
                yield f"{i} takes over, to fork", taken._replace(writers=now("forking", **took))
        elif me.step == "forking":
            source = w.names[me.name]
            if source == NONE:
                yield f"{i} finds nothing to fork", let_go(w, i)
            else:
                copy = w.inodes[source][: None if variant == "fork-behind" else me.at]
                yield (
                    f"{i} copies",
                    w._replace(
                        names=(*w.names, len(w.inodes)),
                        inodes=(*w.inodes, copy),
                        writers=now("forked", name=len(w.names), old=me.name, at=len(copy)),
                    ),
                )
        elif me.step == "forked":
            if mine:
                asked = set() if variant == "fork-forgets" else {me.old}
                yield (
                    f"{i} forks",
                    w._replace(
                        row=row._replace(name=me.name, offset=me.at),
                        named=w.named | {me.name},
                        queue=w.queue | asked,
                        writers=now("taken", old=NONE),
                    ),
                )
            else:
                yield f"{i} may not fork", let_go(w._replace(writers=now("forked", fresh=True)), i)
        elif me.step == "taken":
            after = opened(w, i, variant)
            yield (f"{i} opens", after) if after else (f"{i} finds nothing", let_go(w, i))
        elif me.step == "opened":
            where = len(w.inodes[me.inode]) if variant == "no-truncate" else me.at
            yield f"{i} writes", w._replace(inodes=write(w.inodes, me.inode, where, twice[0]), writers=now("half"))
        elif me.step == "half":
            where = len(w.inodes[me.inode]) if variant == "no-truncate" else me.at + 1
            inodes = write(w.inodes, me.inode, where, twice[1])
            yield f"{i} writes on", w._replace(inodes=inodes, writers=now("written"))
            yield f"{i} fails", let_go(w, i)
            if variant == "release-when-cancelled":  # its thread goes on writing
                after = w._replace(row=row._replace(lease=NONE)) if mine else w
                yield f"{i} is cancelled", after._replace(writers=now("late"))
            else:  # the lease is left to go stale
                yield f"{i} is cancelled", w._replace(writers=put(w.writers, i, Writer(me.left)))
        elif me.step == "late":
            inodes = write(w.inodes, me.inode, me.at + 1, twice[1])
            yield f"{i} writes late", w._replace(inodes=inodes, writers=put(w.writers, i, Writer(me.left)))
        elif me.step == "written":
            if mine or (variant == "unguarded-save" and row is not None and not row.done):
                yield (
                    f"{i} saves",
                    w._replace(
                        row=Row(me.at + 2, me.name, NONE),
                        told=me.text + twice,
                        named=w.named | {me.name},
                        writers=put(w.writers, i, Writer(me.left)),
                    ),
                )
            else:
                yield f"{i} is told that it counts nothing", let_go(w, i)
            yield f"{i} compares", w._replace(writers=now("compared"))  # its own hash, over what it sent itself
        elif me.step == "compared":  # T1, then driver.commit: a key that exists is left as it is
            digest, inode = me.text + twice, w.names[me.name]
            if any(digest == there for there, _ in w.objects):
                yield f"{i} finds its key", w._replace(writers=now("stored"))
            elif inode == NONE:
                yield f"{i} finds nothing to link", let_go(w, i)
            else:
                names = w.names
                if variant == "abort-before-t2":
                    names = put(names, me.name, NONE)
                # commit cuts what lies behind the size it is given
                w = w._replace(inodes=put(w.inodes, inode, w.inodes[inode][: me.at + 2]))
                yield (
                    f"{i} links",
                    w._replace(names=names, objects=w.objects | {(digest, inode)}, writers=now("stored")),
                )
        elif me.step == "stored":  # T2: guarded by the blob's generation, not by the lease
            done = row._replace(done=True, lease=NONE) if row is not None and not row.done else row
            yield f"{i} finishes", w._replace(row=done, writers=now("finished"))
            yield f"{i} is refused", let_go(w, i)
        elif me.step == "finished":
            names = put(w.names, me.name, NONE)
            yield f"{i} aborts", w._replace(names=names, writers=put(w.writers, i, Writer(me.left)))
    if row is not None:  # the client cancels; or the row's time is over, whatever became of it
        asked = {row.name} - {NONE} if variant != "cancel-forgets" else set()
        yield "the row goes", w._replace(row=None, queue=w.queue | asked, told="")
    for name in w.queue:
        yield f"the reaper aborts {name}", w._replace(names=put(w.names, name, NONE), queue=w.queue - {name})


def broken(w):
    """The promise that this state breaks, or None."""
    for digest, inode in w.objects:
        if w.inodes[inode] != digest:
            return f"the key of {digest!r} holds {w.inodes[inode]!r}"
    row = w.row
    if row is not None and not row.done and row.offset:
        inode = w.names[row.name]
        held = None if inode == NONE else w.inodes[inode][: row.offset]
        if held != w.told:
            return f"told {w.told!r}, kept {held!r}"
    for name in w.named:
        held = any(name in (me.name, me.old) for me in w.writers if me.step != "idle")
        if w.names[name] != NONE and not held and name not in w.queue and (row is None or row.name != name):
            return f"staging {name} that nobody knows"
    return None


def search(variant="ours", first=None):
    """(states seen, what broke or None, the steps to it). Breadth first, so the steps are the fewest."""
    first = first or start()
    seen, todo = {first: None}, deque([first])
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
    runs = [("ours", (2, 2)), ("ours", (2, 1, 1))] + [(variant, (2, 1)) for variant in SHORT_CUTS]
    for variant, requests in runs:
        count, fault, trace = search(variant, start(requests))
        print(f"{variant:24} requests {requests!s:10} {count:8} states  {fault or 'every promise holds'}")
        if trace:
            print("      " + " > ".join(trace))
