# Forked workers whose answers come in the order of the tasks.
# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordered, bounded map over forked processes.

Goals: the answers come in the order of the tasks, the first one as soon as it is
there; what waits to be taken is bounded, so that a slow taker slows the workers
down; whatever happens, no process is left behind, and a task without an answer is
known to be one.

Why not :class:`.pool.WorkerPool`?  It knows all tasks before it forks, gives
answers by name in any order, and holds as many as come.  :class:`.stream.WorkerStream`
knows all tasks as well, few of them, and gives bytes in pieces.

How it works:

- Each worker has two pipes: tasks come by one, answers go by the other.  The
  parent hands out *runs* of tasks, of 1, 2, 4, ... up to ``LONGEST_RUN``, in turn:
  short ones first, so that the first answers come at once, longer ones later,
  because neighbours share work (a base text, a manifest).  Two runs wait at each
  worker at most, so that it need not wait for the parent between them.
- The parent reads from all workers while it waits for the one whose turn it is,
  as long as no more than ``unread`` bytes wait here; beyond, from that one only.
  A worker whose pipe is full stands still.  A parent that does not ask for the
  next answer reads nothing.
- An answer that a worker could not give (it raised, was killed, or the answer is
  larger than ``largest``) is ``None``: the parent does that task itself, where an
  error is the same as it would be without workers.
- Pulling the next task may take long (a revset that looks for a needle).  Where it
  does, no task is pulled before the answers of those that were are taken.

A parent that dies closes the pipes of the tasks, which ends its workers.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from .. import process
from . import children

# What was tried with `log -p` over 1,200 revisions: longer runs leave one worker
# with the last one, shorter ones restore more manifests from further away.
LONGEST_RUN = 16
UNREAD = 16 << 20  # bytes of answers that wait in the parent
LARGEST = 8 << 20  # bytes of an answer
_FRAME = struct.Struct('<Q')  # length of the pickle that follows
_READ_SIZE = 1 << 20  # bytes
_SMALL = 16 << 10  # bytes of a run; three of them fit into any pipe
_WRITE_SIZE = 32 << 10  # bytes of answers that a worker saves up
_WRITE_SECONDS = 0.01  # how long it does so
_SLOW_PULL = 0.005  # seconds


class Serial:
    """The twin of :class:`OrderedPool` that has no workers: no answer is given."""

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *_details: object) -> None:
        return

    def answers(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each task, with ``None`` for an answer: the caller does all of them."""
        for task in tasks:
            yield task, None


class _Worker:
    """What the parent knows of one worker."""

    __slots__ = ('pid', 'tasks', 'answers', 'data', 'ready', 'waiting', 'runs')

    def __init__(self, pid: int, tasks: int, answers: int) -> None:
        self.pid = pid
        self.tasks = tasks  # file descriptor, to write to; -1: closed
        self.answers = answers  # file descriptor, to read from; -1: closed
        self.data = bytearray()  # of a frame that is not complete
        self.ready: deque[tuple[int, Any]] = deque()  # (bytes, answer)
        self.waiting = 0  # tasks handed out, less those that were answered
        self.runs: deque[int] = deque()  # tasks left of each run handed out

    def end_tasks(self) -> None:
        """Let the worker come to its end when it has done what it was given."""
        if self.tasks >= 0:
            children.release(self.tasks)
            self.tasks = -1


class OrderedPool:
    """``do(task)`` for each task in other processes, answers in order.

    ``do`` runs in the workers, which are copies of this process as it is when
    they are forked; tasks and answers are picklable, and an answer is not
    ``None``.  ``on_start`` and ``on_end`` run in each worker; ``on_loss(pid,
    status)`` runs in the parent when a worker did not come to its end, status as
    ``os.waitpid`` gives it.  ``here(task)`` says that a task is none for a worker.
    """

    def __init__(
        self,
        do: Callable[[Any], Any],
        workers: int,
        on_start: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
        on_loss: Callable[[int, int], None] | None = None,
        here: Callable[[Any], bool] | None = None,
        unread: int = UNREAD,
        largest: int = LARGEST,
        longest_run: int = LONGEST_RUN,
    ) -> None:
        self._do = do
        self._count = workers
        self._on_start = on_start
        self._on_end = on_end
        self._on_loss = on_loss
        self._here = here
        self._unread = unread
        self._largest = largest
        self._longest_run = longest_run
        self._workers: list[_Worker] = []
        self._forked = 0
        self._runs = 0  # handed out so far
        self._buffered = 0  # bytes of answers in the parent

    def __enter__(self) -> OrderedPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close(gently=kind is None)

    def close(self, gently: bool = False) -> None:
        """End the workers, and wait until they are gone.

        ``gently`` lets them run ``on_end``, unless one has a task.
        """
        workers = self._workers
        gently = gently and not any(worker.waiting for worker in workers)
        for worker in workers:
            worker.end_tasks()
        try:
            while gently and workers:
                children.reap(workers[-1].pid)
                children.release(workers.pop().answers)
        finally:
            while workers:
                worker = workers.pop()
                children.end(worker.pid)
                children.release(worker.answers)

    # the parent's side

    def answers(self, tasks: Iterable[Any], count: int | None = None) -> Iterator[Any]:
        """Pairs of task and answer, in order; ``None``: the caller has to do it.

        ``count`` is the number of tasks, where it is known.  An error of ``tasks``
        is raised when what came before it was given.  Called once.
        """
        source = iter(tasks)
        given: deque[tuple[Any, _Worker | None]] = deque()
        end: list[BaseException | None] = []
        slow = False
        pulled = 0
        while True:
            while not end and not (slow and given):
                worker = self._idle_worker()
                if worker is None and given:
                    break
                left = None if count is None else count - pulled
                size = 1
                if worker is not None and not slow:
                    size = self._run_length(left)
                run, slow = _pull(source, size, end)
                pulled += len(run)
                self._hand_out(worker, run, given)
            if not given:
                break
            task, worker = given.popleft()
            yield task, None if worker is None else self._wait_for(worker)
        if end[0] is not None:
            raise end[0]

    def _run_length(self, left: int | None) -> int:
        """How many tasks the next run has."""
        grown: int = 1 << min(16, self._runs // self._count)
        size = min(self._longest_run, grown)
        if left is not None:
            # all workers come to their end at about the same time
            size = min(size, max(1, left // (2 * self._count)))
        return size

    def _idle_worker(self) -> _Worker | None:
        """A worker that may get another run, forked now if need be."""
        if self._forked < self._count:
            self._forked += 1
            try:
                return self._fork()
            except OSError:
                self._forked = self._count  # then with those that there are
        free = [w for w in self._workers if w.tasks >= 0 and len(w.runs) < 2]
        return min(free, key=lambda worker: worker.waiting, default=None)

    def _hand_out(
        self, worker: _Worker | None, run: list[Any], given: deque[Any]
    ) -> None:
        """Send ``run`` to ``worker``, and note in ``given`` who has which task."""
        here = self._here
        away = [task for task in run if here is None or not here(task)]
        if worker is not None and away and not self._send(worker, away):
            worker = None
        if worker is not None and away:
            worker.waiting += len(away)
            worker.runs.append(len(away))
            self._runs += 1
        for task in run:
            if here is not None and here(task):
                given.append((task, None))
            else:
                given.append((task, worker))

    def _send(self, worker: _Worker, run: list[Any]) -> bool:
        data = pickle.dumps(run, protocol=4)
        while len(data) > _SMALL and worker.runs and worker.answers >= 0:
            # may not fit into the pipe, which nobody reads before these are done
            self._collect(worker)
        data = _FRAME.pack(len(data)) + data
        # with a pager, Mercurial takes this signal for a reader that has gone
        handler = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        try:
            while data:
                data = data[os.write(worker.tasks, data) :]
        except OSError:  # the worker is gone
            worker.end_tasks()
            return False
        finally:
            signal.signal(signal.SIGPIPE, handler)
        return True

    def _wait_for(self, worker: _Worker) -> Any:
        """The next answer of ``worker``, or None if there will be none."""
        while not worker.ready and worker.answers >= 0:
            self._collect(worker)
        if not worker.ready:
            return None
        size, answer = worker.ready.popleft()
        self._buffered -= size
        return answer

    def _collect(self, first: _Worker) -> None:
        """Wait until ``first`` says something; listen to the others as well."""
        poll = select.poll()
        by_fd = {first.answers: first}
        if self._buffered < self._unread:
            by_fd.update((w.answers, w) for w in self._workers if w.answers >= 0)
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        for fd, _event in poll.poll():
            worker = by_fd[fd]
            data = os.read(fd, _READ_SIZE)
            if data:
                self._parse(worker, data)
            else:
                self._lost(worker)

    def _parse(self, worker: _Worker, data: bytes) -> None:
        pending = worker.data
        pending += data
        at = 0
        while len(pending) - at >= _FRAME.size:
            (size,) = _FRAME.unpack_from(pending, at)
            start = at + _FRAME.size
            if len(pending) - start < size:
                break
            at = start + size
            with memoryview(pending) as view:
                answer = pickle.loads(view[start:at])
            worker.ready.append((size, answer))
            self._buffered += size
            worker.waiting -= 1
            worker.runs[0] -= 1
            if not worker.runs[0]:
                worker.runs.popleft()
        del pending[:at]

    def _lost(self, worker: _Worker) -> None:
        """``worker`` has gone before its time."""
        worker.end_tasks()
        children.release(worker.answers)
        worker.answers = -1
        self._workers.remove(worker)
        status = children.reap(worker.pid)
        if self._on_loss is not None:
            self._on_loss(worker.pid, status)

    def _fork(self) -> _Worker:
        take, give = os.pipe()
        children.hold(give)

        def note(pid: int, fd: int) -> None:
            self._workers.append(_Worker(pid, give, fd))

        try:
            children.start(lambda out: self._child(take, out), note, _READ_SIZE)
        except OSError:
            children.release(give)
            raise
        finally:
            os.close(take)
        return self._workers[-1]

    # the worker's side

    def _child(self, take: int, speak: int) -> None:
        gc.freeze()  # what is there stays shared with the parent
        process.state.in_worker = True
        if self._on_start is not None:
            self._on_start()
        with open(take, 'rb', closefd=False) as tasks:
            self._work(tasks, speak)
        if self._on_end is not None:
            self._on_end()

    def _work(self, tasks: Any, speak: int) -> None:
        pending = bytearray()
        while True:
            head = tasks.read(_FRAME.size)
            if len(head) != _FRAME.size:
                return
            run = pickle.loads(tasks.read(_FRAME.unpack(head)[0]))
            deadline = time.perf_counter() + _WRITE_SECONDS
            for task in run:
                data = self._answer(task)
                pending += _FRAME.pack(len(data))
                pending += data
                now = time.perf_counter()
                if len(pending) > _WRITE_SIZE or now > deadline:
                    _write_all(speak, pending)
                    deadline = now + _WRITE_SECONDS
            _write_all(speak, pending)

    def _answer(self, task: Any) -> bytes:
        try:
            data = pickle.dumps(self._do(task), protocol=4)
            if len(data) <= self._largest:
                return data
        except Exception:
            return _NOTHING  # the parent does it, and says what is wrong
        return _NOTHING


def _pull(
    source: Iterator[Any], size: int, end: list[BaseException | None]
) -> tuple[list[Any], bool]:
    """The next tasks, ``size`` at most, and whether the last one took long.

    ``end`` gets what ends them: an error, or None.
    """
    run: list[Any] = []
    slow = False
    while len(run) < size and not slow and not end:
        start = time.perf_counter()
        try:
            run.append(next(source))
        except StopIteration:
            end.append(None)
        except Exception as exc:
            end.append(exc)
        slow = time.perf_counter() - start > _SLOW_PULL
    return run, slow


_NOTHING = pickle.dumps(None, protocol=4)


def _write_all(fd: int, pending: bytearray) -> None:
    while pending:
        with memoryview(pending) as view:
            written = os.write(fd, view)
        del pending[:written]
