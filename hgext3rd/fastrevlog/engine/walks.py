# Walks over a history whose parents are in columns.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ancestors, block by block from the newest.

Within a block a list has a mark for each revision; what is to be visited below it
waits in a heap.  So the work is in proportion to what is walked over, whatever the
size of the index, and parts of it without an ancestor cost nothing.  Parts of blocks
are walked at first, so that a walk that ends soon has not done much in vain.

All raise `Disordered` when they come to a part of the index that is damaged, before
they have said anything of the revisions in it.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import compress

from . import columns as columnsmod

_SHIFT = columnsmod.SHIFT
_BLOCK = columnsmod.BLOCK
_WIDTH = 64  # revisions, of the first part of a block; then twice as many
# After so many steps, 1,500 revisions, the rest is left to the C index: it takes 15 ns
# a revision, this 130 and more, but cannot stop half way.
_STEPS = 6

# revisions that membership is found out for below the one that is asked about, at first
_FIRST_FALL = 1024

# marks: what is wanted, and what is not, which outweighs it
WANTED, KNOWN = 1, 2


class Walk:
    """The ancestors of ``wanted`` and of ``known``, which are revs of the index.

    Each rev is an ancestor of itself.  ``only_first`` follows first parents only; revs
    for which ``is_cut`` says so are not reached, nor what is reached through them only.
    """

    __slots__ = (
        '_columns',
        '_pending',
        '_heap',
        '_width',
        '_seconds',
        '_is_cut',
        'start',
        'stop',
    )

    def __init__(
        self,
        columns: columnsmod.Columns,
        wanted: Iterable[int],
        known: Iterable[int] = (),
        only_first: bool = False,
        is_cut: Callable[[int], bool] | None = None,
    ) -> None:
        self._columns = columns
        self._seconds = columns.p1 if only_first else columns.p2
        self._is_cut = is_cut
        self._pending = dict.fromkeys(wanted, WANTED)
        self._pending.update(dict.fromkeys(known, KNOWN))
        self._heap = [-rev for rev in self._pending]
        heapq.heapify(self._heap)
        self._width = _WIDTH
        # the range of revisions that was walked over last
        self.start = self.stop = len(columns)

    @property
    def top(self) -> int:
        """The next ancestor, or -1."""
        return -self._heap[0] if self._heap else -1

    def rest(self) -> tuple[list[int], list[int]]:
        """The revs, wanted and known, from which the walk would go on."""
        pending = self._pending
        wanted = [rev for rev, mark in pending.items() if mark == WANTED]
        return wanted, [rev for rev, mark in pending.items() if mark == KNOWN]

    def wants_more(self) -> bool:
        """Are there wanted revs still to come?"""
        return WANTED in self._pending.values()

    def step(self) -> list[int]:
        """The marks of the next ``range(start, stop)``; `top` must not be -1."""
        columns, pending, heap = self._columns, self._pending, self._heap
        top = -heap[0]
        start = max(top >> _SHIFT << _SHIFT, top + 1 - self._width)
        stop = top + 1
        if self._width < _BLOCK:
            self._width *= 2
        columns.order(start, stop)
        marks = [0] * (stop - start)
        while heap and heap[0] <= -start:
            rev = -heapq.heappop(heap)
            marks[rev - start] = pending.pop(rev)
        both = zip(
            range(stop - start - 1, -1, -1),
            reversed(columns.p1[start:stop]),
            reversed(self._seconds[start:stop]),
        )
        is_cut = self._is_cut
        for place, first, second in both:
            mark = marks[place]
            if mark:
                if is_cut is not None and is_cut(start + place):
                    marks[place] = 0
                    continue
                place = first - start
                if place >= 0:
                    if marks[place] < mark:
                        marks[place] = mark
                elif first >= 0 and pending.get(first, 0) < mark:
                    if first not in pending:
                        heapq.heappush(heap, -first)
                    pending[first] = mark
                if second >= 0:
                    place = second - start
                    if place >= 0:
                        if marks[place] < mark:
                            marks[place] = mark
                    elif pending.get(second, 0) < mark:
                        if second not in pending:
                            heapq.heappush(heap, -second)
                        pending[second] = mark
        self.start, self.stop = start, stop
        return marks


def descending(
    columns: columnsmod.Columns,
    revs: Iterable[int],
    low: int = 0,
    only_first: bool = False,
    is_cut: Callable[[int], bool] | None = None,
) -> Iterator[int]:
    """``revs``, which are in the index, and their ancestors from ``low`` on.

    In descending order.  For ``only_first`` and ``is_cut`` see `Walk`.
    """
    walk = Walk(columns, revs, (), only_first, is_cut)
    steps = 0
    while walk.top >= low:
        if steps == _STEPS and not only_first and is_cut is None:
            # it looks as if all were wanted
            for rev in reversed(columns.ancestors(walk.rest()[0])):
                if rev < low:
                    break
                yield rev
            return
        steps += 1
        marks = walk.step()
        marks.reverse()
        part = compress(range(walk.stop - 1, walk.start - 1, -1), marks)
        if walk.start >= low:
            yield from part
        else:
            yield from (rev for rev in part if rev >= low)


class Membership:
    """Is a rev one of ``revs`` or of their ancestors?  Found out down to that rev.

    By the C index, in bands, each twice as deep as the one above.  Raises `Disordered`.
    """

    __slots__ = ('_columns', '_rest', '_bands', '_fall', 'low')

    def __init__(self, columns: columnsmod.Columns, revs: Iterable[int]) -> None:
        self._columns = columns
        self._rest = set(revs)  # from which ancestors go on below
        self._bands: list[tuple[int, array[int]]] = []
        self._fall = _FIRST_FALL
        self.low = max(self._rest, default=-1) + 1  # all is known from here on

    def __contains__(self, rev: int) -> bool:
        if 0 <= rev < self.low:
            self._extend(rev)
        for low, found in self._bands:
            if rev >= low:
                return columnsmod.has(found, rev)
        return False

    def _extend(self, rev: int) -> None:
        low = max(0, rev - self._fall) >> _SHIFT << _SHIFT
        found, self._rest = self._columns.band(low, self.low).walk(self._rest)
        self._bands.append((low, array('i', found)))
        self._fall *= 2
        self.low = low


def ascending(
    columns: columnsmod.Columns,
    seen: set[int],
    start: int,
    hidden: Collection[int] = (),
    only_first: bool = False,
) -> Iterator[int]:
    """Those of ``seen`` and their descendants from ``start`` on, ascending.

    Descendants are added to ``seen``, until the rest is left to the C index.  Revs in
    ``hidden`` are passed over, and so is what descends from them alone.  ``only_first``
    follows first parents only.
    """
    count = len(columns)
    see = seen.add
    width = _WIDTH
    steps = 0
    while start < count:
        if steps == _STEPS and not only_first and not hidden:
            yield from columns.descendants(seen, start)
            return
        steps += 1
        stop = min((start >> _SHIFT << _SHIFT) + _BLOCK, start + width, count)
        if width < _BLOCK:
            width *= 2
        columns.order(start, stop)
        first_parents = columns.p1[start:stop]
        second_parents = first_parents if only_first else columns.p2[start:stop]
        for rev, first, second in zip(
            range(start, stop), first_parents, second_parents
        ):
            if first in seen or second in seen:
                if hidden and rev in hidden:
                    continue
                see(rev)
                yield rev
            elif rev in seen and not (hidden and rev in hidden):
                yield rev
        start = stop
