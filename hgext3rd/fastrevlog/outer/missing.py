# Ancestors of some revisions that are not ancestors of others.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``findmissingrevs`` and ``findmissing`` by marks in an array.

``only()``, ``{latesttag}`` and everything outgoing rest on them.  Where Mercurial moves
revisions between three sets, a mark says here what each is an ancestor of.

Mercurial's ``incrementalmissingancestors`` stays: what discovery asks of it next
depends on which revisions its walks have come by.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..engine import columns as columnsmod
from ..engine import walks
from . import parents

# To begin with costs 100 microseconds, Mercurial's own walk 1 for each revision.
_NEAR = 150
# what Mercurial's functions do their work with
_STEPS = ('incrementalmissingrevs', 'rev', 'node')
_HOMES = ('mercurial.revlog', 'mercurial.changelog', 'mercurial.repoview')


def make_findmissingrevs(place: Any) -> Any:
    """For ``revlog.findmissingrevs``."""
    orig = place.stock

    def findmissingrevs(self: Any, common: Any = None, heads: Any = None) -> list[int]:
        if common is not None and heads is not None:
            common, heads = set(common), set(heads)
            found = _short_way(self, common, heads)
            if found is not None:
                return found
        return orig(self, common, heads)

    return findmissingrevs


def make_findmissing(place: Any) -> Any:
    """For ``revlog.findmissing``, which takes and gives nodes."""
    orig = place.stock

    def findmissing(self: Any, common: Any = None, heads: Any = None) -> list[bytes]:
        if common is not None and heads is not None:
            common, heads = list(common), list(heads)
            rev, node = self.rev, self.node
            found = _short_way(self, set(map(rev, common)), set(map(rev, heads)))
            if found is not None:
                return [node(one) for one in found]
        return orig(self, common, heads)

    return findmissing


def _short_way(rl: Any, common: set[int], heads: set[int]) -> list[int] | None:
    """`missing_revs` of a revlog, or None."""
    if not parents.written_by(rl, _STEPS, _HOMES):
        return None
    columns = parents.columns_of(rl)
    if columns is None:
        return None
    return missing_revs(columns, common, heads, getattr(rl, 'filteredrevs', ()))


def missing_revs(
    columns: columnsmod.Columns,
    common: set[int],
    heads: set[int],
    filtered: Collection[int] = (),
) -> list[int] | None:
    """Revs that are ancestors of ``heads`` and not of ``common``, ascending.

    A rev is an ancestor of itself.  None where Mercurial has to find out: a rev that
    is null, unknown or filtered is among those given or met, the index is damaged, or
    there is not much to find out.
    """
    known = common | heads
    if not known or min(known) < 0 or max(known) >= len(columns):
        return None
    if common and max(known) - min(known) < _NEAR:
        return None
    try:
        return walks.missing(columns, common, heads, filtered)
    except columnsmod.Disordered:
        return None
