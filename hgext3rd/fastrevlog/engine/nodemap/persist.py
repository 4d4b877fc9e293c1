# Making the data of a node map: the whole of it, or what is to be appended.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Building by sorting and splitting.

Nodes are sorted.  What two neighbours have in common at their beginning says how
deep the blocks between them are; so one pass over them opens and closes all blocks,
each when all below it are closed.  That is the order in which Mercurial's builder in
Python (``mercurial.revlogutils.nodemap``) writes them, and the bytes are the same.

A key is an integer: the first ``bits`` bits of a node, and below them the revision
in 32 bits.  Mostly 64 bits of a node are enough to tell all apart.
"""

from __future__ import annotations

import bisect
import struct
from typing import Any

from .. import format
from . import docket as docketmod
from . import tree as treemod

Misfit = docketmod.Misfit
NOTHING = treemod.NOTHING
REV_OFFSET = treemod.REV_OFFSET

_pack = struct.Struct('>16i').pack
_REV_BITS = 32
_REV_MASK = (1 << _REV_BITS) - 1
_NODE_BITS = 160
_SHORT_BITS = 64
_EMPTY = [NOTHING] * 16


def whole(cindex: Any) -> bytes:
    """The data of a node map of all of ``cindex``.

    Raises ``ValueError`` where two revisions have the same node.
    """
    if not len(cindex):
        return b''
    from_bytes = int.from_bytes
    for bits in (_SHORT_BITS, _NODE_BITS):
        size = bits >> 3
        entries = map(cindex.__getitem__, range(len(cindex)))
        keys = [
            from_bytes(entry[7][:size], 'big') << _REV_BITS | rev
            for rev, entry in enumerate(entries)
        ]
        keys.sort()
        blocks: list[bytes] = []
        if split(keys, bits, 0, 0, blocks) is not None:
            return b''.join(blocks)
    raise ValueError('two revisions have the same node')


def split(
    keys: list[int], bits: int, top: int, first: int, blocks: list[bytes]
) -> int | None:
    """Append the blocks of a tree of ``keys`` to ``blocks``; the number of its root.

    ``keys`` ascend and have their first ``top`` digits in common; ``bits`` is how
    many bits of the node they have.  The number of the first block of ``blocks`` is
    ``first``.  None if two keys have the same node, as far as they have it.
    """
    total = bits + _REV_BITS
    deepest = bits >> 2
    add = blocks.append
    number = first + len(blocks)
    depth = top
    slots = _EMPTY[:]
    open_blocks = [slots]
    shift = total - 4 - 4 * depth  # to the digit that chooses a slot at this depth
    before = keys[0]
    for key in keys[1:]:
        shared = (total - (before ^ key).bit_length()) >> 2
        if shared > depth:
            if shared >= deepest:
                return None
            while depth < shared:
                depth += 1
                slots = _EMPTY[:]
                open_blocks.append(slots)
            shift = total - 4 - 4 * depth
            slots[before >> shift & 15] = REV_OFFSET - (before & _REV_MASK)
        else:
            slots[before >> shift & 15] = REV_OFFSET - (before & _REV_MASK)
            while depth > shared:
                add(_pack(*slots))
                open_blocks.pop()
                depth -= 1
                shift += 4
                slots = open_blocks[-1]
                slots[before >> shift & 15] = number
                number += 1
        before = key
    slots[before >> shift & 15] = REV_OFFSET - (before & _REV_MASK)
    while depth > top:
        add(_pack(*slots))
        open_blocks.pop()
        depth -= 1
        shift += 4
        slots = open_blocks[-1]
        slots[before >> shift & 15] = number
        number += 1
    add(_pack(*slots))
    return number


class _Addition:
    """Adds revisions to a tree on disk; see :func:`increment`."""

    def __init__(self, tree: treemod.NodeTree, first: int) -> None:
        self.tree = tree
        self.first = first
        self.blocks: list[bytes] = []
        self.masked = 0

    def into(self, number: int, depth: int, keys: list[int]) -> int:
        """Copy the block ``number`` with ``keys`` added; the number of the copy."""
        if depth >= treemod.DIGITS:
            raise Misfit('data: too deep')
        tree = self.tree
        old = tree.slots(number)
        some_node = (keys[0] >> _REV_BITS).to_bytes(format.NODE_SIZE, 'big')
        tree.expect_at(old, some_node, depth)
        self.masked += 1
        slots = list(old)
        shift = _NODE_BITS + _REV_BITS - 4 - 4 * depth
        start = 0
        while start < len(keys):
            above = keys[start] >> shift
            end = bisect.bisect_left(keys, (above + 1) << shift, start)
            digit = above & 15
            slots[digit] = self._slot(slots[digit], depth + 1, keys[start:end])
            start = end
        self.blocks.append(_pack(*slots))
        return self.first + len(self.blocks) - 1

    def _slot(self, value: int, depth: int, keys: list[int]) -> int:
        """What a slot holds when ``keys`` are added to what it held."""
        if value >= 0:
            return self.into(self.tree.block_at(value), depth, keys)
        if value != NOTHING:
            rev, node = self.tree.node_at(value)
            key = int.from_bytes(node, 'big') << _REV_BITS | rev
            if (
                treemod.common(
                    node, (keys[0] >> _REV_BITS).to_bytes(format.NODE_SIZE, 'big')
                )
                < depth
            ):
                raise Misfit('data: revision at a wrong place')
            bisect.insort(keys, key)
        if len(keys) == 1:
            return REV_OFFSET - (keys[0] & _REV_MASK)
        root = split(keys, _NODE_BITS, depth, self.first, self.blocks)
        if root is None:
            raise Misfit('index: two revisions have the same node')
        return root


def increment(
    tree: treemod.NodeTree, docket: docketmod.Docket, cindex: Any
) -> tuple[int, bytes]:
    """``(replaced, data)``: what to append for the revisions newer than ``docket``.

    ``replaced`` is the size in bytes of the blocks on disk that nothing points to
    any more once ``data`` are appended.  Raises ``Misfit`` and ``OSError``.
    """
    keys = sorted(
        int.from_bytes(cindex[rev][7], 'big') << _REV_BITS | rev
        for rev in range(docket.tip_rev + 1, len(cindex))
    )
    if not keys:
        return 0, b''
    addition = _Addition(tree, docket.blocks)
    addition.into(docket.blocks - 1, 0, keys)
    return addition.masked * docketmod.BLOCK_SIZE, b''.join(addition.blocks)
