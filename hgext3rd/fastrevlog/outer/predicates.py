# Revset predicates about parents and children.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``roots()``, ``merge()``, ``parents()``, ``p1()``, ``p2()``, ``children()``.

Mercurial asks the changelog for both parents of one revision after the other.  What
these predicates want of them is in the columns of the index (:mod:`..engine.columns`).
What they return, and when it is computed, is as with Mercurial.  ``roots`` and
``merge`` look into the bytes of the index, since they may be asked for little.
"""

from __future__ import annotations

import functools
from typing import Any, Callable

from mercurial import error, revset, smartset

from ..engine import columns as columnsmod
from ..engine.format import NULL_REV
from . import parents

_SHIFT = columnsmod.SHIFT
unpack = parents.unpack
# not worth a short way: it begins with 50 microseconds, Mercurial takes 0.5 for each
_FEW = 200
_SPANS = (smartset._spanset, smartset.fullreposet)


def _let_table_call(place: Any) -> None:
    """Let Mercurial's table of predicates call what its module has under that name.

    The table holds functions; an extension's stays as it is.
    """
    name = place.name.encode()
    if revset.symbols.get(name) is place.stock:

        @functools.wraps(place.stock)
        def predicate(repo: Any, subset: Any, x: Any) -> Any:
            return getattr(place.holder, place.name)(repo, subset, x)

        revset.symbols[name] = predicate


def _members(revs: Any) -> Callable[[int], bool]:
    """Is a rev that is not null in this smartset?  As fast as can be asked."""
    if type(revs) in _SPANS and not revs._hiddenrevs:
        inside: Callable[[int], bool] = range(revs._start, revs._end).__contains__
        return inside
    contains: Callable[[int], bool] = revs.__contains__
    return contains


def make_roots(place: Any) -> Any:
    """For ``roots()``."""
    orig = place.stock
    _let_table_call(place)

    def roots(repo: Any, subset: Any, x: Any) -> Any:
        cl = repo.changelog
        source = cl._fastrevlog_source
        if not source.count or not parents.is_plain(cl):
            return orig(repo, subset, x)
        revs = revset.getset(repo, smartset.fullreposet(repo), x)
        is_root = _root_test(repo, cl, source, revs)
        return subset & revs.filter(is_root, condrepr=b'<roots>', cache=False)

    return roots


def _root_test(repo: Any, cl: Any, source: Any, revs: Any) -> Callable[[int], bool]:
    """Says of a rev in ``revs`` whether no parent of it is in ``revs``."""
    filtered = cl.filteredrevs
    contains = _members(revs)
    start, stop = _range_of(revs, cl)
    asked = 0
    p1 = p2 = None

    def is_root(rev: int) -> bool:
        nonlocal asked, p1, p2
        if start <= rev < stop:
            if p1 is not None and p2 is not None:
                return not (start <= p1[rev] < stop or start <= p2[rev] < stop)
            asked += 1
            if asked > _FEW:
                p1, p2 = _filled(cl, start, stop)
        if 0 <= rev < source.count and rev not in filtered:
            first, second = unpack(source.data, (rev << parents.SHIFT) + parents.OFFSET)
            if first >= 0 and contains(first):
                return False
            return second < 0 or not contains(second)
        try:
            return not any(p >= 0 and p in revs for p in cl.parentrevs(rev))
        except error.WdirUnsupported:
            return not any(p.rev() in revs for p in repo[None].parents())

    return is_root


def make_merge(place: Any) -> Any:
    """For ``merge()``."""
    orig = place.stock
    _let_table_call(place)

    def merge(repo: Any, subset: Any, x: Any) -> Any:
        cl = repo.changelog
        source = cl._fastrevlog_source
        if x is not None or not source.count or not parents.is_plain(cl):
            return orig(repo, subset, x)
        is_merge = _merge_test(repo, cl, source, subset)
        return subset.filter(is_merge, condrepr=b'<merge>', cache=False)

    return merge


def _merge_test(repo: Any, cl: Any, source: Any, subset: Any) -> Callable[[int], bool]:
    """Says of a rev whether it has a second parent."""
    filtered = cl.filteredrevs
    start, stop = _range_of(subset, cl)
    asked = 0
    p2 = None

    def is_merge(rev: int) -> bool:
        nonlocal asked, p2
        if start <= rev < stop:
            if p2 is not None:
                return p2[rev] != NULL_REV
            asked += 1
            if asked > _FEW:
                p2 = _filled(cl, start, stop)[1]
        if 0 <= rev < source.count and rev not in filtered:
            first, second = unpack(source.data, (rev << parents.SHIFT) + parents.OFFSET)
            # a null first parent changes its place
            if first >= 0:
                return second != NULL_REV
        try:
            second = cl.parentrevs(rev)[1]
        except error.WdirUnsupported:
            return bool(repo[rev].p2())
        return second != NULL_REV

    return is_merge


def _range_of(revs: Any, cl: Any) -> tuple[int, int]:
    """The range that ``revs`` is, if it is large enough for columns; or (0, 0)."""
    if type(revs) in _SPANS and not revs._hiddenrevs:
        start, stop = revs._start, revs._end
        if 0 <= start < stop - 8 * _FEW and stop <= len(cl.index):
            return start, stop
    return 0, 0


def _filled(cl: Any, start: int, stop: int) -> tuple[Any, Any]:
    """Both columns, made known from ``start`` to ``stop``; or two times None."""
    columns = parents.columns_of(cl)
    if columns is None or stop > len(columns):
        return None, None
    _fill(columns, start, stop)
    return columns.p1, columns.p2


def _fill(columns: columnsmod.Columns, start: int, stop: int) -> None:
    """Make the parents of ``range(start, stop)`` known."""
    for block in range(start >> _SHIFT, (stop - 1 >> _SHIFT) + 1):
        columns.fill(block)


def _found(cl: Any, revs: Any, which: slice) -> set[int] | None:
    """The parents of ``revs``; ``which`` of the two.

    None where Mercurial has to find out.
    """
    found: set[int] = set()
    if type(revs) in _SPANS and not revs._hiddenrevs:
        start, stop = revs._start, revs._end
        if stop - start >= _FEW:
            columns = parents.columns_of(cl)
            if columns is None or not 0 <= start < stop <= len(columns):
                return None
            _fill(columns, start, stop)
            both = [columns.p1, columns.p2]
            for column in both[which]:
                found.update(column[start:stop])
            return found
    parentrevs = cl.parentrevs
    try:
        for rev in revs:
            found.update(parentrevs(rev)[which])
    except error.WdirUnsupported:
        return None
    return found


def _make(place: Any, which: slice) -> Any:
    orig = place.stock
    _let_table_call(place)

    def predicate(repo: Any, subset: Any, x: Any) -> Any:
        if x is None:
            return orig(repo, subset, x)
        revs = revset.getset(repo, smartset.fullreposet(repo), x)
        found = _found(repo.changelog, revs, which)
        if found is None:
            return orig(repo, subset, x)
        found.discard(NULL_REV)
        return subset & found

    return predicate


def make_children(place: Any) -> Any:
    """For ``_children``, which ``children()`` is made of."""
    orig = place.stock

    def _children(repo: Any, subset: Any, parentset: Any) -> Any:
        cl = repo.changelog
        if type(subset) in _SPANS and not subset._hiddenrevs and parentset:
            lowest = parentset.min()
            start, stop = max(lowest + 1, subset._start), subset._end
            columns = None
            if lowest >= 0 and start + _FEW < stop:
                columns = parents.columns_of(cl)
            if columns is not None and stop <= len(columns):
                _fill(columns, start, stop)
                wanted = set(parentset)
                found = {
                    rev
                    for rev, first, second in zip(
                        range(start, stop),
                        columns.p1[start:stop],
                        columns.p2[start:stop],
                    )
                    if first in wanted or second in wanted
                }
                return smartset.baseset(found)
        return orig(repo, subset, parentset)

    return _children


def make_parents(place: Any) -> Any:
    """For ``parents()``."""
    return _make(place, slice(0, 2))


def make_p1(place: Any) -> Any:
    """For ``p1()``."""
    return _make(place, slice(0, 1))


def make_p2(place: Any) -> Any:
    """For ``p2()``."""
    return _make(place, slice(1, 2))
