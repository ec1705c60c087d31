"""Executable model of how a blob comes, is shared, goes and comes again (schema.sql section 7).

Run it: `python -m tests.core.model.blob_protocol` (three whole searches, 90 s). It walks every interleaving of
two pushers, a deleter, the end of leases, rot, gc and two delete workers over one digest. Any process may stop for ever
(crash) or for long (pause) between any two steps: a search over all interleavings contains both. Each step is one
transaction, or one call to the store. A small blob may ride inline in its row and be moved to the store later: one more
search, and one with both kinds. Not covered: a process that dies between writing its object and handing it back, after
its claim was swept (more than a whole lease later): that object is found by fsck alone. A tombstone is dropped at any
time when no request to delete names its digest, also under a paused pusher, but never under a delete worker that is
about to delete: it lives for 30 days, far above any pause. A pusher that was paused for longer may leave an object of a
generation that the new row has not come to yet: harmless, and found by fsck alone too.

Row of artifact_blob: state, generation, leased. Store: the set of generations whose object exists. Queue: gc_delete.
The faulty variants are there to show that the search finds what it is meant to find.
"""

from collections import deque
from typing import NamedTuple


class Row(NamedTuple):
    life: int  # its id: a row that comes after a dropped tombstone is another
    state: str  # pending, live, condemned, missing (bytes found lost), gone (a tombstone that remembers its generation)
    generation: int
    leased: bool
    inline: bool = False  # a small blob: its bytes ride in the row until the mover has put them into the store


class World(NamedTuple):
    row: Row | None
    links: frozenset  # repositories that may serve the blob
    store: frozenset  # generations whose object exists, complete and verified
    queue: frozenset  # (generation, who asked, in which life): rows of gc_delete, none of them done for another
    pushers: tuple  # (step, claimed generation, pushes left, claimed row)
    mover: tuple  # (step, generation, row)
    workers: tuple  # (step, entry picked)
    lives: int = 0  # rows made so far


MAX_GENERATION = 3
MAX_LIVES = 2
SHORT_CUTS = (
    "reuse",
    "no-guard",
    "guard-without-row",
    "no-queue",
    "no-handback",
    "handback-unguarded",
    "handback-without-tombstone",
    "one-row",
    "forget-rotten",
    "gone-though-linked",
)


def start(pushes=(2, 1), workers=2):
    """Nothing stored; two pushers with so many pushes to do."""
    return World(
        None,
        frozenset(),
        frozenset(),
        frozenset(),
        tuple(("idle", 0, left, 0) for left in pushes),
        ("idle", 0, 0),
        (("idle", None),) * workers,
    )


def replace(items, i, value):
    return (*items[:i], value, *items[i + 1 :])


def claim(w, i, variant):
    """T1. What the row answers decides generation and key, and whether bytes are needed at all."""
    r, queue = w.row, w.queue
    if r is None:
        row = Row(w.lives, "pending", 0, True)
    elif r.state == "condemned":
        row = r._replace(state="live", leased=True)  # the object was never touched
    elif r.state == "gone":
        row = Row(r.life, "pending", r.generation + (variant != "reuse"), True)
    elif r.state == "missing":
        row = Row(r.life, "pending", r.generation + 1, True)
        if variant != "forget-rotten":
            queue |= {(r.generation, f"claim{i}", r.life)}
    else:
        row = r._replace(leased=True)
    return row, queue


def hand_back(w, gen, who, variant):
    """An object of a claim that was swept: to be deleted, unless a row may mean it. No row: a tombstone is made."""
    r = w.row
    if r is None and variant != "handback-without-tombstone":
        r = Row(w.lives, "gone", gen, False)
        w = w._replace(lives=w.lives + 1)
    doomed = r is None or r.generation > gen or (r.generation == gen and r.state == "gone")
    queue = w.queue | {(gen, who, r.life if r else 0)} if doomed or variant == "handback-unguarded" else w.queue
    return w._replace(row=r, queue=queue)


def keep_inline(w, i):
    """A small blob: claim, bytes, link and charge in one transaction."""
    r = w.row
    fresh = r is None or r.state in ("gone", "missing")
    generation = r.generation + 1 if r and fresh else 0 if r is None else r.generation
    inline = fresh or r.inline or r.state == "pending"
    queue = w.queue | {(r.generation, f"claim{i}", r.life)} if r and r.state == "missing" else w.queue
    life, lives = (w.lives, w.lives + 1) if r is None else (r.life, w.lives)
    row = Row(life, "live", generation, True, inline)
    return w._replace(row=row, lives=lives, links=w.links | {i}, queue=queue)


def steps(w, variant, small):
    for i, (step, gen, left, life) in enumerate(w.pushers):

        def at(step, gen=0, left=left, life=0):
            return replace(w.pushers, i, (step, gen, left, life))

        if step == "idle" and left and i in small:
            after = keep_inline(w, i)
            if after.row.generation <= MAX_GENERATION and after.row.life < MAX_LIVES:
                yield f"push{i} inline", after._replace(pushers=at("idle", left=left - 1))
        elif step == "idle" and left:
            row, queue = claim(w, i, variant)
            if row.generation > MAX_GENERATION or row.life >= MAX_LIVES:
                continue
            lives = w.lives + (w.row is None)
            live = row.state == "live"  # linked and charged at once: the whole push
            links = w.links | {i} if live else w.links
            after = at("idle", left=left - 1) if live else at("claimed", row.generation, left - 1, row.life)
            yield f"push{i} claim", w._replace(row=row, lives=lives, links=links, queue=queue, pushers=after)
        elif step == "claimed":  # driver.commit: idempotent, bytes verified before
            yield f"push{i} commit", w._replace(store=w.store | {gen}, pushers=at("stored", gen, life=life))
        elif step == "stored":  # T2: live, link, charge; guarded by the generation
            r = w.row
            same = r is not None and r.generation == gen and (r.life == life or variant == "guard-without-row")
            alive = same and r.state in ("pending", "live", "condemned")
            if variant == "no-guard":
                alive = r is not None
            if alive:
                live = r._replace(state="live", leased=True)
                yield f"push{i} finish", w._replace(row=live, links=w.links | {i}, pushers=at("idle"))
            else:  # the claim was swept meanwhile
                after = at("idle") if variant == "no-handback" else at("swept", gen)
                yield f"push{i} finds its claim swept", w._replace(pushers=after)
        elif step == "swept":  # hand the object we may have written to gc, start again
            who = "gc" if variant == "one-row" else f"push{i}"
            yield f"push{i} hands back", hand_back(w, gen, who, variant)._replace(pushers=at("idle"))
    r = w.row
    step, gen, life = w.mover
    if step == "idle" and r is not None and r.inline and r.state in ("live", "condemned"):
        yield "mover reads", w._replace(mover=("read", r.generation, r.life))
    elif step == "read":
        yield f"mover puts {gen}", w._replace(store=w.store | {gen}, mover=("put", gen, life))
    elif step == "put":
        if r is not None and (r.life, r.generation) == (life, gen) and r.state in ("live", "condemned"):
            yield "mover done", w._replace(row=r._replace(inline=False), mover=("idle", 0, 0))
        else:
            after = w if variant == "mover-forgets" else hand_back(w, gen, "mover", variant)
            yield "mover hands back", after._replace(mover=("idle", 0, 0))
    if r is not None and r.state == "live" and not r.inline:  # rot: the object is there, its bytes are not
        yield "rot found", w._replace(row=r._replace(state="missing"))
    if r is not None and r.leased:
        yield "lease ends", w._replace(row=r._replace(leased=False))
    for link in w.links:  # manifests deleted, link lease over: gc drops the unreferenced link
        if not r.leased:
            yield f"unlink {link}", w._replace(links=w.links - {link})
    if r is not None and not r.leased and w.links and r.state == "pending":  # a heal nobody finished
        state = "gone" if variant == "gone-though-linked" else "missing"
        yield "heal ends", w._replace(row=r._replace(state=state), queue=w.queue | {(r.generation, "heal", r.life)})
    if r is not None and not r.leased and not w.links:
        if r.state == "live":
            yield "condemn", w._replace(row=r._replace(state="condemned"))
        elif r.state in ("condemned", "pending", "missing"):  # the window is over, or nobody came
            if variant == "no-queue":
                yield "purge", w._replace(row=r._replace(state="gone"))
            else:
                yield "purge", w._replace(row=r._replace(state="gone"), queue=w.queue | {(r.generation, "gc", r.life)})
    if r is not None and r.state == "gone" and not w.queue and all(step != "picked" for step, _ in w.workers):
        yield "tombstone dropped", w._replace(row=None)
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
        held = any(step in ("claimed", "stored", "swept") and gen == g for step, gen, _, _ in w.pushers)
        held = held or w.mover[:2] == ("put", g)
        forgotten = w.lives > 1 and (r is None or g > r.generation)  # of a life whose tombstone was dropped
        if not (known or held or forgotten or any(g == asked for asked, _, _ in w.queue)):
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
