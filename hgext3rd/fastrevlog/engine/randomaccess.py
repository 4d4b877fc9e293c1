# Reading ranges of a revlog file, and appending to one.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random access with a reused handle, and appends that are buffered.

Why no file mapping: data files are truncated by a strip or a rollback, and a
mapping that another process truncates kills the reader with SIGBUS, where a
read answers short.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from . import errors, vfs

PAGE = 4096  # bytes; lone reads are rounded to this
AHEAD = 256 * 1024  # bytes read ahead of a scan, in its direction
_KEEP = 1 << 20  # bytes; a larger read is not remembered
_FLUSH_AT = 1 << 20  # bytes
_TRUSTED = 16 << 20  # bytes; whether a file has more is asked before reading
_PREAD = getattr(os, 'pread', None)


class DelayedBuffer:
    """Index entries that are not to be seen on disk yet.

    The inner revlog holds it and the handle appends to it; it outlives the handle.
    """

    __slots__ = ('pieces', 'size')

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0  # bytes

    def append(self, data: bytes) -> None:
        self.pieces.append(data)
        self.size += len(data)

    def content(self) -> bytes:
        return b''.join(self.pieces)


class DelayedHandle:
    """A file and a :class:`DelayedBuffer` behind it, read as one file.

    Writes go to the buffer only, at its end whatever the position.  Positions are
    in bytes from the start of the file.
    """

    def __init__(self, fp: Any, size: int, buffer: DelayedBuffer) -> None:
        self.fp = fp
        self.on_disk = size
        self.buffer = buffer
        self.offset = 0

    def tell(self) -> int:
        return self.offset

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self.offset
        elif whence == os.SEEK_END:
            offset += self.size()
        self.offset = offset
        return offset

    def read(self, count: int = -1) -> bytes:
        start = self.offset
        end = self.size()
        if count >= 0:
            end = min(end, start + count)
        data = b''
        if start < self.on_disk:
            self.fp.seek(start)
            data = self.fp.read(min(end, self.on_disk) - start)
        if end > self.on_disk:
            tail = self.buffer.content()
            data += tail[max(start - self.on_disk, 0) : end - self.on_disk]
        self.offset = start + len(data)
        return data

    def pread(self, length: int, offset: int) -> bytes:
        self.seek(offset)
        return self.read(length)

    def size(self) -> int:
        """Bytes in file and buffer."""
        return self.on_disk + self.buffer.size

    def write(self, data: bytes) -> None:
        self.buffer.append(bytes(data))
        self.offset = self.size()

    def flush(self) -> None:
        """Nothing reaches the disk before the delay ends."""

    def discard(self) -> None:
        """The buffer belongs to the inner revlog, which decides about it."""

    @property
    def closed(self) -> bool:
        return self.fp.closed

    def close(self) -> None:
        self.fp.close()


class AppendHandle:
    """Appends to a file of Mercurial's, collected in memory and flushed at once.

    ``tell()`` needs no system call: nobody but us writes while the store is
    locked, so the end of the file is where we left it.
    """

    __slots__ = ('fp', '_after', '_end', '_pending', '_pending_size')

    def __init__(
        self, fp: Any, end: int | None = None, after: AppendHandle | None = None
    ) -> None:
        self.fp = fp
        # what has to reach the disk before this does
        self._after = after
        if end is None:
            self._end = fp.seek(0, os.SEEK_END)
            if self._end is None:  # a wrapped file may not answer
                self._end = fp.tell()
        else:
            fp.seek(end, os.SEEK_SET)
            self._end = end
        self._pending: list[bytes] = []
        self._pending_size = 0

    def tell(self) -> int:
        return self._end

    def write(self, data: bytes) -> None:
        self._pending.append(data)
        size = len(data)
        self._end += size
        self._pending_size += size
        if self._pending_size >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            if self._after is not None:
                self._after.flush()
            # reads may have moved the position
            self.fp.seek(self._end - self._pending_size, os.SEEK_SET)
            self.fp.write(b''.join(self._pending))
            self.fp.flush()
            # only now: after a failure (a full disk) it is still to be written
            self.discard()

    def discard(self) -> None:
        """Forget what is pending."""
        self._pending = []
        self._pending_size = 0

    def size(self) -> int:
        """Bytes in the file, what is pending included."""
        return self._end

    def pread(self, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes from ``offset``, what is pending included."""
        self.flush()
        if _PREAD is not None:
            return vfs.pread_all(self.fp.fileno(), length, offset)
        self.fp.seek(offset)
        return self.fp.read(length)

    @property
    def closed(self) -> bool:
        return self.fp.closed

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self.discard()
            self.fp.close()


class RandomAccessFile:
    """Ranges of one store file, with a window of what was read last."""

    __slots__ = ('storage', 'name', 'reading_handle', 'writing_handle', 'window')

    def __init__(
        self, storage: vfs.StoreVFS, name: bytes, window: tuple[int, bytes] | None
    ) -> None:
        self.storage = storage
        self.name = name
        self.reading_handle: vfs.FdReader | vfs.FileReader | None = None
        self.writing_handle: AppendHandle | DelayedHandle | None = None
        # what was read last: (offset of the first byte, bytes)
        self.window: tuple[int, Any] = window or (0, b'')

    @property
    def is_open(self) -> bool:
        return self.reading_handle is not None or self.writing_handle is not None

    def clear_cache(self) -> None:
        self.window = (0, b'')

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep one handle open for the reads of this context."""
        if self.is_open:
            yield
            return
        self.reading_handle = handle = self.storage.reader(self.name)
        try:
            yield
        finally:
            self.reading_handle = None
            handle.close()

    def read(self, offset: int, length: int) -> Any:
        """Exactly ``length`` bytes from ``offset``, as bytes or a buffer.

        Raises ``RevlogError`` when the file is too short, ``OSError`` when it
        cannot be opened or read.
        """
        start, data = self.fetch(offset, offset + length)
        offset -= start
        if not offset and length == len(data):
            return data
        return data[offset : offset + length]

    def fetch(self, start: int, end: int) -> tuple[int, Any]:
        """A piece of the file that covers ``[start, end)``, and its offset.

        Raises as :meth:`read` does.
        """
        window_start, window = self.window
        window_end = window_start + len(window)
        if window_start <= start and end <= window_end:
            return self.window
        if window and window_start <= start <= window_end + PAGE:
            # a scan: the range mostly begins in the window and ends behind it
            first = start
            last = end + AHEAD
        elif window and window_start - PAGE <= end <= window_end:
            first = max(start - AHEAD, 0)
            last = end
        else:
            # here and there; a little more costs nothing, much more does
            first = start - start % PAGE
            last = end + PAGE - end % PAGE
        data = self._pread(last - first, first)
        if first + len(data) < end:
            raise errors.short_read(
                self.name, start, end - start, max(first + len(data) - start, 0)
            )
        if len(data) <= _KEEP:
            self.window = (first, data)
        return first, data

    def _pread(self, length: int, offset: int) -> bytes:
        handle = self.writing_handle or self.reading_handle
        if handle is not None:
            return self._bounded(handle, length, offset)
        handle = self.storage.reader(self.name)
        try:
            return self._bounded(handle, length, offset)
        finally:
            handle.close()

    def _bounded(self, handle: Any, length: int, offset: int) -> bytes:
        """Read, without reserving memory for what a damaged index promises."""
        if length > _TRUSTED:
            length = min(length, max(handle.size() - offset, 0))
        return handle.pread(length, offset) if length else b''
