# Look-up in the tree of a node map, by reading the blocks on the way.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree on disk: blocks of 16 slots, one for each hexadecimal digit of a node.

A block at depth ``d`` is reached by the first ``d`` digits of the nodes below it.  A
slot holds the number of another block, or a revision (the only one with these
digits), or nothing.  The root is the last block.  See ``docs/formats.md``.

Nothing that is read is taken on trust where the index can tell:

- a revision is compared with its node in the index;
- where a way ends without one, the block has to be where it claims to be: it leads to
  two revisions at least (the root may have fewer), and one of those below it has the
  digits that led there.

What does not add up raises :class:`.docket.Misfit`.  One thing cannot be seen: a slot
that says "nothing" where a revision was.  :class:`.lookup.Lookup` says what is done
about that.
"""

from __future__ import annotations

import struct
from typing import Any, Callable

from . import docket as docketmod

Misfit = docketmod.Misfit
BLOCK_SIZE = docketmod.BLOCK_SIZE
NOTHING = -1  # a slot that leads nowhere
REV_OFFSET = -2  # slot = REV_OFFSET - rev
DIGITS = 40  # of a node, hexadecimal
AMBIGUOUS = -2  # answer of partial(): more than one node

unpack = struct.Struct('>16i').unpack
# the root and two levels below are on the way of every look-up, at most 273 blocks
_KEPT_DEPTH = 3


def common(one: bytes, other: bytes) -> int:
    """How many hexadecimal digits two nodes have in common at their beginning."""
    differ = int.from_bytes(one, 'big') ^ int.from_bytes(other, 'big')
    return (8 * len(one) - differ.bit_length()) >> 2


class NodeTree:
    """The tree whose blocks ``pread(length, offset)`` reads, for ``cindex``."""

    __slots__ = ('_pread', '_root', '_tip', '_cindex', '_kept')

    def __init__(
        self,
        pread: Callable[[int, int], bytes],
        docket: docketmod.Docket,
        cindex: Any,
    ) -> None:
        self._pread = pread
        self._root = docket.blocks - 1
        self._tip = docket.tip_rev
        self._cindex = cindex
        self._kept: dict[int, tuple[int, ...]] = {}

    def slots(self, number: int, depth: int = DIGITS) -> tuple[int, ...]:
        """The 16 slots of the block ``number``; raises ``Misfit``, ``OSError``."""
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        data = self._pread(BLOCK_SIZE, number * BLOCK_SIZE)
        if len(data) != BLOCK_SIZE:
            raise Misfit('data: cut off')
        slots = unpack(data)
        if depth < _KEPT_DEPTH:
            self._kept[number] = slots
        return slots

    def block_at(self, value: int) -> int:
        """The block that a slot points to; raises ``Misfit`` if there is none."""
        if value >= self._root:
            raise Misfit('data: points outside')
        return value

    def node_at(self, value: int) -> tuple[int, bytes]:
        """The revision that a slot holds, and its node; raises ``Misfit``."""
        rev = REV_OFFSET - value
        if rev > self._tip:
            raise Misfit('data: revision out of range')
        return rev, self._cindex[rev][7]

    def find(self, node: bytes) -> int | None:
        """The revision of a node of 20 bytes, or None.

        Raises ``Misfit`` and ``OSError``.
        """
        number = self._root
        for depth in range(DIGITS):
            byte = node[depth >> 1]
            slots = self.slots(number, depth)
            value = slots[byte & 15 if depth & 1 else byte >> 4]
            if value >= 0:
                number = self.block_at(value)
            elif value == NOTHING:
                self.expect_at(slots, node, depth)
                return None
            else:
                rev, found = self.node_at(value)
                if found == node:
                    return rev
                if common(found, node) <= depth:
                    raise Misfit('data: revision at a wrong place')
                return None
        raise Misfit('data: too deep')

    def partial(self, prefix: bytes, digits: int) -> int | None:
        """The revision whose node begins with ``digits`` digits of ``prefix``.

        ``prefix`` has 20 bytes, of which the rest is not looked at.  None if there is
        no such revision, :data:`AMBIGUOUS` if there is more than one.  Raises
        ``Misfit`` and ``OSError``.
        """
        number = self._root
        for depth in range(digits):
            byte = prefix[depth >> 1]
            slots = self.slots(number, depth)
            value = slots[byte & 15 if depth & 1 else byte >> 4]
            if value >= 0:
                number = self.block_at(value)
            elif value == NOTHING:
                self.expect_at(slots, prefix, depth)
                return None
            else:
                rev, found = self.node_at(value)
                same = common(found, prefix)
                if same <= depth:
                    raise Misfit('data: revision at a wrong place')
                return rev if same >= digits else None
        self.expect_at(self.slots(number), prefix, digits)
        return AMBIGUOUS

    def shared(self, node: bytes) -> tuple[int | None, int]:
        """``(rev, n)``: the revision of ``node`` or None; digits shared with others.

        ``n`` is the length of the longest beginning that ``node`` has in common with
        any other node of the tree; -1 if there is no other.  Raises ``Misfit`` and
        ``OSError``.
        """
        number = self._root
        for depth in range(DIGITS):
            byte = node[depth >> 1]
            slots = self.slots(number, depth)
            value = slots[byte & 15 if depth & 1 else byte >> 4]
            if value >= 0:
                number = self.block_at(value)
                continue
            rev: int | None = None
            if value != NOTHING:
                rev, found = self.node_at(value)
                same = common(found, node)
                if same <= depth:
                    raise Misfit('data: revision at a wrong place')
                if same < DIGITS:
                    return None, same
            self.expect_at(slots, node, depth)
            others = 16 - slots.count(NOTHING) - (rev is not None)
            return rev, depth if others else -1
        raise Misfit('data: too deep')

    def expect_at(self, slots: tuple[int, ...], node: bytes, depth: int) -> None:
        """Raise ``Misfit`` unless ``depth`` digits of ``node`` lead to a block."""
        if depth == 0:
            return
        if slots.count(NOTHING) > 14 and max(slots) < 0:
            raise Misfit('data: block out of use')
        # mostly a revision is at hand
        lowest = min(slots)
        deeper = depth
        while lowest >= NOTHING:
            deeper += 1
            if deeper >= DIGITS:
                raise Misfit('data: too deep')
            highest = max(slots)
            if highest == NOTHING:
                raise Misfit('data: block out of use')
            slots = self.slots(self.block_at(highest))
            lowest = min(slots)
        if common(self.node_at(lowest)[1], node) < depth:
            raise Misfit('data: block at a wrong place')
