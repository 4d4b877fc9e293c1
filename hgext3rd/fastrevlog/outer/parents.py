# The parents of revisions, for Mercurial's walks and for ours.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``revlog.parentrevs`` answered from the index's bytes, and who may use columns.

Mercurial's walks in Python (``ancestor``, ``dagop``) ask for the parents of one
revision after the other, millions of times in a large repository, and each answer
costs a whole index entry: 285 ns, where two numbers out of the bytes that the index
was parsed from take 180 ns (CPython 3.11).

Our own walks (:mod:`.ancestors`, :mod:`.missing`, :mod:`.predicates`) use columns of an
index (:mod:`..engine.columns`), where nothing but this module and Mercurial answers
for parents.
"""

from __future__ import annotations

from typing import Any

from .. import unchanged
from ..engine import columns as columnsmod
from ..engine import format
from ..engine import index as indexmod

# the parents within an entry of 2 ** SHIFT bytes
unpack = format.PARENTS.unpack_from
OFFSET = format.PARENTS_OFFSET
SHIFT = format.ENTRY_SHIFT
# whose answers are those of the index, if they are Mercurial's own
LEFT_OUT = ('parentrevs', '_uncheckedparentrevs')
_HOMES = ('mercurial.revlog', 'mercurial.repoview')
# an attribute of a revlog, and of Mercurial's class for those that have none
SOURCE = '_fastrevlog_source'
_READ = '_fastrevlog_index_data'  # an attribute of a revlog while it is opened


def make_parentrevs(place: Any) -> Any:
    """For ``revlog.parentrevs``."""
    orig = place.stock

    def parentrevs(self: Any, rev: int) -> tuple[int, int]:
        source = self._fastrevlog_source
        try:
            if 0 <= rev < source.count:
                pair: tuple[int, int] = unpack(source.data, (rev << SHIFT) + OFFSET)
                # a null first parent may have to change its place
                if pair[0] >= 0:
                    return pair
            entry = self.index[rev]
        except (IndexError, TypeError):
            # unknown, the working directory, no number: for Mercurial to say
            return orig(self, rev)
        p1 = entry[5]
        if p1 < 0 and self.feature_config.canonical_parent_order:
            return orig(self, rev)
        return p1, entry[6]

    return parentrevs


def make_source(place: Any) -> Any:
    """For the attribute of Mercurial's class."""
    return indexmod.NO_SOURCE


def make_get_data(place: Any) -> Any:
    """For ``revlog._get_data``: what was read is kept for `give_source`."""
    orig = place.stock

    def _get_data(self: Any, *args: Any, **kw: Any) -> Any:
        data = self.__dict__[_READ] = orig(self, *args, **kw)
        return data

    return _get_data


def give_source(rl: Any) -> None:
    """Let ``rl`` and its index, just made, know the bytes that it was parsed from.

    Not those of a file log: they come by the thousand, and are asked for little.
    """
    data = rl.__dict__.pop(_READ, None)
    rl.__dict__.pop(SOURCE, None)
    if data is not None and not rl._inline and rl.target[0] != format.KIND_FILELOG:
        index = rl.index
        if len(data) == len(index) * format.ENTRY_SIZE:
            source = indexmod.Source(data, len(index))
            index.source = rl.__dict__[SOURCE] = source


def forget_source(rl: Any) -> None:
    """The same where the index is not ours."""
    rl.__dict__.pop(_READ, None)
    rl.__dict__.pop(SOURCE, None)


def is_plain(rl: Any) -> bool:
    """Do the methods of ``rl`` say of parents what the index does, and no more?

    A filtered changelog's refuse what is filtered; see its ``filteredrevs``.
    """
    return isinstance(rl.index, indexmod.IndexProxy) and unchanged.everywhere_of(
        rl, _HOMES, LEFT_OUT
    )


def is_direct(method: Any) -> bool:
    """Is this the method ``_uncheckedparentrevs``, ours, of a revlog that we serve?"""
    rl = getattr(method, '__self__', None)
    return (
        rl is not None
        and unchanged.home(method.__func__) == _HOMES[0]
        and isinstance(rl.index, indexmod.IndexProxy)
    )


def columns_of(rl: Any) -> columnsmod.Columns | None:
    """The columns of a revlog whose parents nobody else answers for, or None."""
    if is_plain(rl):
        columns: columnsmod.Columns | None = rl.index.columns(
            rl.feature_config.canonical_parent_order
        )
        return columns
    return None
