# Ancestors and descendants as revsets ask for them.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``dagop``, or ``utils.dag_util``, walks for ``::x``, ``x::`` and the like.

Without limits of generations: those of so few generations that they are worth naming
are not worth a short way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from mercurial import dagop, smartset

from .. import unchanged
from ..compat.detect import arguments_of
from ..engine import columns as columnsmod
from ..engine import walks
from . import parents

# The first ancestors come from Mercurial's own walk, which costs 1 microsecond each;
# to begin with another costs 200 at once, which these make up for.
_FIRST = 400
# where the functions come from that cut by phase
_PURE = ('mercurial.revset', 'mercurial.revset_predicates')
_SPANS = (smartset._spanset, smartset.fullreposet)
_MAX_DEPTH = 0x80000000
_ARGUMENTS = {
    '_genrevancestors': 'repo revs followfirst startdepth stopdepth cutfunc',
    '_genrevdescendants': 'repo revs followfirst',
}


def make_revancestors(place: Any) -> Any:
    """For ``_genrevancestors``, the generator behind ``dagop.revancestors``."""
    orig = place.stock
    if arguments_of(orig) != _ARGUMENTS[place.name]:
        return None

    def _genrevancestors(
        repo: Any,
        revs: Any,
        followfirst: bool,
        startdepth: int | None,
        stopdepth: int | None,
        cutfunc: Any,
    ) -> Iterator[int]:
        theirs = orig(repo, revs, followfirst, startdepth, stopdepth, cutfunc)
        if (
            startdepth
            # it is asked once for each revision, and not for each way to it
            or (cutfunc is not None and unchanged.home(cutfunc) not in _PURE)
            or (stopdepth is not None and stopdepth < _MAX_DEPTH)
            # others may be made as they are read: not sooner than needed
            or type(revs) is not smartset.baseset
        ):
            return theirs
        return _ancestors(repo.changelog, revs, theirs, followfirst, cutfunc)

    return _genrevancestors


def _ancestors(
    cl: Any, revs: Any, theirs: Iterator[int], only_first: bool, is_cut: Any
) -> Iterator[int]:
    """What ``theirs`` yields: ``revs`` and their ancestors, descending."""
    last = -1
    for last in itertools.islice(theirs, _FIRST):
        yield last
    columns = parents.columns_of(cl)
    filtered = cl.filteredrevs
    if (
        columns is None
        or last < 0
        or last in filtered
        or revs.min() < 0
        or revs.max() >= len(columns)
    ):
        yield from theirs
        return
    ours = itertools.dropwhile(
        lambda rev: rev >= last,
        walks.descending(columns, list(revs), 0, only_first, is_cut),
    )
    try:
        if not filtered:
            yield from ours
            return
        for rev in ours:
            if rev in filtered:
                # for Mercurial to say
                break
            yield rev
            last = rev
        else:
            return
    except columnsmod.Disordered as exc:
        last = min(last, exc.stop)
    yield from itertools.dropwhile(lambda rev: rev >= last, theirs)


def make_revdescendants(place: Any) -> Any:
    """For ``_genrevdescendants``, the generator behind ``dagop.revdescendants``."""
    orig = place.stock
    if arguments_of(orig) != _ARGUMENTS[place.name]:
        return None

    def _genrevdescendants(repo: Any, revs: Any, followfirst: bool) -> Iterator[int]:
        if type(revs) in _SPANS:
            # these are all in it: there is not much to find out
            return orig(repo, revs, followfirst)
        return descendants(repo, revs, followfirst)

    def descendants(repo: Any, revs: Any, followfirst: bool) -> Iterator[int]:
        cl = repo.changelog
        first = revs.min()
        count = len(cl)
        if first < 0 or first + _FIRST > count:
            yield from orig(repo, revs, followfirst)
            return
        filtered = cl.filteredrevs
        seen = set(revs)
        if len(seen) * 4 > count - first:
            # nearly all are given: there is not much to find out
            yield from orig(repo, revs, followfirst)
            return
        # a few in Mercurial's way
        start = first + _FIRST // 4
        parentrevs = cl.parentrevs
        for rev in range(first, start):
            if rev in filtered:
                continue
            if rev in seen:
                yield rev
                continue
            both = parentrevs(rev)
            if both[0] in seen or (not followfirst and both[1] in seen):
                seen.add(rev)
                yield rev
        last = start - 1
        columns = parents.columns_of(cl)
        if columns is not None:
            try:
                for rev in walks.ascending(columns, seen, start, filtered, followfirst):
                    yield rev
                    last = rev
                return
            except columnsmod.Disordered:
                pass
        theirs = orig(repo, revs, followfirst)
        yield from itertools.dropwhile(lambda rev: rev <= last, theirs)

    return _genrevdescendants


def make_headrevs(place: Any) -> Any:
    """For ``revlog.headrevs``: the heads of some revisions among themselves."""
    orig = place.stock

    def headrevs(self: Any, revs: Any = None, stop_rev: Any = None) -> Any:
        if (
            revs is None
            or stop_rev is not None
            or not parents.is_plain(self)
            or not unchanged.is_of('mercurial.dagop', dagop.headrevs)
        ):
            return orig(self, revs, stop_rev)
        found = None
        if type(revs) in _SPANS and not revs._hiddenrevs:
            found = _heads_of_span(self, revs)
        elif type(revs) in _SPANS or type(revs) in (smartset.baseset, set):
            found = _heads_of_set(self, revs)
        return orig(self, revs) if found is None else found

    return headrevs


def _heads_of_span(rl: Any, span: Any) -> set[int] | None:
    """The heads of a range of revisions, found by the C index."""
    start, stop = span._start, span._end
    index = rl.index
    if not 0 <= start < stop <= len(index):
        return None
    try:
        heads = index.headrevs(None, stop)
    except (TypeError, ValueError):
        # damaged
        return None
    return {rev for rev in heads if rev >= start}


def _heads_of_set(rl: Any, revs: Any) -> set[int] | None:
    """The heads of a set of revisions, if there are many."""
    heads = set(revs)
    if len(heads) < _FIRST or min(heads) < 0:
        return None
    columns = parents.columns_of(rl)
    if columns is None or max(heads) >= len(columns):
        return None
    columns.fill_all()
    others = set(map(columns.p1.__getitem__, heads))
    others.update(map(columns.p2.__getitem__, heads))
    heads -= others
    return heads
