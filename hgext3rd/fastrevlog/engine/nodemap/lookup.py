# Answers about nodes: the tree on disk, and what is newer than it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The same answers as Mercurial's C index gives, which knows the null node as well.

Revisions newer than the tree are kept in a dictionary and a sorted list, the
*overlay*.  It catches up with the index at each look-up.

What a tree says is checked as far as the index can tell (:mod:`.tree`).  That a node
is *not* in the tree can only be taken on trust, or looked for in the whole index: where
that takes about a millisecond at most, it is done.
"""

from __future__ import annotations

import bisect
from typing import Any

from .. import errors, format
from . import docket as docketmod
from . import tree as treemod

Misfit = docketmod.Misfit
AMBIGUOUS = treemod.AMBIGUOUS
NULL_NODE = format.NULL_NODE
DIGITS = treemod.DIGITS

# An unknown node is looked for in the whole index up to this many revisions, which
# takes the C index 4 ns for each; an unknown prefix makes it build its tree, 26 ns.
CONFIRM_BELOW = 200_000
CONFIRM_PREFIX_BELOW = 100_000


class AskedOften(Exception):
    """From now on the C tree is cheaper."""


class Lookup:
    """Finds revisions of ``cindex`` by node, in ``tree`` and what is newer.

    After ``limit`` look-ups they raise :class:`AskedOften`.  All methods raise
    ``Misfit`` and ``OSError`` as well.
    """

    __slots__ = ('tree', 'limit', '_cindex', '_tip', '_seen', '_newer', '_sorted')

    def __init__(
        self,
        tree: treemod.NodeTree,
        docket: docketmod.Docket,
        cindex: Any,
        limit: int,
    ) -> None:
        self.tree = tree
        self.limit = limit
        self._cindex = cindex
        self._tip = docket.tip_rev
        self.forget_newer()

    def forget_newer(self) -> None:
        """Revisions newer than the tree may not be what they were."""
        self._seen = self._tip + 1
        self._newer: dict[bytes, int] = {}
        self._sorted: list[bytes] | None = None

    def _catch_up(self) -> dict[bytes, int]:
        cindex = self._cindex
        length = len(cindex)
        newer = self._newer
        if length != self._seen:
            for rev in range(self._seen, length):
                newer[cindex[rev][7]] = rev
            self._seen = length
            self._sorted = None
        self.limit -= 1
        if self.limit < 0:
            raise AskedOften
        return newer

    def get_rev(self, node: bytes) -> int | None:
        """The revision of ``node`` (20 bytes), -1 for the null node, or None."""
        newer = self._catch_up()
        if newer:
            rev = newer.get(node)
            if rev is not None:
                return rev
        rev = self.tree.find(node)
        if rev is None:
            if node == NULL_NODE:
                return -1
            self._confirm_absence(node)
        return rev

    def _confirm_absence(self, node: bytes) -> None:
        if self._seen <= CONFIRM_BELOW and self._cindex.get_rev(node) is not None:
            raise Misfit('data: revision missing')

    def _neighbours(self, node: bytes) -> list[bytes]:
        """The newer nodes next to ``node``, which need not be one itself."""
        if not self._newer:
            return []
        nodes = self._sorted
        if nodes is None:
            nodes = self._sorted = sorted(self._newer)
        place = bisect.bisect_left(nodes, node)
        return [near for near in nodes[max(place - 1, 0) : place + 2] if near != node]

    def partial(self, prefix: bytes, digits: int) -> bytes | None:
        """The node that begins with ``digits`` digits of ``prefix``, or None.

        ``prefix`` is filled up with zeros to 20 bytes.  Raises ``KeyError`` if there
        is more than one.
        """
        newer = self._catch_up()
        matches = set()
        if newer:
            if prefix in newer:
                matches.add(prefix)
            for near in self._neighbours(prefix):
                if treemod.common(near, prefix) >= digits:
                    matches.add(near)
        if prefix == NULL_NODE:
            matches.add(NULL_NODE)
        rev = self.tree.partial(prefix, digits)
        if rev == AMBIGUOUS:
            raise KeyError(prefix)
        if rev is not None:
            matches.add(self._cindex[rev][7])
        if len(matches) > 1:
            raise KeyError(prefix)
        if matches:
            return matches.pop()
        if self._seen <= CONFIRM_PREFIX_BELOW:
            try:
                found = self._cindex.partialmatch(prefix.hex().encode()[:digits])
            except errors.RevlogError:
                found = prefix  # there is more than one
            if found is not None:
                raise Misfit('data: revision missing')
        return None

    def shortest(self, node: bytes) -> int | None:
        """How many digits tell ``node`` from all others, or None if it is unknown."""
        newer = self._catch_up()
        rev, shared = self.tree.shared(node)
        if rev is None and node not in newer and node != NULL_NODE:
            self._confirm_absence(node)
            return None
        for near in self._neighbours(node):
            shared = max(shared, treemod.common(near, node))
        if node != NULL_NODE:
            shared = max(shared, treemod.common(node, NULL_NODE))
        return max(shared + 1, 1)
