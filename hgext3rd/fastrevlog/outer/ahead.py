# Parts of a changegroup that are made ahead by workers.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether, and by how many workers.

For a bundle that a user makes, and where the user's own process sends to itself or to
another (a clone or a pull from a path, a push).  A server has many clients, and
makes everything in the process that serves them.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

from .. import process
from ..workers import decision
from ..workers import stream as streammod

# manifests and files together; an estimate, not measured, of what makes forking pay
_WORTHWHILE = 3000
_SERVED = b'serve'

Task = tuple[Any, int, int]


def cut(part: Any, count: int, most: int, least: int) -> list[Task]:
    """``(part, start, stop)`` for all of ``range(count)``, in at most ``most``."""
    step = max(least, -(-count // most))
    return [(part, i, min(i + step, count)) for i in range(0, count, step)]


def _do(task: Task) -> Iterator[bytes]:
    part, start, stop = task
    pieces: Iterator[bytes] = part.pieces(start, stop)
    return pieces


@contextlib.contextmanager
def stream(sender: Any, tasks: list[Task]) -> Iterator[Any]:
    """The answers to ``tasks``, from workers or from this process."""
    workers = _workers(sender, tasks)
    serial = streammod.SerialStream(_do, tasks)
    if not workers:
        yield serial
        return
    made = streammod.WorkerStream(_do, tasks, on_start=_on_start)
    try:
        made.start(workers)
    except OSError:
        yield serial
        return
    process.counters.emitted['by workers'] += len(tasks)
    try:
        yield made
    finally:
        made.close()


def _on_start() -> None:
    process.after_fork()
    # what was there before the fork is never freed, and need not be looked at
    gc.disable()


def _workers(sender: Any, tasks: list[Task]) -> int:
    """How many workers make ``tasks``; 0: this process does."""
    if sender.source == _SERVED or len(tasks) > streammod.MAX_TASKS:
        return 0
    workers, wanted, reason = decision.workers_for(sender.repo.ui)
    if reason:
        return 0
    if not wanted and sum([stop - start for _part, start, stop in tasks]) < _WORTHWHILE:
        return 0
    if sender.source != b'bundle' and not wanted:
        # whoever takes it in has more to do
        return max(1, workers // 2)
    return workers
