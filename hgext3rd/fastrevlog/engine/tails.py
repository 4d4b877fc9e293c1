# The new end of a file of a revlog, in memory.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a group appends, before anything is written (:mod:`.additions`).

Read through the handle of the file, it is behind what is on the disk.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any


class Uncommon(Exception):
    """The group is not one that can be added the short way, and why."""


class SharedTail:
    """The new end of a file, of up to ``size`` bytes, that forked processes share.

    Raises ``OSError`` or ``ValueError`` if there is no such memory.
    """

    __slots__ = ('memory', '_used')

    def __init__(self, size: int) -> None:
        self.memory = mmap.mmap(-1, size)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _step = where.indices(self._used)
        return self.memory[start:stop]

    def view(self) -> memoryview:
        """All of it, not copied."""
        return memoryview(self.memory)[: self._used]

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        """Add ``data``; raises :class:`Uncommon` if there is no room for it."""
        end = self._used + len(data)
        if end > len(self.memory):
            raise Uncommon('more than there is room for')
        self.memory[self._used : end] = data
        self._used = end


class MemoryTail:
    """The handle of a file whose new end is in memory only."""

    __slots__ = ('open', 'on_disk', 'tail', 'reader')

    def __init__(
        self,
        open_reader: Callable[[], Any],
        on_disk: int,
        tail: SharedTail | None = None,
    ) -> None:
        self.open = open_reader
        self.on_disk = on_disk  # bytes
        self.tail: bytearray | SharedTail = bytearray() if tail is None else tail
        self.reader: Any = None

    def tell(self) -> int:
        return self.on_disk + len(self.tail)

    size = tell

    def write(self, data: bytes) -> None:
        self.tail.extend(data)

    def pread(self, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes from ``offset``, the tail included."""
        data = b''
        if offset < self.on_disk:
            if self.reader is None:
                self.reader = self.open()
            data = self.reader.pread(min(length, self.on_disk - offset), offset)
            length -= len(data)
            offset += len(data)
            if offset < self.on_disk:
                return data
        if length:
            start = offset - self.on_disk
            data += bytes(self.tail[start : start + length])
        return data

    def flush(self) -> None:
        """There is nothing to flush to."""

    discard = flush

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
            self.reader = None
