# The files of one revlog, and the index that says what is where in them.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reading and the writing half of an inner revlog have in common.

:mod:`.inner` makes one object for each open revlog; :mod:`.texts` and :mod:`.writer`
hold it as well, and know nothing of each other or of the inner revlog.  It refers to
none of them, so that file logs, which are opened by the thousand, are freed as soon
as they are let go of.
"""

from __future__ import annotations

from typing import Any

from . import format, randomaccess, vfs

_NOTHING = (0, b'')


class RevlogFiles(randomaccess.RandomAccessFile):
    """Index file and data file of a revlog; reads ranges of the one with the data.

    ``cindex`` is Mercurial's parsed C index, ``inline`` says that index and data
    share one file.  ``name`` is the file with the data, ``window`` a part of it that
    was read already, as ``(offset, bytes)``.  The names change while a revlog is
    split, and while what is written to it is hidden.
    """

    __slots__ = ('cindex', 'index_file', 'data_file', 'inline')

    def __init__(
        self,
        storage: vfs.StoreVFS,
        cindex: Any,
        index_file: bytes,
        data_file: bytes,
        inline: bool,
        window: tuple[int, Any] | None,
    ) -> None:
        # as the class above does; a call less for each file log
        self.storage = storage
        self.name = index_file if inline else data_file
        self.reading_handle = None
        self.writing_handle = None
        self.window = window or _NOTHING
        self.cindex = cindex
        self.index_file = index_file
        self.data_file = data_file
        self.inline = inline

    def use_index_file(self, name: bytes) -> None:
        """From now on the index is in the file ``name``."""
        self.index_file = name
        if self.inline:
            self.name = name

    def use_inline(self, inline: bool) -> None:
        """From now on the data are in the index file, or in a file of their own.

        What was read so far is forgotten, and what is open no longer read from.
        """
        self.inline = inline
        self.name = self.index_file if inline else self.data_file
        self.reading_handle = None
        self.writing_handle = None
        self.window = _NOTHING

    def data_size(self) -> int:
        """Bytes of all chunks, as the index says."""
        cindex = self.cindex
        revs = len(cindex)
        if not revs:
            return 0
        last = cindex[revs - 1]
        end: int = (last[0] >> format.OFFSET_SHIFT) + last[1]
        return end

    def index_size(self) -> int:
        """Bytes of the index file, as the index says; chunks included, if inline."""
        size: int = len(self.cindex) * self.cindex.entry_size
        return size + self.data_size() if self.inline else size

    def segment(self, first: int, last: int) -> tuple[int, Any]:
        """``(offset, bytes)`` from the chunk of rev ``first`` to the end of ``last``'s.

        In an inline revlog this includes the index entries in between.
        """
        cindex = self.cindex
        start = cindex[first][0] >> format.OFFSET_SHIFT
        entry = cindex[last]
        end = (entry[0] >> format.OFFSET_SHIFT) + entry[1]
        if self.inline:
            start += (first + 1) * cindex.entry_size
            end += (last + 1) * cindex.entry_size
        return start, self.read(start, end - start)
