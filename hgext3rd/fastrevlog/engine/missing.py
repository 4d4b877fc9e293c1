# Ancestors of some revisions that are not ancestors of others.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is missing, by marks near the top and by the C index where there is much.

The C index finds all ancestors down to a given revision, at a twentieth of what marks
cost.  Two such walks, of what is wanted and of what is known, are compared; where
ancestors of what is wanted go on below, so do the walks, each time twice as far.  So
the work is in proportion to how far down something is missing, if most revisions that
are passed are ancestors.  Marks are kept to where they are few, which marks pass over
at no cost; and where revisions have parents far below, all of history is compared.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Collection
from itertools import compress, filterfalse

from . import columns as columnsmod
from . import walks

# A walk of the C index is worth its beginning where the newest that are wanted and the
# newest that are known are so far apart, or where so many steps of a walk by marks were
# not enough: they make 960 revisions.  One shows whether most are ancestors.
_MANY = 600
_STEPS = 4
_FEW_STEPS = 1
_SPARSE = 8  # fewer than one of so many is an ancestor
_CROSSED = 4  # more than one of so many has a parent below
# revisions that the walks go down below what is known, at first
_FIRST_FALL = 1024
_FEW = 256  # missing revisions that are found one after the other
_COMPARED = 512  # revisions that are compared at once
_ONLY_WANTED = bytes(mark == walks.WANTED for mark in range(256))


def missing(
    columns: columnsmod.Columns,
    known: Collection[int],
    wanted: Collection[int],
    refused: frozenset[int] = frozenset(),
) -> list[int] | None:
    """Ancestors of ``wanted`` that are not ancestors of ``known``, ascending.

    All are revs of the index, and each is an ancestor of itself.  None if one of
    ``refused`` was met on the way.  Raises `columns.Disordered`.
    """
    parts: list[list[int]] = []
    gap = max(wanted, default=-1) - max(known, default=-1)
    patience = _STEPS if abs(gap) < _MANY else _FEW_STEPS
    walk = walks.Walk(columns, wanted, known)
    top, steps, seen = walk.top, 0, 0
    while walk.wants_more():
        if steps >= patience:
            if seen * _SPARSE > top - walk.start:
                wanted, known = walk.rest()
                if not _fall(columns, set(known), set(wanted), refused, parts):
                    return None
                break
            top, steps, seen = walk.start, 0, 0
            patience = _STEPS
        marks = bytes(walk.step())
        revs = range(walk.start, walk.stop)
        if refused and not refused.isdisjoint(compress(revs, marks)):
            return None
        if walks.WANTED in marks:
            parts.append(list(compress(revs, marks.translate(_ONLY_WANTED))))
        steps += 1
        seen += len(marks) - marks.count(0)
    found: list[int] = []
    for part in reversed(parts):
        found += part
    return found


def _fall(
    columns: columnsmod.Columns,
    known: set[int],
    wanted: set[int],
    refused: frozenset[int],
    parts: list[list[int]],
) -> bool:
    """Add what is missing to ``parts``; False if one of ``refused`` was met."""
    fall = _FIRST_FALL
    # from here on nothing is known
    low = max(known, default=-1) + 1
    stop = max(low, max(wanted, default=-1) + 1)
    while True:
        wanted -= known
        if not wanted:
            return True
        band = columns.band(low, stop)
        if len(band.crossing) * _CROSSED > stop - low:
            low = 0
            band = columns.band(low, stop)
        theirs, known = band.walk(known)
        few = _by_hand(columns, wanted, theirs, low) if theirs and low else None
        if few is None:
            found, wanted = band.walk(wanted)
        else:
            found, wanted = few
        if refused and not (refused.isdisjoint(found) and refused.isdisjoint(theirs)):
            return False
        parts.append(_without(found, theirs, low))
        stop = low
        low = max(0, min(low, max(wanted, default=0)) - fall)
        # what is looked at are whole blocks
        low = low >> columnsmod.SHIFT << columnsmod.SHIFT
        fall *= 2


def _by_hand(
    columns: columnsmod.Columns, wanted: set[int], theirs: list[int], low: int
) -> tuple[list[int], set[int]] | None:
    """What is missing from ``low`` on, where ``theirs`` is known, and the next below.

    None if it is much.
    """
    p1, p2 = columns.p1, columns.p2
    heap = [-rev for rev in wanted if rev >= low]
    below = {rev for rev in wanted if rev < low}
    heapq.heapify(heap)
    found: list[int] = []
    last = -1
    while heap:
        rev = -heapq.heappop(heap)
        if rev == last or columnsmod.has(theirs, rev):
            continue
        if len(found) == _FEW:
            return None
        last = rev
        found.append(rev)
        for parent in (p1[rev], p2[rev]):
            if parent >= low:
                heapq.heappush(heap, -parent)
            elif parent >= 0:
                below.add(parent)
            elif parent < -1:
                raise columnsmod.Disordered(rev + 1)
    found.reverse()
    return found, below


def _without(every: list[int], theirs: list[int], low: int) -> list[int]:
    """Those of ``every`` that are not in ``theirs``; both ascend, from ``low`` on."""
    if not theirs:
        return every
    found: list[int] = []
    at = their_at = 0
    end = theirs[-1] + 1
    # nearly all of what is known is an ancestor of both
    for stop in range(low + _COMPARED, end + _COMPARED, _COMPARED):
        stop = min(stop, end)
        start, their_start = at, their_at
        at = bisect.bisect_left(every, stop, at, min(at + _COMPARED, len(every)))
        their_at = bisect.bisect_left(
            theirs, stop, their_at, min(their_at + _COMPARED, len(theirs))
        )
        part, their_part = every[start:at], theirs[their_start:their_at]
        if part != their_part:
            found += filterfalse(set(their_part).__contains__, part)
    return found + every[at:]
