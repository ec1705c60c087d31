"""Executable model of links, charges, references and reviews (gc_links, link_charge, manifests_put, gc_artifacts).

Run it: `python -m tests.core.model.link_protocol`. One live blob in two repositories of one project. It walks every
interleaving of a manifest pushed to the first repository and purged again, a linker in each (a push or a mount), the
end of leases and two gc workers, statement by statement: a statement sees what is committed, a row lock is waited for
or, by gc, passed over. Any transaction may be rolled back at any step, which is also what a crash comes to.

The project is sparse: a manifest may come before its blob, and then waits for whoever links it. A lease outlives every
transaction that was open when it began (an hour against seconds), else such a manifest could come later than its lease.
Not covered: hidden links, which are links whose lease is over, and the blob's own life (blob_protocol.py).
"""

from collections import deque
from typing import NamedTuple


class Linker(NamedTuple):
    left: int
    step: str = "idle"  # idle, linked, charged
    fresh: bool = False  # it made the link, so that it is to be charged and reviewed
    paid: bool = False  # it made the charge


class Worker(NamedTuple):
    step: str = "idle"  # idle, took, locked, checked, charged, looked
    link: int = 0
    verdict: str = ""  # drop, consume, later
    give_back: bool = False


class World(NamedTuple):
    links: tuple = (None, None)  # of each repository: None, or whether it is leased
    charge: bool = False
    bound: bool = False  # the manifest refers to the first link
    waiting: bool = False  # the manifest is there and its blob is not
    reviews: tuple = (0, 0)  # requests to look at each link, two standing for more
    pusher: tuple = ("idle", 2)  # idle, holds (the link's row, shared), waits; pushes left
    linkers: tuple = (Linker(2), Linker(2))
    workers: tuple = (Worker(), Worker())
    fault: str = ""


SHORT_CUTS = (
    "check-before-lock",
    "others-before-lock",
    "charge-do-nothing",
    "one-review",
    "purge-forgets",
    "consume-leased",
    "consume-locked",
    "waiting-forgotten",
)


def put(items, i, value):
    return (*items[:i], value, *items[i + 1 :])


def asked(w, link, variant):
    """One more request to look at a link; a unique row with DO NOTHING would be one at most."""
    most = 1 if variant == "one-review" else 2
    return put(w.reviews, link, min(most, w.reviews[link] + 1))


def taken_by_gc(w, link):
    """A worker holds the link's row FOR UPDATE."""
    return any(g.link == link and g.step in ("locked", "checked", "charged", "looked") for g in w.workers)


def held_by_others(w, link):
    """A pusher or a linker holds the link's row."""
    return (link == 0 and w.pusher[0] == "holds") or (w.linkers[link].step != "idle" and not w.linkers[link].fresh)


def charge_held(w, but=None):
    holders = [g for i, g in enumerate(w.workers) if g.step in ("charged", "looked") and but != ("gc", i)]
    return bool(holders) or any(k.step == "charged" and but != ("linker", i) for i, k in enumerate(w.linkers))


def verdict_on(w, link, variant):
    """What a new statement sees of a link that is locked."""
    if w.links[link]:
        return "consume" if variant == "consume-leased" else "later"
    held = link == 0 and (w.bound or (w.waiting and variant != "waiting-forgotten"))
    return "consume" if held else "drop"


def steps(w, variant):
    yield from pushes(w, variant)
    for i, k in enumerate(w.linkers):
        yield from link_steps(w, i, k, variant)
    for link, leased in enumerate(w.links):
        if leased and w.pusher[0] != "waits":
            yield f"lease {link} ends", w._replace(links=put(w.links, link, False))
    for i, g in enumerate(w.workers):
        yield from work(w, i, g, variant)
        if g.step != "idle":
            yield f"gc{i} rolls back", w._replace(workers=put(w.workers, i, Worker()))


def pushes(w, variant):
    step, left = w.pusher
    there = w.bound or w.waiting
    if step == "idle" and left and not there and not taken_by_gc(w, 0):
        found = "waits" if w.links[0] is None else "holds"
        yield f"push {found}", w._replace(pusher=(found, left - 1))
    elif step != "idle":
        yield "push rolls back", w._replace(pusher=("idle", left))
        yield "push commits", w._replace(pusher=("idle", left), bound=step == "holds", waiting=step == "waits")
    if step == "idle" and there:
        looked_at = asked(w, 0, variant) if w.bound and variant != "purge-forgets" else w.reviews
        yield "purge", w._replace(bound=False, waiting=False, reviews=looked_at)


def link_steps(w, i, k, variant):
    def at(linker, **changes):
        return w._replace(linkers=put(w.linkers, i, linker), **changes)

    if k.step == "idle" and k.left and not taken_by_gc(w, i):
        yield f"link{i}", at(Linker(k.left - 1, "linked", w.links[i] is None))
        return
    if k.step == "idle":
        return
    yield f"link{i} rolls back", at(Linker(k.left))
    if k.step == "linked" and k.fresh:
        if w.charge and variant == "charge-do-nothing":
            yield f"link{i} is paid for", at(k._replace(step="paid"))
        elif not charge_held(w, ("linker", i)):
            yield f"link{i} pays", at(k._replace(step="charged", paid=not w.charge))
        return
    binds = i == 0 and k.fresh and w.waiting
    yield (
        f"link{i} commits",
        at(
            Linker(k.left),
            links=put(w.links, i, True),
            charge=w.charge or k.paid,
            bound=w.bound or binds,
            waiting=w.waiting and not binds,
            reviews=asked(w, i, variant) if k.fresh else w.reviews,
        ),
    )


def work(w, i, g, variant):
    """gc_links, a link at a time."""

    def at(worker, **changes):
        return w._replace(workers=put(w.workers, i, worker), **changes)

    def done(keep, **changes):
        reviews = w.reviews if keep else put(w.reviews, g.link, w.reviews[g.link] - 1)
        return at(Worker(), **({"reviews": reviews} | changes))

    if g.step == "idle":
        for link in (0, 1):
            others = sum(o.step != "idle" and o.link == link for o in w.workers)
            if w.reviews[link] > others:
                early = verdict_on(w, link, variant) if w.links[link] is not None else "consume"
                yield f"gc{i} takes {link}", at(Worker("took", link, early))
    elif g.step == "took":
        if w.links[g.link] is None:
            yield f"gc{i} finds no link", done(keep=False)
        elif variant == "check-before-lock":
            if not taken_by_gc(w, g.link) and not held_by_others(w, g.link):
                yield f"gc{i} locks", at(g._replace(step="checked"))
        elif taken_by_gc(w, g.link) or held_by_others(w, g.link):
            yield f"gc{i} passes over", done(keep=variant != "consume-locked")
        else:
            yield f"gc{i} locks", at(g._replace(step="locked"))
    elif g.step == "locked":
        binds = g.link == 0 and w.waiting and variant != "waiting-forgotten"
        looked = g._replace(
            step="checked", verdict=verdict_on(w, g.link, variant), give_back=w.links[1 - g.link] is None
        )
        yield f"gc{i} checks", at(looked, bound=w.bound or binds, waiting=w.waiting and not binds)
    elif g.step == "checked":
        if g.verdict != "drop":
            yield f"gc{i} keeps it", done(keep=g.verdict == "later")
        elif charge_held(w, ("gc", i)):
            yield f"gc{i} leaves it", done(keep=True)
        else:
            yield f"gc{i} locks the charge", at(g._replace(step="charged"))
    elif g.step == "charged":
        alone = g.give_back if variant == "others-before-lock" else w.links[1 - g.link] is None
        yield f"gc{i} looks for others", at(g._replace(step="looked", give_back=alone))
    else:
        fault = "a leased link dropped" if w.links[g.link] else ""
        fault = fault or ("dropped beside a manifest that waits for it" if g.link == 0 and w.waiting else "")
        charge = w.charge and not g.give_back
        yield f"gc{i} drops", done(keep=False, links=put(w.links, g.link, None), charge=charge, fault=fault)


def broken(w):
    """What must never be: the promise that this state breaks, or None."""
    if w.fault:
        return w.fault
    if w.bound and w.links[0] is None:
        return "a manifest without its blob"
    if w.charge != any(leased is not None for leased in w.links):
        return "charged without a link" if w.charge else "a link nobody pays for"
    for link, leased in enumerate(w.links):
        if leased is not None and not w.reviews[link] and not (link == 0 and w.bound):
            return "a link nobody will look at"
    if w.waiting and w.links[0] is not None and not w.reviews[0]:
        return "a manifest waits beside its blob"
    return None


def search(variant="ours", first=None):
    """(states seen, what broke or None, the steps to it). Breadth first, so the steps are the fewest."""
    first = first or World()
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
    for variant in ("ours", *SHORT_CUTS):
        count, fault, trace = search(variant)
        print(f"{variant:18} {count:8} states  {fault or 'every promise holds'}")
        if trace:
            print("      " + " > ".join(trace))
