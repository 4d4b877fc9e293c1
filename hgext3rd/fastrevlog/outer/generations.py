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

from mercurial import smartset

from ..compat.detect import arguments_of
from ..engine import columns as columnsmod
from ..engine import walks
from . import parents

# The first ancestors come from Mercurial's own walk, which costs 1 microsecond each;
# to begin with another costs 100 at once, which these make up for.
_FIRST = 200
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
            followfirst
            or startdepth
            or cutfunc is not None
            or (stopdepth is not None and stopdepth < _MAX_DEPTH)
            # others may be made as they are read: not sooner than needed
            or type(revs) is not smartset.baseset
        ):
            return theirs
        return _ancestors(repo.changelog, revs, theirs)

    return _genrevancestors


def _ancestors(cl: Any, revs: Any, theirs: Iterator[int]) -> Iterator[int]:
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
        lambda rev: rev >= last, walks.descending(columns, list(revs))
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
        cl = repo.changelog
        first = revs.min()
        columns = parents.columns_of(cl)
        if columns is None or first < 0 or first + _FIRST > len(columns):
            yield from orig(repo, revs, followfirst)
            return
        filtered = cl.filteredrevs
        last = -1
        if first not in filtered:
            yield first
            last = first
        known = len(columns)
        seen = {rev for rev in revs if rev < known}
        try:
            for rev in walks.ascending(columns, seen, filtered, followfirst):
                if rev > last:
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
    spans = (smartset._spanset, smartset.fullreposet)

    def headrevs(self: Any, revs: Any = None, stop_rev: Any = None) -> Any:
        if revs is None or stop_rev is not None or not parents.is_plain(self):
            return orig(self, revs, stop_rev)
        found = None
        if type(revs) in spans and not revs._hiddenrevs:
            found = _heads_of_span(self, revs)
        elif type(revs) in spans or type(revs) in (smartset.baseset, set):
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
