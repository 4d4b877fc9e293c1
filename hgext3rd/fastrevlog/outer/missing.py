# Ancestors of some revisions that are not ancestors of others.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``findmissingrevs`` and ``findmissing`` by marks and by the C index.

``only()``, ``{latesttag}`` and everything outgoing rest on them.  Where Mercurial moves
revisions between three sets, a mark says here what each is an ancestor of, and where
there is much the C index is asked (:mod:`..engine.missing`).

Mercurial's ``incrementalmissingancestors`` stays: what discovery asks of it next
depends on which revisions its walks have come by.
"""

from __future__ import annotations

from typing import Any

from .. import unchanged
from ..engine import columns as columnsmod
from ..engine import missing
from . import parents

# To begin with costs 100 microseconds, Mercurial's own walk 1 for each revision.
_NEAR = 150
# what Mercurial's functions do their work with
LEFT_OUT = ('incrementalmissingrevs', 'rev', 'node')
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
    """What there is missing, or None where Mercurial has to find out.

    A rev that is null, unknown or filtered is among those given or met, or the index
    is damaged; there is not much to find out; or other code has a say in it.
    """
    known = common | heads
    if not known or min(known) < 0 or max(known) >= len(rl.index):
        return None
    if common and max(known) - min(known) < _NEAR:
        return None
    if not unchanged.everywhere_of(rl, _HOMES, LEFT_OUT):
        return None
    columns = parents.columns_of(rl)
    if columns is None:
        return None
    try:
        return missing.missing(
            columns, common, heads, frozenset(getattr(rl, 'filteredrevs', ()))
        )
    except columnsmod.Disordered:
        return None
