"""Executable model of how a blob comes, is shared, goes and comes again (schema.sql section 7).

Run it: `python tests/core/model/blob_protocol.py` (three whole searches, a minute). It walks every interleaving of
two pushers, a deleter, the end of leases, rot, gc and two delete workers over one digest. Any process may stop for ever
(crash) or for long (pause) between any two steps: a search over all interleavings contains both. Each step is one
transaction, or one call to the store. A small blob may ride inline in its row and be moved to the store later: one more
search, and one with both kinds. Not covered: a process that dies between writing its object and handing it back, after
its claim was swept (more than a whole lease later): that object is found by fsck alone.

Row of artifact_blob: state, generation, leased. Store: the set of generations whose object exists. Queue: gc_delete.
The faulty variants are there to show that the search finds what it is meant to find.
"""

from collections import deque
from typing import NamedTuple


class Row(NamedTuple):
    state: str  # pending, live, condemned, missing (bytes found lost), gone (a tombstone that remembers its generation)
    generation: int
    leased: bool
    inline: bool = False  # a small blob: its bytes ride in the row until the mover has put them into the store


class World(NamedTuple):
    row: Row | None
    links: frozenset  # repositories that may serve the blob
    store: frozenset  # generations whose object exists, complete and verified
    queue: frozenset  # (generation, who asked): rows of gc_delete, each its own, so that none is done for another
    pushers: tuple  # (step, claimed generation, pushes left)
    mover: tuple  # (step, generation)
    workers: tuple  # (step, row picked)


MAX_GENERATION = 3
SHORT_CUTS = ("reuse", "no-guard", "no-queue", "no-handback", "one-row", "forget-rotten", "gone-though-linked")


def start(pushes=(2, 1), workers=2):
    """Nothing stored; two pushers with so many pushes to do."""
    return World(
        None,
        frozenset(),
        frozenset(),
        frozenset(),
        tuple(("idle", 0, left) for left in pushes),
        ("idle", 0),
        (("idle", None),) * workers,
    )


def replace(items, i, value):
    return (*items[:i], value, *items[i + 1 :])


def claim(w, i, variant):
    """T1. What the row answers decides generation and key, and whether bytes are needed at all."""
    r, queue = w.row, w.queue
    if r is None:
        row = Row("pending", 0, True)
    elif r.state == "condemned":
        row = r._replace(state="live", leased=True)  # the object was never touched
    elif r.state == "gone":
        row = Row("pending", r.generation + (variant != "reuse"), True)
    elif r.state == "missing":
        row = Row("pending", r.generation + 1, True)
        if variant != "forget-rotten":
            queue |= {(r.generation, f"claim{i}")}
    else:
        row = r._replace(leased=True)
    return row, queue


def keep_inline(w, i):
    """A small blob: claim, bytes, link and charge in one transaction."""
    r = w.row
    fresh = r is None or r.state in ("gone", "missing")
    generation = r.generation + 1 if r and fresh else 0 if r is None else r.generation
    inline = fresh or r.inline or r.state == "pending"
    queue = w.queue | {(r.generation, f"claim{i}")} if r and r.state == "missing" else w.queue
    return w._replace(row=Row("live", generation, True, inline), links=w.links | {i}, queue=queue)


def steps(w, variant, small):
    for i, (step, gen, left) in enumerate(w.pushers):

        def at(step, gen=gen, left=left):
            return replace(w.pushers, i, (step, gen, left))

        if step == "idle" and left and i in small:
            after = keep_inline(w, i)
            if after.row.generation <= MAX_GENERATION:
                yield f"push{i} inline", after._replace(pushers=at("idle", left=left - 1))
        elif step == "idle" and left:
            row, queue = claim(w, i, variant)
            if row.generation > MAX_GENERATION:
                continue
            after = "claimed" if row.state == "pending" else "stored"
            yield f"push{i} claim", w._replace(row=row, queue=queue, pushers=at(after, row.generation, left - 1))
        elif step == "claimed":  # driver.commit: idempotent, bytes verified before
            yield f"push{i} commit", w._replace(store=w.store | {gen}, pushers=at("stored"))
        elif step == "stored":  # T2: live, link, charge; guarded by the generation
            r = w.row
            alive = r is not None and r.generation == gen and r.state in ("pending", "live", "condemned")
            if variant == "no-guard":
                alive = r is not None
            if alive:
                live = r._replace(state="live", leased=True)
                yield f"push{i} finish", w._replace(row=live, links=w.links | {i}, pushers=at("idle"))
            else:  # the claim was swept meanwhile: hand the object we may have written to gc, start again
                asked = {"no-handback": set(), "one-row": {(gen, "gc")}}.get(variant, {(gen, f"push{i}")})
                yield f"push{i} again", w._replace(queue=w.queue | asked, pushers=at("idle"))
    r = w.row
    step, gen = w.mover
    if step == "idle" and r is not None and r.inline and r.state in ("live", "condemned"):
        yield "mover reads", w._replace(mover=("read", r.generation))
    elif step == "read":
        yield f"mover puts {gen}", w._replace(store=w.store | {gen}, mover=("put", gen))
    elif step == "put":
        if r is not None and r.generation == gen and r.state in ("live", "condemned"):
            yield "mover done", w._replace(row=r._replace(inline=False), mover=("idle", 0))
        else:
            asked = set() if variant == "mover-forgets" else {(gen, "mover")}
            yield "mover hands back", w._replace(queue=w.queue | asked, mover=("idle", 0))
    if r is not None and r.state == "live" and not r.inline:  # rot: the object is there, its bytes are not
        yield "rot found", w._replace(row=r._replace(state="missing"))
    if r is not None and r.leased:
        yield "lease ends", w._replace(row=r._replace(leased=False))
    for link in w.links:  # manifests deleted, link lease over: gc drops the unreferenced link
        if not r.leased:
            yield f"unlink {link}", w._replace(links=w.links - {link})
    if r is not None and not r.leased and w.links and r.state == "pending":  # a heal nobody finished
        state = "gone" if variant == "gone-though-linked" else "missing"
        yield "heal ends", w._replace(row=r._replace(state=state), queue=w.queue | {(r.generation, "gc")})
    if r is not None and not r.leased and not w.links:
        if r.state == "live":
            yield "condemn", w._replace(row=r._replace(state="condemned"))
        elif r.state in ("condemned", "pending", "missing"):  # the window is over, or nobody came
            if variant == "no-queue":
                yield "purge", w._replace(row=r._replace(state="gone"))
            else:
                yield "purge", w._replace(row=r._replace(state="gone"), queue=w.queue | {(r.generation, "gc")})
    for i, (step, entry) in enumerate(w.workers):
        if step == "idle":
            for entry in w.queue:
                yield f"worker{i} picks {entry}", w._replace(workers=replace(w.workers, i, ("picked", entry)))
        elif step == "picked":
            workers = replace(w.workers, i, ("deleted", entry))
            yield f"worker{i} deletes {entry[0]}", w._replace(store=w.store - {entry[0]}, workers=workers)
        elif step == "deleted":
            workers = replace(w.workers, i, ("idle", None))
            yield f"worker{i} done {entry}", w._replace(queue=w.queue - {entry}, workers=workers)


def broken(w):
    """What must never be: the promise that this state breaks, or None."""
    r = w.row
    if r is not None and r.state in ("live", "condemned") and not r.inline and r.generation not in w.store:
        return f"{r.state} without its bytes"
    if w.links and (r is None or r.state not in ("live", "missing", "pending")):
        return f"linked but {r.state if r else 'unknown'}"
    for g in w.store:
        known = r is not None and r.generation == g and r.state != "gone"  # pending, live, condemned, missing
        held = any(step in ("claimed", "stored") and gen == g for step, gen, _ in w.pushers) or w.mover == ("put", g)
        if not (known or held or any(g == asked for asked, _ in w.queue)):
            return f"object {g} that no row and no queue knows"
    return None


def search(variant="ours", small=(), first=None):
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
        for label, after in steps(w, variant, small):
            if after not in seen:
                seen[after] = (label, w)
                todo.append(after)
    return len(seen), None, []


if __name__ == "__main__":
    runs = [("ours", ()), ("ours", (0, 1)), ("ours", (1,)), ("mover-forgets", (0, 1))] + [(v, ()) for v in SHORT_CUTS]
    for variant, small in runs:
        count, fault, trace = search(variant, small)
        print(f"{variant:18} small pushers {len(small)} {count:8} states  {fault or 'every promise holds'}")
        if trace:
            print("      " + " > ".join(trace))
