# Ancestors of revisions, one after the other and by membership.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``ancestor.lazyancestors`` by marks in an array.

Mercurial keeps a heap of what to visit and a set of what it has seen; here one byte
for each revision says both.  It is as lazy: a block of revisions is looked at when
the walk gets there.

Whether one revision is an ancestor is first asked of the C index, which walks from the
top each time; where much is asked, all ancestors are found out, down to that revision.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from mercurial import ancestor

from .. import unchanged
from ..engine import columns as columnsmod
from ..engine import walks
from . import parents

# The first ancestors come from Mercurial's own walk, which costs 1 microsecond each;
# to begin with another costs 200 at once, which these make up for.
_FIRST = 400
# So near to the start, questions of membership are answered by Mercurial's own walk.
_NEAR = 24
# To find out all takes so many times as long as to ask about one.
_C_WALKS = 3
_C_ERRORS = (ValueError, IndexError, OverflowError, TypeError)
# methods of Mercurial's lazy ancestors for which there are others here
LEFT_OUT = ('__iter__', '__contains__')
_HOMES = ('mercurial.ancestor',)


class LazyAncestors(ancestor.lazyancestors):  # type: ignore[misc]
    """Mercurial's, of a revlog that has columns."""

    # for questions of membership: where to start from, the C index's work so far in
    # revisions, and what was found out
    _seeds: list[int] | None = None
    _spent = 0
    _members: walks.Membership | None = None

    def __iter__(self) -> Iterator[int]:
        theirs = super().__iter__()
        last = -1
        for last in itertools.islice(theirs, _FIRST):
            yield last
        seeds = self._find_seeds()
        columns = self._columns()
        if not seeds or columns is None:
            yield from theirs
            return
        ours = walks.descending(columns, seeds, max(self._stoprev, 0))
        try:
            yield from itertools.dropwhile(lambda rev: rev >= last, ours)
            return
        except columnsmod.Disordered as exc:
            last = min(last, exc.stop)
        yield from itertools.dropwhile(lambda rev: rev >= last, theirs)

    def _columns(self) -> columnsmod.Columns | None:
        rl = self._parentrevs.__self__
        columns: columnsmod.Columns | None = rl.index.columns(
            rl.feature_config.canonical_parent_order
        )
        return columns

    def _find_seeds(self) -> list[int]:
        """The revs where the walk starts; none if it is not for us."""
        revs = self._initrevs
        count = len(self._parentrevs.__self__.index)
        if (
            not revs
            or min(revs) < 0
            or max(revs) >= count
            # Mercurial says twice what it was given twice
            or len(set(revs)) < len(revs)
        ):
            return []
        if not self._inclusive:
            both = itertools.chain.from_iterable(map(self._parentrevs, revs))
            revs = [rev for rev in both if rev >= 0]
            if revs and max(revs) >= count:
                return []
        return revs

    def __contains__(self, target: Any) -> bool:
        if self._seeds is None:
            self._seeds = self._find_seeds()
        seeds = self._seeds
        if not seeds or type(target) is not int:
            return super().__contains__(target)
        top = max(seeds)
        if target > top or target < 0 or target < self._stoprev:
            return False
        columns = None
        if self._members is None:
            distance = top - target
            if distance < _NEAR:
                return super().__contains__(target)
            if self._spent >= _C_WALKS * distance:
                columns = self._columns()
                if columns is None:
                    return super().__contains__(target)
        try:
            if self._members is None:
                if columns is None:
                    self._spent += distance
                    index = self._parentrevs.__self__.index
                    return bool(index.reachableroots2(target, seeds, [target], False))
                self._members = walks.Membership(columns, seeds)
            return target in self._members
        except (*_C_ERRORS, columnsmod.Disordered):
            # damaged
            self._seeds = []
        return super().__contains__(target)


def make_ancestors(place: Any) -> Any:
    """For ``revlog.ancestors``."""
    orig = place.stock
    stock_class = ancestor.lazyancestors

    def ancestors(self: Any, *args: Any, **kw: Any) -> Any:
        found = orig(self, *args, **kw)
        if (
            type(found) is stock_class
            and parents.is_direct(found._parentrevs)
            and unchanged.methods_are_of(stock_class, _HOMES, LEFT_OUT)
        ):
            found.__class__ = LazyAncestors
        return found

    return ancestors
