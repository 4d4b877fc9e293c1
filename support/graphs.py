# Histories that are graphs and nothing else.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Indexes of made-up revisions, as bytes, parsed, or in a folder as a revlog.

A revision has two parents, a node that tells its number, and no text.
"""

from __future__ import annotations

import random
import struct
from typing import Any

from mercurial import revlog
from mercurial.cext import parsers

_ENTRY = struct.Struct(">Qiiiiii20s12x")

Parents = list[tuple[int, int]]


def graph(dice: random.Random, size: int) -> Parents:
    """Parents of each rev: roots, lines, merges, some far back, null ones first."""
    parents = []
    line = dice.random() * 0.9
    for rev in range(size):
        if rev and dice.random() < line:
            parents.append((rev - 1, -1))
            continue
        near = range(max(rev - dice.choice([1, 2, 5, size]), 0), rev)
        p1 = dice.choice(near) if near and dice.random() > 0.05 else -1
        p2 = dice.choice(near) if near and dice.random() > 0.7 else -1
        if p2 >= 0 and dice.random() < 0.05:
            p1 = -1
        parents.append((p1, -1 if p1 == p2 else p2))
    return parents


def node(rev: int) -> bytes:
    """The node of a made-up revision."""
    return b"%020d" % rev


def entry(rev: int, p1: int, p2: int) -> bytes:
    """The index entry of a revision without a text."""
    return _ENTRY.pack(0, 0, 0, rev, rev, p1, p2, node(rev))


def index_bytes(parents: Parents) -> bytes:
    """A file of entries; its header says version 1, not inline, generaldelta."""
    content = b"".join(entry(rev, *both) for rev, both in enumerate(parents))
    return struct.pack(">I", 0x20001) + content[4:] if content else b""


def parse(data: bytes) -> Any:
    """The C index of such a file."""
    # Mercurial 7.0 takes three arguments, and a fourth for something else
    more = [False] * (revlog.parse_index_v1.__code__.co_argcount - 3)
    index, _window = parsers.parse_index2(data, False, True, *more)
    return index


def append(index: Any, p1: int, p2: int) -> None:
    """Append a revision to an index that has one."""
    # Mercurial's versions differ in what follows the node
    rest = index[0][8:]
    rev = len(index)
    index.append((0, 0, 0, rev, rev, p1, p2, node(rev), *rest))
