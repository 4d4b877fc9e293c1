# What an index entry says of a revision's place in the storage.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of an index entry are described in ``docs/formats.md``."""

from __future__ import annotations

from typing import Any

NULL_REV = -1
OFFSET_SHIFT = 16  # the flags are in the lower bits of what holds an offset


class EntryAccess:
    """Reads the entries of ``cindex`` by the rules of ``delta_config``.

    All raise ``IndexError`` for a rev that is not in the index.
    """

    cindex: Any
    delta_config: Any

    def start(self, rev: int) -> int:
        """Offset in bytes of the chunk of ``rev`` in the data."""
        return self.cindex[rev][0] >> 16

    def length(self, rev: int) -> int:
        """Bytes that the chunk of ``rev`` takes."""
        return self.cindex[rev][1]

    def end(self, rev: int) -> int:
        """Offset in bytes of the end of the chunk of ``rev``."""
        entry = self.cindex[rev]
        return (entry[0] >> 16) + entry[1]

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
