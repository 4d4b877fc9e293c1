# The docket of a node map: what its data file holds, and for which index.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading and writing dockets; the format is described in ``docs/formats.md``.

A docket names a data file and says how many of its bytes count, and which revision,
by number and node, was the last one when they were written.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

VERSION = 1
_HEADER = struct.Struct('>BBQQQQ')
BLOCK_SIZE = 64  # bytes: 16 slots of 4


class Misfit(Exception):
    """A node map that cannot be used for its index; the argument says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Docket(NamedTuple):
    """What a docket says."""

    uid: bytes  # names the data file
    tip_rev: int  # the last revision in the map
    tip_node: bytes  # its node, 20 bytes
    data_length: int  # bytes of the data file that count
    data_unused: int = 0  # of these, bytes of blocks that nothing points to any more

    @property
    def blocks(self) -> int:
        """How many blocks the data file holds."""
        return self.data_length // BLOCK_SIZE

    def serialize(self) -> bytes:
        """The content of the docket's file."""
        header = _HEADER.pack(
            VERSION,
            len(self.uid),
            self.tip_rev,
            self.data_length,
            self.data_unused,
            len(self.tip_node),
        )
        return header + self.uid + self.tip_node


# equal to no docket of a file
NO_DOCKET = Docket(b'', -1, b'', -1)


def parse(data: bytes) -> Docket:
    """The docket in ``data``; raises :class:`Misfit`."""
    if not data:
        raise Misfit('docket: empty')
    if data[0] != VERSION:
        raise Misfit('docket: unknown version')
    if len(data) < _HEADER.size:
        raise Misfit('docket: cut off')
    _version, uid_size, tip_rev, length, unused, node_size = _HEADER.unpack_from(data)
    uid = data[_HEADER.size : _HEADER.size + uid_size]
    tip_node = data[_HEADER.size + uid_size : _HEADER.size + uid_size + node_size]
    if len(uid) != uid_size or len(tip_node) != node_size:
        raise Misfit('docket: cut off')
    # it becomes part of a file name
    if not uid.isalnum():
        raise Misfit('docket: bad uid')
    if length < BLOCK_SIZE or length % BLOCK_SIZE or length >> 37:
        raise Misfit('docket: bad data length')
    return Docket(uid, tip_rev, tip_node, length, unused)


def check(docket: Docket, cindex: object, size: int) -> None:
    """Raise :class:`Misfit` unless ``docket`` is of ``cindex`` and its data are there.

    ``size`` is that of the data file in bytes.
    """
    if docket.tip_rev >= len(cindex):  # type: ignore[arg-type]
        raise Misfit('index: shorter than the map')
    if cindex[docket.tip_rev][7] != docket.tip_node:  # type: ignore[index]
        raise Misfit('index: another tip node')
    if size < docket.data_length:
        raise Misfit('data: cut off')
