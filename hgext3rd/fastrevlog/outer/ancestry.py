# Parents of revisions, for walks over the whole history.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mercurial's walks in Python (``missingancestors``, ``dagop``) ask for the parents
of one revision after the other, millions of times in a large repository, and each
answer costs a whole index entry.  After some hundred questions the parents of all
revisions are put into a dictionary, once, and are answered from there.

Revisions that are added later are not in it and are asked for as before; a strip
throws it away (:class:`.engine.index.IndexProxy`).

``findmissingrevs``, on which ``only()``, ``{latesttag}`` and everything outgoing
rest, marks revisions in an array instead of moving them between three sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..engine import index as indexmod

# making the table costs about as much as this part of its answers saves
_TABLE_AFTER = 4  # questions per revision, as a divisor: len(index) // 4


def make_parentrevs(orig: Any) -> Any:
    """Wrap ``revlog.parentrevs``."""
    proxy_class = indexmod.IndexProxy

    def parentrevs(self: Any, rev: int) -> tuple[int, int]:
        index = self.index
        if isinstance(index, proxy_class):
            parents = index.parents
            if parents is not None:
                found = parents.get(rev)
                if found is not None:
                    return found
            else:
                index.asked += 1
                if index.asked > 512 and index.asked > len(index) // _TABLE_AFTER:
                    index.tabulate(self.feature_config.canonical_parent_order)
        return orig(self, rev)

    return parentrevs


def make_findmissingrevs(orig: Any, stock_class: type) -> Any:
    """Wrap ``revlog.findmissingrevs``; ``stock_class`` is Mercurial's revlog."""
    proxy_class = indexmod.IndexProxy
    incremental = stock_class.incrementalmissingrevs  # type: ignore[attr-defined]

    def findmissingrevs(self: Any, common: Any = None, heads: Any = None) -> list[int]:
        if (
            common is not None
            and heads is not None
            and isinstance(self.index, proxy_class)
            and type(self).incrementalmissingrevs is incremental
        ):
            common, heads = set(common), set(heads)
            known = common | heads
            # null, unknown, filtered: Mercurial's own way, and its own words
            if (
                known
                and min(known) >= 0
                and max(known) < len(self.index)
                and known.isdisjoint(getattr(self, 'filteredrevs', ()))
            ):
                table = self.index.parents
                return missing_revs(
                    self._uncheckedparentrevs, common, heads, table or {}
                )
        return orig(self, common, heads)

    return findmissingrevs


def missing_revs(
    parents_of: Callable[[int], tuple[int, int]],
    common: Iterable[int],
    heads: Iterable[int],
    table: dict[int, tuple[int, int]],
) -> list[int]:
    """Revs that are ancestors of ``heads`` and not of ``common``, ascending.

    A rev is an ancestor of itself.  ``parents_of`` gives the two parent revs, -1
    for none, of what is not in ``table``.  No rev in ``common`` and ``heads`` is
    negative.
    """
    top = max([-1, *common, *heads])
    wanted, known = 1, 2
    look_up = table.get
    marks = bytearray(top + 2)
    marks[-1] = known  # where the null revision, too, finds its mark
    for rev in heads:
        marks[rev] = wanted
    for rev in common:
        marks[rev] = known
    pending = marks.count(wanted)
    missing = []
    rev = top + 1
    while pending:
        rev -= 1
        mark = marks[rev]
        if mark == wanted:
            missing.append(rev)
            pending -= 1
            for parent in look_up(rev) or parents_of(rev):
                if not marks[parent]:
                    marks[parent] = wanted
                    pending += 1
        elif mark:
            for parent in look_up(rev) or parents_of(rev):
                if marks[parent] == wanted:
                    pending -= 1
                marks[parent] = known
    missing.reverse()
    return missing
