# Made-up indexes and node maps, and what look-ups have to answer.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Node maps without repositories."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from typing import Any

from mercurial import error, revlog
from mercurial.cext import parsers

from hgext3rd.fastrevlog.engine.nodemap import docket as docketmod
from hgext3rd.fastrevlog.engine.nodemap import persist, proxy

NULL = b"\0" * 20
ENTRY = struct.Struct(">Qiiiiii20s12x")
PREFIX_LENGTHS = (1, 2, 3, 4, 5, 7, 11, 12, 25, 39, 40)


def index_of(nodes: Iterable[bytes]) -> Any:
    """A C index of revisions in a line, with these nodes."""
    entries = [
        ENTRY.pack(rev << 16, 1, 1, rev, rev, rev - 1, -1, node)
        for rev, node in enumerate(nodes)
    ]
    if entries:
        # its first word holds the version: general delta, version 1
        entries[0] = struct.pack(">I", 1 | 1 << 17) + entries[0][4:]
    # data, inline, general delta and, since 7.1, delta info.  One too many and, with
    # Python 3.9, 7.0.3 dies of a division by zero.
    more = (True, False)[: revlog.parse_index_v1.__code__.co_argcount - 2]
    parse: Any = parsers.parse_index2
    return parse(b"".join(entries), False, *more)[0]


class Data:
    """A data file in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0

    def size(self) -> int:
        return len(self.data)

    def pread(self, length: int, offset: int) -> bytes:
        if offset < 0:
            raise OSError("negative offset")
        self.reads += 1
        return self.data[offset : offset + length]

    def close(self) -> None:
        pass


def map_of(index: Any, revs: int | None = None) -> tuple[docketmod.Docket, bytes]:
    """Docket and data of a map of the first ``revs`` revisions, of all by default."""
    nodes = [index[rev][7] for rev in range(len(index) if revs is None else revs)]
    data = persist.whole(index_of(nodes))
    return docketmod.Docket(b"0a1b2c3d", len(nodes) - 1, nodes[-1], len(data)), data


def proxy_of(index: Any, docket: docketmod.Docket, data: bytes) -> Any:
    """The index with a map attached, whatever its size, for as long as it fits."""
    made = proxy.MappedIndexProxy.bound(index)
    made.small_index = 0
    made.max_behind = 1.0
    made.attach(docket, Data(data))
    made._lookup.limit = 1 << 60
    return made


def random_nodes(rnd: random.Random, number: int, kind: str) -> list[bytes]:
    """Different nodes, none of them null.

    ``kind``: ``random``; ``alike``, with long common beginnings; ``zeros``, which
    begin with some.
    """
    found: set[bytes] = set()
    while len(found) < number:
        if kind == "random":
            node = rnd.randbytes(20)
        elif kind == "zeros":
            zeros = rnd.randrange(20)
            node = b"\0" * zeros + rnd.randbytes(20 - zeros)
        else:
            node = bytes(rnd.choice((0, 0, 0, 1, 16, 255)) for _ in range(20))
        if node != NULL:
            found.add(node)
    nodes = sorted(found)
    rnd.shuffle(nodes)
    return nodes


def answer(function: Any, *arguments: Any) -> Any:
    """What ``function`` answers, or the kind of error that it raises."""
    try:
        return function(*arguments)
    except error.RevlogError:
        return "RevlogError"
    except (ValueError, TypeError, OverflowError) as exc:
        return type(exc).__name__


class Dictionary:
    """The same questions, answered from a dictionary by looking at every node."""

    def __init__(self, nodes: list[bytes]) -> None:
        self.revs = {node: rev for rev, node in enumerate(nodes)}
        self.revs[NULL] = -1
        self.digits = sorted(node.hex() for node in self.revs)

    def get_rev(self, node: bytes) -> Any:
        return self.revs.get(node)

    def rev(self, node: bytes) -> Any:
        return self.revs.get(node, "RevlogError")

    def has_node(self, node: bytes) -> bool:
        return node in self.revs

    def partialmatch(self, prefix: bytes) -> Any:
        found = [node for node in self.digits if node.startswith(prefix.decode())]
        if len(found) > 1:
            return "RevlogError"
        return bytes.fromhex(found[0]) if found else None

    def shortest(self, node: bytes) -> Any:
        if node not in self.revs:
            return "RevlogError"
        for length in range(1, 41):
            prefix = node.hex()[:length]
            if sum(other.startswith(prefix) for other in self.digits) == 1:
                return length
        raise AssertionError(node)
