# The index that Mercurial sees where a node map is kept on disk.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The proxied index, with look-ups by the tree on disk.

Where there is no map, where it does not fit, where the index is small, or where so
much was asked that the tree in memory of the C index is cheaper, the methods of the C
index take the place of those here, on the object: they then cost what they cost
without us.  :attr:`MappedIndexProxy.why_not` tells the reason.
"""

from __future__ import annotations

import binascii
from typing import Any

from .. import counters, errors, format
from .. import index as indexmod
from . import docket as docketmod
from . import lookup as lookupmod
from . import tree as treemod

_LOOKUPS = ('get_rev', 'rev', 'has_node', 'partialmatch', 'shortest')
ASKED_OFTEN = 'C tree: asked often'
SMALL = 'C tree: the index is small'

# An index with fewer revisions is looked up by the C index. First look-up, in a fresh
# process: 0.2 ms by a map; by C for a prefix 0.35 ms at 10,000 revisions and 1 ms at
# 30,000, for a node 0.04 and 0.08 ms.
SMALL_INDEX = 20_000
# Look-ups by a map, for each 1,000 revisions, before the C tree is built. A look-up
# takes 4.5, 6.4 and 7.5 us at 100,000, a million and five million revisions, building
# the C tree 10, 165 and 1,090 ms: an eighth of that is spent at most in vain.
LOOKUPS_PER_1000 = 3
# Revisions that a map may lack, as a part of all: taking them in costs 0.3 us each.
MAX_BEHIND = 1 / 16


class MappedIndexProxy(indexmod.IndexProxy):
    """Looks up nodes of the C index ``cindex`` in a node map, as long as that pays."""

    # why the C index looks up nodes; None while the map does
    why_not: str | None = None
    docket: docketmod.Docket | None = None
    small_index = SMALL_INDEX
    max_behind = MAX_BEHIND

    def __init__(self, cindex: Any) -> None:
        super().__init__(cindex)
        self._reader: Any = None
        self._lookup: Any = None
        self._use_c('no map')

    def attach(self, docket: docketmod.Docket, reader: Any) -> None:
        """Use the map that ``docket`` and ``reader`` (of its data) make up.

        Raises ``Misfit`` and ``OSError``.  The reader is this object's from then on.
        """
        cindex = self.cindex
        docketmod.check(docket, cindex, reader.size())
        self.docket = docket
        self._reader = reader
        length = len(cindex)
        if self.why_not == ASKED_OFTEN:
            return  # the C tree is there by now
        if length < self.small_index:
            self._use_c(SMALL)
        elif length - 1 - docket.tip_rev > length * self.max_behind:
            self._use_c('C tree: the map is far behind')
        else:
            limit = length * LOOKUPS_PER_1000 // 1000
            tree = self._tree(docket)
            self._lookup = lookupmod.Lookup(tree, docket, cindex, limit)
            self.why_not = None
            for name in _LOOKUPS:
                self.__dict__.pop(name, None)
            _set_contains(type(self), _by_map)

    def detach(self, why: str) -> None:
        """There is no map that fits, for the reason ``why``."""
        self.docket = self._reader = None
        self._use_c(why)

    def _tree(self, docket: docketmod.Docket) -> treemod.NodeTree:
        return treemod.NodeTree(self._reader.pread, docket, self.cindex)

    def _use_c(self, why: str) -> None:
        self.why_not = why
        self._lookup = None
        attributes = self.__dict__
        cindex = self.cindex
        for name in _LOOKUPS:
            attributes[name] = getattr(cindex, name)
        cls = type(self)
        if cls is not MappedIndexProxy:
            _set_contains(cls, cindex.__contains__)

    def _leave(self, exc: Exception) -> None:
        """After ``exc``, whatever it is, go on with the C index."""
        if isinstance(exc, lookupmod.AskedOften):
            self._use_c(ASKED_OFTEN)
            return
        if isinstance(exc, docketmod.Misfit):
            reason = exc.reason
        else:
            reason = 'data: %s' % type(exc).__name__
        if isinstance(exc, (docketmod.Misfit, OSError, MemoryError)):
            count(reason)
        else:
            # trouble of ours
            counters.counters.internal_error(
                'node map: %s: %s' % (type(exc).__name__, exc)
            )
        self.detach(reason)

    # what Mercurial asks

    def get_rev(self, node: Any) -> int | None:
        """The revision of ``node``, or None."""
        if type(node) is bytes and len(node) == format.NODE_SIZE:
            try:
                answer: int | None = self._lookup.get_rev(node)
                return answer
            except Exception as exc:
                self._leave(exc)
        rev: int | None = self.cindex.get_rev(node)
        return rev

    def rev(self, node: Any) -> int:
        """The revision of ``node``; raises ``RevlogError`` if it is unknown."""
        rev = self.get_rev(node)
        if rev is None:
            raise _no_answer()
        return rev

    def has_node(self, node: Any) -> bool:
        """Is there a revision with this node (or, as in C, number)?"""
        if type(node) is bytes:
            return self.get_rev(node) is not None
        known: bool = self.cindex.has_node(node)
        return known

    def partialmatch(self, prefix: Any) -> bytes | None:
        """The node that begins with the hexadecimal ``prefix``, or None.

        Raises ``RevlogError`` if there is more than one.
        """
        cindex = self.cindex
        if type(prefix) is bytes and 0 < len(prefix) <= 2 * format.NODE_SIZE:
            try:
                filled = binascii.unhexlify(prefix.ljust(2 * format.NODE_SIZE, b'0'))
                answer: bytes | None = self._lookup.partial(filled, len(prefix))
                return answer
            except KeyError:
                raise _no_answer() from None
            except binascii.Error:
                return None
            except Exception as exc:
                self._leave(exc)
        node: bytes | None = cindex.partialmatch(prefix)
        return node

    def shortest(self, node: Any) -> int:
        """How many hexadecimal digits tell ``node`` from all others.

        Raises ``RevlogError`` if it is unknown.
        """
        if type(node) is bytes and len(node) == format.NODE_SIZE:
            try:
                digits: int | None = self._lookup.shortest(node)
            except Exception as exc:
                self._leave(exc)
            else:
                if digits is None:
                    raise _no_answer()
                return digits
        known: int = self.cindex.shortest(node)
        return known

    def __contains__(self, item: Any) -> bool:
        if type(item) is int:
            return -1 <= item < len(self.cindex)
        return self.has_node(item)

    def __delitem__(self, revs: Any) -> None:
        super().__delitem__(revs)
        if self.docket is not None:
            if len(self.cindex) <= self.docket.tip_rev:
                self.detach('index: stripped')
            elif self._lookup is not None:
                self._lookup.forget_newer()

    # what Mercurial asks for when it writes a map

    def nodemap_data_incremental(self) -> tuple[docketmod.Docket, int, bytes]:
        """``(docket, replaced, data)``: what to append to the map of ``docket``.

        ``replaced`` is in bytes.  A docket that equals no other says that the whole
        map has to be written.
        """
        docket = self.docket
        if docket is not None:
            from . import persist

            try:
                tree = self._tree(docket)
                replaced, data = persist.increment(tree, docket, self.cindex)
                return docket, replaced, data
            except Exception as exc:
                self._leave(exc)
        return docketmod.NO_DOCKET, 0, b''

    # the state, for hg debug::fastrevlog

    @property
    def behind(self) -> int:
        """How many revisions the map lacks."""
        if self.docket is None:
            return len(self.cindex)
        return len(self.cindex) - 1 - self.docket.tip_rev


# the special method as it stands in the class, for classes of one object
_by_map = MappedIndexProxy.__contains__


def _set_contains(cls: Any, function: Any) -> None:
    cls.__contains__ = function


def _no_answer() -> errors.RevlogError:
    """Unknown, or ambiguous; as with the C index, callers look at the class alone."""
    return errors.RevlogError(b'RevlogError')


def count(reason: str) -> None:
    """Count a map that did not fit."""
    reasons = counters.counters.nodemaps
    reasons[reason] = reasons.get(reason, 0) + 1
