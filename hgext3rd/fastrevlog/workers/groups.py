# Worker processes that are given their tasks one by one.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks that become known one after the other, and whose answers come in that order.

Goals: the parent, which reads tasks from a stream and makes use of the answers, never
waits for a worker that waits for it; what is on its way is bounded by the caller
(:attr:`TaskPool.waiting`); no answer is lost, and a task whose worker died is answered
with None, for the parent to do.

How it works: each worker has a pipe for tasks and one for answers.  A worker reads,
works and writes, and blocks where it must.  The parent's end of the first never
blocks: what a pipe does not take stays with the parent, and is written when there is
room.  A worker is given no more than it needs to be busy, so that a long task holds
up few others.
"""

from __future__ import annotations

import collections
import os
import select
import struct
from collections.abc import Callable

from . import children

_HEADER = struct.Struct('<Iq')  # number of the task; length of what follows, or:
_NO_ANSWER = -1
_READ_SIZE = 1 << 20  # bytes
_PIPE_SIZE = 1 << 20  # bytes
# bytes of tasks that a worker has, before others are asked: so many that it is busy for
# some milliseconds, in which the parent may write a file; a guess, not tuned
_AHEAD = 256 << 10
_SMALL = 64 << 10  # bytes of a task; to copy it costs less than another system call


class _Worker:
    """The parent's view of one worker."""

    __slots__ = (
        'pid',
        'tasks_fd',
        'answers_fd',
        'to_write',
        'pending',
        'tasks',
        'load',
    )

    def __init__(self, pid: int, tasks_fd: int, answers_fd: int) -> None:
        self.pid = pid
        self.tasks_fd = tasks_fd
        self.answers_fd = answers_fd
        self.to_write: collections.deque[memoryview] = collections.deque()
        self.pending = bytearray()  # of answers, not parsed yet
        self.tasks: collections.deque[tuple[int, int]] = collections.deque()
        self.load = 0  # bytes of the tasks it has


class TaskPool:
    """Answers to ``do(task)``, worked out by other processes.

    Tasks and answers are bytes; an answer of None, an exception and the death of a
    worker are all None.  ``on_start`` runs in each worker.
    """

    def __init__(
        self,
        do: Callable[[bytes], bytes | None],
        on_start: Callable[[], None] | None = None,
    ) -> None:
        self._do = do
        self._on_start = on_start
        self._workers: list[_Worker] = []
        self._answers: dict[int, bytes | None] = {}
        # number, task, size
        self._queue: collections.deque[tuple[int, bytes, int]] = collections.deque()
        self._next = 0
        self._parent = os.getpid()
        self.waiting = 0  # bytes of tasks without an answer
        self.lost = 0  # workers that died

    def start(self, workers: int) -> None:
        """Fork ``workers`` processes.  May raise ``OSError``; then none is left."""
        try:
            for _i in range(workers):
                self._fork()
        except BaseException:
            self.close()
            raise

    def _fork(self) -> None:
        theirs, ours = os.pipe()
        children.hold(ours)
        try:
            children.resize(ours, _PIPE_SIZE)

            def note(pid: int, answers: int) -> None:
                self._workers.append(_Worker(pid, ours, answers))

            children.start(lambda out: self._work(theirs, out), note, _PIPE_SIZE)
        except BaseException:
            if not any(worker.tasks_fd == ours for worker in self._workers):
                children.release(ours)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)

    @property
    def workers(self) -> int:
        """How many are alive, as far as is known."""
        return len(self._workers)

    def submit(self, task: bytes, load: int = 0) -> int:
        """Have ``task`` done; the number under which to ask for its answer.

        ``load`` is how large it is, in bytes, where that is more than its length.
        """
        number = self._next
        self._next += 1
        size = max(load, len(task))
        self.waiting += size
        self._queue.append((number, task, size))
        self._share_out()
        return number

    def answered(self, number: int) -> bool:
        """Is the answer to this task there, as far as is known?"""
        return number in self._answers

    def ready(self, number: int) -> bool:
        """Is the answer to this task there?  Does not wait."""
        if number not in self._answers:
            self._exchange(0)
        return number in self._answers

    def answer(self, number: int) -> bytes | None:
        """The answer to this task; waits for it.  Given once."""
        while number not in self._answers:
            self._exchange(None)
        return self._answers.pop(number)

    def close(self) -> None:
        """End all workers, and wait until they are gone."""
        while self._workers:
            worker = self._workers.pop()
            children.release(worker.tasks_fd)
            children.end(worker.pid)
            children.release(worker.answers_fd)
        self._answers.clear()
        self._queue.clear()

    # the parent's side

    def _share_out(self) -> None:
        """Give tasks to workers that have little to do."""
        while self._queue:
            if not self._workers:
                while self._queue:
                    number, _task, size = self._queue.popleft()
                    self._answered(number, size)
                return
            worker = min(self._workers, key=lambda worker: worker.load)
            if worker.load > _AHEAD:
                return
            number, task, size = self._queue.popleft()
            worker.tasks.append((number, size))
            worker.load += size
            header = _HEADER.pack(number, len(task))
            if len(task) < _SMALL:
                worker.to_write.append(memoryview(header + task))
            else:
                worker.to_write += memoryview(header), memoryview(task)
            self._write(worker)

    def _answered(self, number: int, size: int, answer: bytes | None = None) -> None:
        self._answers[number] = answer
        self.waiting -= size

    def _write(self, worker: _Worker) -> None:
        """Write what the pipe takes now."""
        to_write = worker.to_write
        try:
            while to_write:
                piece = to_write[0]
                done = os.write(worker.tasks_fd, piece)
                if done == len(piece):
                    to_write.popleft()
                else:
                    to_write[0] = piece[done:]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            to_write.clear()  # its end is noted where its answers are read

    def _exchange(self, timeout: int | None) -> None:
        """Write and read what can be; waits for up to ``timeout`` ms (None: any)."""
        poll = select.poll()
        by_fd = {}
        for worker in self._workers:
            poll.register(worker.answers_fd, select.POLLIN)
            by_fd[worker.answers_fd] = worker
            if worker.to_write:
                poll.register(worker.tasks_fd, select.POLLOUT)
                by_fd[worker.tasks_fd] = worker
        for fd, _event in poll.poll(timeout):
            worker = by_fd[fd]
            if fd == worker.tasks_fd:
                self._write(worker)
                continue
            data = os.read(fd, _READ_SIZE)
            if data:
                worker.pending += data
                self._parse(worker)
            elif worker in self._workers:
                self._lose(worker)
        self._share_out()

    def _parse(self, worker: _Worker) -> None:
        pending = worker.pending
        at = 0
        while len(pending) - at >= _HEADER.size:
            number, size = _HEADER.unpack_from(pending, at)
            end = at + _HEADER.size + max(size, 0)
            if len(pending) < end:
                break
            answer = None
            if size >= 0:
                with memoryview(pending) as view:
                    answer = bytes(view[at + _HEADER.size : end])
            _number, task_size = worker.tasks.popleft()
            worker.load -= task_size
            self._answered(number, task_size, answer)
            at = end
        del pending[:at]

    def _lose(self, worker: _Worker) -> None:
        """A worker is gone: what it had to do has no answer."""
        self.lost += 1
        self._workers.remove(worker)
        children.release(worker.tasks_fd)
        children.release(worker.answers_fd)
        children.end(worker.pid)
        for number, size in worker.tasks:
            self._answered(number, size)

    # the worker's side

    def _work(self, tasks: int, out: int) -> None:
        if self._on_start is not None:
            self._on_start()
        # a buffered reader holds what is large once only
        with open(tasks, 'rb', _READ_SIZE, closefd=False) as stream:
            while True:
                header = stream.read(_HEADER.size)
                if len(header) < _HEADER.size:
                    return
                number, size = _HEADER.unpack(header)
                task = stream.read(size)
                if len(task) < size:
                    return
                self._answer(out, number, task)

    def _answer(self, out: int, number: int, task: bytes) -> None:
        try:
            answer = self._do(task)
        except Exception:
            answer = None  # the parent does it, and says what is wrong
        size = _NO_ANSWER if answer is None else len(answer)
        view = memoryview(_HEADER.pack(number, size) + (answer or b''))
        while view:
            view = view[os.write(out, view) :]
