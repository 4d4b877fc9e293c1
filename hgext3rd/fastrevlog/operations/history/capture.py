# What a command would write, caught in a worker.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Standard streams of a worker.

Goals: what Mercurial's code writes through its ``ui`` is caught as it would be
written, with colours, width and labels as in the parent; anything else that it
does to the outside world is noticed, so that the parent can do the task itself.

How: every ``ui`` at hand gets streams that record.  They have the terminal of the
parent's streams (``isatty``, ``fileno``), because width and colours depend on it.
The descriptors 1 and 2 themselves lead to a file that nobody reads; if it has grown
after a task, somebody wrote past the ``ui``.  What comes to standard error also
makes a task the parent's: such messages may be meant to appear once in a process,
and there they have their place between the lines.  Nothing can be read.
"""

from __future__ import annotations

import os
from typing import Any


class _Output:
    """Stands for a stream that is written to."""

    def __init__(self, stream: Any, fd: int) -> None:
        self._stream = stream
        self._fd = fd
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class NothingToRead(Exception):
    """A worker was to read standard input."""


class _Input:
    """Stands for standard input: has its terminal, and no data."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.closed = False

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def read(self, *_size: int) -> bytes:
        raise NothingToRead

    readline = readlines = read1 = __iter__ = __next__ = read


class Capture:
    """The streams of this process, which is a worker, caught from now on."""

    def __init__(self, uis: list[Any]) -> None:
        first = uis[0]
        self._real = [first._fout, first._ferr]
        stdin, stdout, stderr = (_terminal(fd) for fd in range(3))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        self._aside = _nameless_file()
        for fd in (1, 2):
            os.dup2(self._aside, fd)
        self._written_past()  # what the parent has not written yet
        self._out = _Output(first._fout, stdout)
        self._err = _Output(first._ferr, stderr)
        for ui in uis:
            # what the parent captures at the moment is no task of a worker
            del ui._buffers[:], ui._bufferstates[:]
            ui._bufferapplylabels = None
            ui.fin, ui.fout, ui.ferr = _Input(stdin), self._out, self._err

    def begin(self) -> None:
        """The next task begins."""
        self._out.pieces.clear()
        self._err.pieces.clear()

    def end(self) -> bytes | None:
        """What was written since :meth:`begin`; None: the parent has to do it."""
        if self._written_past() or self._err.pieces:
            return None
        return b''.join(self._out.pieces)

    def _written_past(self) -> int:
        """How many bytes were written to the descriptors themselves, since."""
        for stream in self._real:
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        size = os.lseek(self._aside, 0, os.SEEK_CUR)
        if size:
            os.ftruncate(self._aside, 0)
            os.lseek(self._aside, 0, os.SEEK_SET)
        return size


def catchable(ui: Any) -> bool:
    """Are the streams of ``ui`` those of the process?"""
    try:
        descriptors = ui._fin.fileno(), ui._fout.fileno(), ui._ferr.fileno()
    except (AttributeError, ValueError, OSError):
        return False
    return descriptors == (0, 1, 2) and ui._fmsg is None


def _terminal(fd: int) -> int:
    """Another descriptor for what ``fd`` is now."""
    try:
        return os.dup(fd)
    except OSError:  # it is closed
        return os.open(os.devnull, os.O_RDWR)


def _nameless_file() -> int:
    if hasattr(os, 'memfd_create'):
        try:
            return os.memfd_create('fastrevlog')
        except OSError:
            pass
    import tempfile

    fd, path = tempfile.mkstemp(prefix='fastrevlog-')
    os.unlink(path)
    return fd
