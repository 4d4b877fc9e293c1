# Worker processes whose answers are wanted in order, and not all at once.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams that are made ahead by forked workers.

Goals: the answers come in the order of the tasks, in pieces of bytes, as if the
parent had made each when it asked for it; what waits in memory is bounded however
fast the workers are; no answer is lost, and none is given twice.

How it works:

- Each worker takes the number of the next task from a pipe (:mod:`.pool` says why),
  says at once which it took, and writes the pieces of the answer into a pipe of its
  own.  A worker whose pipe is full waits.
- The parent reads all pipes as long as what waits for its turn is below the limit.
  Above, it reads only from workers that are not ahead: those may be at the task
  whose turn it is, or have not said yet which they took.  Every worker takes
  ascending numbers, so that task is never behind another in a pipe: there is always
  one to read from, or nobody has the task.
- A task that nobody has any more (its worker died), or whose worker failed, is done
  by the parent.  ``do`` yields the same bytes wherever it runs, so the parent leaves
  out as many as were given already.  An exception is then raised in the parent, as
  it would be without workers.
"""

from __future__ import annotations

import collections
import os
import select
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import children

_NUMBER = struct.Struct('<H')
# number of the task, and the length of the piece that follows or one of these
_HEADER = struct.Struct('<Hq')
_TAKEN, _COMPLETE, _FAILED = 0, -1, -2
_READ_SIZE = 1 << 20  # bytes
# bytes; as much as an ordinary user may have (fs.pipe-max-size of Linux)
_PIPE_SIZE = 1 << 20
_WAITING = 32 << 20  # bytes, of all workers together
MAX_TASKS = select.PIPE_BUF // _NUMBER.size if hasattr(select, 'PIPE_BUF') else 256


class _Pipe:
    """The parent's end of one worker."""

    __slots__ = ('pid', 'at', 'left', 'header')

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.at = -1  # the task that it said it took last
        self.left = 0  # bytes of a piece that are still to come
        self.header = b''  # the first bytes of a header, if it was cut


class SerialStream:
    """The interface of :class:`WorkerStream`, in one process."""

    def __init__(
        self, do: Callable[[Any], Iterable[bytes]], tasks: Sequence[Any]
    ) -> None:
        self._do = do
        self._tasks = tasks

    def pieces(self, number: int) -> Iterator[bytes]:
        """The pieces of the answer to ``tasks[number]``."""
        return iter(self._do(self._tasks[number]))

    def close(self) -> None:
        """There is nothing to end."""


class WorkerStream:
    """Answers to ``tasks`` in their order, made ahead by other processes.

    ``do(task)`` yields pieces of bytes, the same in every process.  ``waiting`` is
    the limit in bytes of what waits for its turn in the parent; what is in the pipes
    (1 MiB a worker) and one read a worker come on top.  ``on_start`` and ``on_end``
    run in each worker.  At most ``MAX_TASKS`` tasks: make large ones.
    """

    def __init__(
        self,
        do: Callable[[Any], Iterable[bytes]],
        tasks: Sequence[Any],
        waiting: int = _WAITING,
        on_start: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        if len(tasks) > MAX_TASKS:
            raise ValueError('%d tasks, %d are possible' % (len(tasks), MAX_TASKS))
        self._do = do
        self._tasks = tasks
        self._limit = waiting
        self._on_start = on_start
        self._on_end = on_end
        self._pipes: dict[int, _Pipe] = {}
        self._ready: dict[int, collections.deque[bytes]] = {}
        self._complete: set[int] = set()
        self._failed: set[int] = set()
        self._next = 0
        self._parent = os.getpid()
        self._numbers = -1
        self.waiting = 0  # bytes in the parent's memory
        self.redone = 0  # tasks that the parent had to do

    def start(self, workers: int) -> None:
        """Fork ``workers`` processes.  May raise ``OSError``; then none is left."""
        self._numbers, give = os.pipe()
        try:
            try:
                os.write(give, b''.join(map(_NUMBER.pack, range(len(self._tasks)))))
            finally:
                os.close(give)
            for _i in range(min(workers, len(self._tasks))):
                children.start(self._work, self._note, _PIPE_SIZE)
        except BaseException:
            self.close()
            raise

    def _note(self, pid: int, fd: int) -> None:
        self._pipes[fd] = _Pipe(pid)

    def pieces(self, number: int) -> Iterator[bytes]:
        """The pieces of the answer to ``tasks[number]``; ask in order, read all.

        Raises what ``do`` raises, in this process.
        """
        if number != self._next:
            raise ValueError('task %d is asked for, %d is next' % (number, self._next))
        given = 0
        queue = self._ready.setdefault(number, collections.deque())
        while True:
            while queue:
                piece = queue.popleft()
                self.waiting -= len(piece)
                given += len(piece)
                yield piece
            if number in self._complete:
                break
            if number in self._failed or not self._collect():
                self.redone += 1
                yield from _without(self._do(self._tasks[number]), given)
                break
        del self._ready[number]
        self._complete.discard(number)
        self._failed.discard(number)
        self._next += 1

    def close(self) -> None:
        """End the workers that still run, and wait until they are gone."""
        if self._numbers >= 0:
            os.close(self._numbers)
            self._numbers = -1
        while self._pipes:
            fd, pipe = self._pipes.popitem()
            children.end(pipe.pid)
            children.release(fd)
        self._ready.clear()
        self.waiting = 0

    # the parent's side

    def _collect(self) -> bool:
        """Wait for something to read.  False if nobody has the task in turn."""
        turn = self._next
        if all(pipe.at > turn for pipe in self._pipes.values()):
            return False
        poll = select.poll()
        for fd, pipe in self._pipes.items():
            if self.waiting < self._limit or pipe.at <= turn:
                poll.register(fd, select.POLLIN)
        for fd, _event in poll.poll():
            data = os.read(fd, _READ_SIZE)
            pipe = self._pipes[fd]
            if data:
                self._parse(pipe, data)
            else:
                del self._pipes[fd]
                children.release(fd)
                children.reap(pipe.pid)
        return True

    def _parse(self, pipe: _Pipe, data: bytes) -> None:
        if pipe.header:
            data = pipe.header + data
            pipe.header = b''
        at = 0
        end = len(data)
        while at < end:
            if pipe.left:
                piece = data[at : at + pipe.left] if at or pipe.left < end else data
                self._ready.setdefault(pipe.at, collections.deque()).append(piece)
                self.waiting += len(piece)
                pipe.left -= len(piece)
                at += len(piece)
                continue
            if end - at < _HEADER.size:
                pipe.header = data[at:]
                break
            number, what = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            if what > 0:
                pipe.left = what
            elif what == _TAKEN:
                pipe.at = number
            elif what == _COMPLETE:
                self._complete.add(number)
            else:
                self._failed.add(number)

    # the worker's side

    def _work(self, out: int) -> None:
        if self._on_start is not None:
            self._on_start()
        while True:
            taken = os.read(self._numbers, _NUMBER.size)
            if len(taken) != _NUMBER.size:
                break
            (number,) = _NUMBER.unpack(taken)
            if os.getppid() != self._parent:
                return  # nobody listens any more
            _write(out, _HEADER.pack(number, _TAKEN))
            outcome = _COMPLETE
            try:
                for piece in self._do(self._tasks[number]):
                    size = len(piece)
                    if size:
                        _write(out, _HEADER.pack(number, size), piece)
            except Exception:
                # the parent does it, and says what is wrong
                outcome = _FAILED
            _write(out, _HEADER.pack(number, outcome))
        if self._on_end is not None:
            self._on_end()


def _write(fd: int, *pieces: bytes) -> None:
    """Write all of ``pieces``; waits while the pipe is full."""
    total = sum(map(len, pieces))
    done = os.writev(fd, pieces)
    if done < total:
        rest = memoryview(b''.join(pieces))[done:]
        while rest:
            rest = rest[os.write(fd, rest) :]


def _without(pieces: Iterable[bytes], left_out: int) -> Iterator[bytes]:
    """``pieces`` but for the first ``left_out`` bytes of them."""
    for piece in pieces:
        if left_out >= len(piece):
            left_out -= len(piece)
            continue
        yield piece[left_out:] if left_out else piece
        left_out = 0
