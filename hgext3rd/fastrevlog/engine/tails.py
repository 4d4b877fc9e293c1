# The new end of a file of a revlog, before it is written.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a group appends, before anything is written (:mod:`.additions`).

Read through the handle of the file, it is behind what is on the disk.  It is in memory,
or, where it may be large, in a file of its own.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

PIECE = 1 << 20  # bytes; written and read at a time
_SPARE = 64 << 20  # bytes that stay free on a disk where something is put aside


class Uncommon(Exception):
    """The group is not one that can be added the short way, and why."""


class Spool:
    """Bytes in a file without a name, in ``directory``, that forked processes share.

    Appended by one process at a time, which says :meth:`flush` before others read.
    What it takes on the disk is free again when one of them says :meth:`clear` or
    :meth:`close`, or all are gone.  Raises ``OSError`` if there is no room.
    """

    __slots__ = ('_file', '_fd', '_pending', '_written')

    def __init__(self, directory: bytes) -> None:
        self._file = tempfile.TemporaryFile(  # noqa: SIM115
            buffering=0, dir=directory
        )
        self._fd = self._file.fileno()
        self._pending = bytearray()
        self._written = 0  # bytes

    def __len__(self) -> int:
        return self._written + len(self._pending)

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _step = where.indices(len(self))
        data = b''
        while start < min(stop, self._written):
            more = os.pread(self._fd, min(stop, self._written) - start, start)
            if not more:
                raise OSError(errno.EIO, 'a temporary file is cut off')
            data += more
            start += len(more)
        if start < stop:
            start -= self._written
            data += self._pending[start : stop - self._written]
        return data

    def pieces(self) -> Iterator[bytes]:
        """All of it, in its order."""
        for start in range(0, len(self), PIECE):
            yield self[start : start + PIECE]

    def last_pieces(self) -> Iterator[bytes]:
        """The same; it is closed when the last one has been read."""
        size = len(self)
        for start in range(0, size, PIECE):
            piece = self[start : start + PIECE]
            if start + PIECE >= size:
                self.close()
            yield piece

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        """Add ``data``.  All of it is held even where the file has no room for it."""
        self._pending += data
        if len(self._pending) >= PIECE:
            self.flush()

    def flush(self) -> None:
        """Have all of it in the file."""
        with memoryview(self._pending) as left:
            done = 0
            while done < len(left):
                with left[done:] as rest:
                    done += os.pwrite(self._fd, rest, self._written + done)
        self._written += len(self._pending)
        self._pending.clear()

    def restart(self, size: int) -> None:
        """Another process has brought it to ``size`` bytes."""
        self._pending.clear()
        self._written = size

    def clear(self) -> None:
        """Let go of what it holds, in all processes."""
        os.ftruncate(self._fd, 0)
        self.restart(0)

    def close(self) -> None:
        """Let go of the file, and of what it holds."""
        if self._fd >= 0:
            self.clear()
            self._fd = -1
            self._file.close()


def has_room(directory: bytes, size: int) -> bool:
    """May ``size`` bytes be put aside in ``directory``, with much to spare?

    Whoever asks goes on writing there: the end of a transaction must not fail because
    of what was only put aside.  False where the system does not say.
    """
    try:
        found = os.statvfs(directory)
    except (OSError, AttributeError):
        return False
    free: int = found.f_bavail * found.f_frsize
    return free > _SPARE + 4 * size


class MemoryTail:
    """The handle of a file whose new end is somewhere else."""

    __slots__ = ('open', 'on_disk', 'tail', 'reader')

    def __init__(
        self,
        open_reader: Callable[[], Any],
        on_disk: int,
        tail: Spool | None = None,
    ) -> None:
        self.open = open_reader
        self.on_disk = on_disk  # bytes
        self.tail: bytearray | Spool = bytearray() if tail is None else tail
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
