# Constants and offsets of the formats on disk, and what an index entry says.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Revlogs of format version 1, as ``docs/formats.md`` describes them.

What Mercurial has a name for is taken from there; every other number says where it
comes from.  (The files of a node map have their home in :mod:`.nodemap`.)
"""

from __future__ import annotations

import struct
from typing import Any

from mercurial.node import nullrev, sha1nodeconstants
from mercurial.revlogutils import constants

# revisions and nodes (mercurial/node.py)
NULL_REV: int = nullrev
NULL_NODE: bytes = sha1nodeconstants.nullid
NODE_SIZE: int = sha1nodeconstants.nodelen  # bytes

# what a revlog is for (mercurial/revlogutils/constants.py); plain numbers, which
# compare faster than members of an enumeration
KIND_CHANGELOG = int(constants.KIND_CHANGELOG)
KIND_MANIFEST = int(constants.KIND_MANIFESTLOG)
KIND_FILELOG = int(constants.KIND_FILELOG)

# the first word of an index (constants.py): version and flags; it stands in the place
# of the upper half of the first entry's offset, which is 0
HEADER: struct.Struct = constants.INDEX_HEADER
VERSION_1: int = constants.REVLOGV1
VERSION_MASK = 0xFFFF  # mercurial/revlog.py, _init_opts
INLINE: int = constants.FLAG_INLINE_DATA
GENERAL_DELTA: int = constants.FLAG_GENERALDELTA
FILELOG_META: int = getattr(constants, 'FLAG_FILELOG_META', 0)  # since 7.1
HEADER_SIZE: int = HEADER.size

# an entry (constants.py): offset and flags, stored size, size of the text, base, link
# rev, both parents, node
ENTRY: struct.Struct = constants.INDEX_ENTRY_V1
ENTRY_SIZE: int = ENTRY.size  # bytes
ENTRY_SHIFT = ENTRY_SIZE.bit_length() - 1  # an entry has 2 ** ENTRY_SHIFT bytes
OFFSET_SHIFT = 16  # constants.py, at ENTRY_DATA_OFFSET: the flags are below the offset
FLAGS_MASK = (1 << OFFSET_SHIFT) - 1
# where the parents stand in it
PARENTS = struct.Struct('>ii')
PARENTS_OFFSET = struct.calcsize('>Qiiii')  # bytes
NULL_ENTRY = (0, 0, 0, NULL_REV, NULL_REV, NULL_REV, NULL_REV, NULL_NODE)
# how Mercurial's index names what version 1 always has: a chunk says itself how it is
# compressed, there is no sidedata, and the number of ancestors is not stored
SUFFIX = (
    0,
    0,
    constants.COMP_MODE_INLINE,
    constants.COMP_MODE_INLINE,
    constants.RANK_UNKNOWN,
)
# flags of a revision whose text may not be what is stored for it
ALTERING_FLAGS: int = FLAGS_MASK & ~getattr(constants, 'REVIDX_NEUTRAL_FLAGS', 0)
UNKNOWN_SIZE = -1  # in the place of the size of a text; mercurial/revlog.py, rawsize()
LARGEST_TEXT = 0x7FFFFFFF  # bytes; what a signed field of 32 bits can say

# the first byte of a chunk (mercurial/revlog.py, _InnerRevlog.decompress; the engines
# in mercurial/utils/compression.py name their own)
ZLIB = 0x78
ZSTD = 0x28
STORED = 0x75  # as it is, after this byte
PLAIN = 0x00  # as it is, this byte included
STORED_MARK = bytes([STORED])

# a delta is a row of hunks (mercurial/mpatch.c): from, to, and the size of what follows
# and comes in the place of these bytes
HUNK = struct.Struct('>lll')

# of a chunk of a changegroup, itself included (mercurial/changegroup.py, getchunk)
CHUNK_LENGTH = struct.Struct('>l')

# texts of file logs that begin with metadata (mercurial/utils/storageutil.py)
META_MARK = b'\x01\n'


class EntryAccess:
    """Reads the entries of ``cindex`` by the rules of ``delta_config``.

    All raise ``IndexError`` for a rev that is not in the index.
    """

    cindex: Any
    delta_config: Any

    def start(self, rev: int) -> int:
        """Offset in bytes of the chunk of ``rev`` in the data."""
        return self.cindex[rev][0] >> OFFSET_SHIFT

    def length(self, rev: int) -> int:
        """Bytes that the chunk of ``rev`` takes."""
        return self.cindex[rev][1]

    def end(self, rev: int) -> int:
        """Offset in bytes of the end of the chunk of ``rev``."""
        entry = self.cindex[rev]
        return (entry[0] >> OFFSET_SHIFT) + entry[1]

    def deltaparent(self, rev: int) -> int:
        """The rev that the chunk of ``rev`` is a delta against, or -1."""
        base = self.cindex[rev][3]
        if base == rev:
            return NULL_REV
        return base if self.delta_config.general_delta else rev - 1

    def issnapshot(self, rev: int) -> Any:
        """Whether ``rev`` is a full text or a delta against a snapshot."""
        if self.delta_config.sparse_revlog:
            return self.cindex.issnapshot(rev)
        return self.deltaparent(rev) == NULL_REV

    def _deltachain(self, rev: int, stoprev: int | None = None) -> Any:
        """``(revs, stopped)``: the delta chain of ``rev``, ascending."""
        return self.cindex.deltachain(rev, stoprev)

    def sidedata(self, rev: int, sidedata_end: int | None) -> dict[int, bytes]:
        """Format version 1 has no sidedata."""
        return {}
