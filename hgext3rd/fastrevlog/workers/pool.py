# Worker processes that share a list of tasks and answer to one parent.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A pool of forked workers.

Goals: the parent goes on with work of its own while the pool works; no task is
ever lost without the parent knowing; no worker outlives the parent.

Why not :mod:`mercurial.worker`?  It deals out the tasks before it starts, so the
longest file decides; its parent can do nothing but collect, for a worker whose
pipe is full stands still; it has one answer to a worker that dies, which is to
stop the others and fail, where we can do the missing part over; and it starts at
least four processes unless told otherwise by a setting that is not ours.

How it works:

- Groups of tasks are numbered, and the numbers are put into a pipe before the
  first fork.  Workers take the next number from it, so nobody waits for anybody.
  Two bytes a number and at most ``PIPE_BUF`` in all: the write never blocks, and
  the pipe is emptied in whole numbers.  Should a platform tear one apart all the
  same, groups are done twice or not at all, and *not at all* is noticed below.
- Each worker has a pipe of its own for answers and never waits for its reader
  while there is work left.  The last frame says that the worker is done.
- An answer that never came, for whatever reason, is ``None``: the parent has to
  do that task itself.
"""

from __future__ import annotations

import os
import pickle
import select
import struct
from collections.abc import Callable, Sequence
from typing import Any

from . import children

_NUMBER = struct.Struct('<H')
_FRAME = struct.Struct('<Q')  # length of the pickle that follows; 0: done
_READ_SIZE = 1 << 20  # bytes


def partition(tasks: int, large_tasks: int, workers: int) -> list[range]:
    """Cut ``range(tasks)`` into groups; the first ``large_tasks`` may be long ones.

    Small enough that the pool ends at about the same time, few enough for the
    pipe of numbers.
    """
    room = select.PIPE_BUF // _NUMBER.size
    groups = [range(i, i + 1) for i in range(min(large_tasks, room // 2))]
    start = len(groups)
    step = max(1, -(-(tasks - start) // min(room - start, workers * 64)))
    groups += [range(i, min(i + step, tasks)) for i in range(start, tasks, step)]
    return groups


class WorkerPool:
    """Answers to ``do(task)`` for every task, worked out by other processes.

    ``do`` runs in the workers; its answers must be picklable, and an exception is
    the answer ``None``.  ``on_start`` and ``on_end`` run in each worker,
    ``on_loss(pid, status)`` runs in the parent when a worker did not come to its
    end; status as ``os.waitpid`` gives it.
    """

    def __init__(
        self,
        do: Callable[[Any], Any],
        tasks: Sequence[Any],
        on_start: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
        on_loss: Callable[[int, int], None] | None = None,
    ) -> None:
        self._do = do
        self.tasks = frozenset(tasks)
        self._order = tasks
        self._on_start = on_start
        self._on_end = on_end
        self._on_loss = on_loss
        self._answers: dict[Any, Any] = {}
        # read end -> (worker, bytes not yet parsed, done frame seen)
        self._pipes: dict[int, tuple[int, bytearray, bool]] = {}
        self._parent = os.getpid()
        self._numbers = -1  # where the numbers of groups are taken from

    def start(self, workers: int, large_tasks: int = 0) -> None:
        """Fork ``workers`` processes; the first ``large_tasks`` tasks are long ones.

        May raise ``OSError``; then none is left.
        """
        groups = partition(len(self._order), large_tasks, workers)
        self._numbers, give = os.pipe()
        try:
            try:
                os.write(give, b''.join(map(_NUMBER.pack, range(len(groups)))))
            finally:
                os.close(give)
            for _i in range(min(workers, len(groups))):
                self._fork(groups)
        except BaseException:
            self.close()
            raise

    def answer(self, task: Any) -> Any:
        """What a worker says about ``task``; waits for it; ``None``: nobody does.

        ``task`` is one of the pool's.  An answer is given once, then forgotten.
        """
        while task not in self._answers and self._pipes:
            self._collect()
        return self._answers.pop(task, None)

    def finish(self) -> None:
        """No more answers are wanted: let the workers come to their end."""
        self._on_loss = None
        while os.read(self._numbers, _READ_SIZE):
            pass
        while self._pipes:
            self._collect()

    def close(self) -> None:
        """End the workers that still run, and wait until they are gone."""
        if self._numbers >= 0:
            os.close(self._numbers)
            self._numbers = -1
        while self._pipes:
            fd, (pid, _data, _done) = self._pipes.popitem()
            children.end(pid)
            children.release(fd)
        self._answers.clear()

    # the parent's side

    def _fork(self, groups: list[range]) -> None:
        def note(pid: int, fd: int) -> None:
            self._pipes[fd] = (pid, bytearray(), False)

        children.start(lambda out: self._work(groups, out), note)

    def _collect(self) -> None:
        """Wait for the workers to say something, and take note of it."""
        poll = select.poll()
        for fd in self._pipes:
            poll.register(fd, select.POLLIN)
        for fd, _event in poll.poll():
            data = os.read(fd, _READ_SIZE)
            if data:
                self._parse(fd, data)
            else:
                pid, _rest, done = self._pipes.pop(fd)
                children.release(fd)
                status = children.reap(pid)
                if (status or not done) and self._on_loss is not None:
                    self._on_loss(pid, status)

    def _parse(self, fd: int, data: bytes) -> None:
        pid, pending, done = self._pipes[fd]
        pending += data
        while len(pending) >= _FRAME.size:
            (size,) = _FRAME.unpack_from(pending)
            end = _FRAME.size + size
            if len(pending) < end:
                break
            if size:
                self._answers.update(pickle.loads(pending[_FRAME.size : end]))
            else:
                done = True
            del pending[:end]
        self._pipes[fd] = (pid, pending, done)

    # the worker's side

    def _work(self, groups: list[range], out: int) -> None:
        if self._on_start is not None:
            self._on_start()
        os.set_blocking(out, False)
        pending = bytearray()
        while True:
            number = os.read(self._numbers, _NUMBER.size)
            if len(number) != _NUMBER.size:
                break
            answers = {}
            for i in groups[_NUMBER.unpack(number)[0]]:
                if os.getppid() != self._parent:
                    os._exit(1)  # nobody listens any more
                task = self._order[i]
                try:
                    answers[task] = self._do(task)
                except Exception:
                    # the parent does it, and says what is wrong
                    answers[task] = None
            data = pickle.dumps(answers, protocol=4)
            pending += _FRAME.pack(len(data)) + data
            _write_some(out, pending)
        if self._on_end is not None:
            self._on_end()
        os.set_blocking(out, True)
        pending += _FRAME.pack(0)
        while pending:
            _write_some(out, pending)


def _write_some(fd: int, pending: bytearray) -> None:
    """Write what the pipe takes now, and cut it off ``pending``."""
    try:
        while pending:
            del pending[: os.write(fd, pending[:_READ_SIZE])]
    except BlockingIOError:
        pass
