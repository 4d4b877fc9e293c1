# Revisions that are shown one after the other, made ahead by workers.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A generator that stands for the revisions of a command's loop.

Goals: Mercurial's own loop runs, on the same revisions in the same order, and
shows the first one when it always did; it does not notice that what it shows next
was made by another process.

How: the loop gets a generator in place of its revisions.  The first revisions are
passed on, and the time between is taken.  When what is left is worth it, workers
are forked, which are copies of the process at this very place; from then on
:attr:`Ahead.answer` is what a worker made of the revision that is passed on, or
None: then it is shown here.

Time that the reader of the output takes is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from mercurial import error, smartset

from ... import settings

# Below this, starting processes costs more than it gains: until two workers are at work
# takes 8 to 15 ms, and what the parent has read, each touches and reads for itself.
# Chosen from the best runs of `log -p` in one process and in two, in seconds (a busy
# machine, two processors): large manifests 0.30 and 0.37 for the newest 10, 0.39 and
# 0.47 for 20, 1.30 and 1.18 for 40; small ones 0.54 and 0.54, 0.45 and 0.40, 0.89 and
# 0.88.
WORTHWHILE = 0.12  # seconds of processor time that is left
# To hand a piece out and its answer back costs both sides about 25 us: of `log` without
# diffs over 42,000 changesets, 27 us each, half is gained on the clock for two thirds
# more processor time.
CHEAP = 0.0003  # seconds of one piece
# The second and third, too, may have to load something.  `log -G` of 4,000 changesets,
# 0.12 ms each, took its second one for their like, and workers, which took 0.93 s where
# one process takes 0.86.
SAMPLE = 0.004  # seconds of the pieces after the first
# An estimate: more than what is loaded for the first piece takes.
LARGE = 0.25  # seconds of the first piece
_EACH = 64  # pieces after each of which it is asked whether workers pay
_THEN = 16  # and so many pieces apart after that


class Maker:
    """What makers have in common."""

    def begin(self) -> None:
        """There is nothing to prepare."""


class Ahead:
    """``items`` with answers, made in order by worker processes.

    ``maker`` knows how:

    - ``what`` names it;
    - ``refusal()`` says why workers may not, or None;
    - ``describe(item)`` is what a worker has to know beside the item itself;
    - ``is_here(item)``: it is not for workers;
    - ``begin()`` comes before workers are forked, if there are to be any;
    - ``on_start()``, in a worker, comes before ``make(position, item, description)``,
      which gives what is then found in :attr:`answer`.

    There are as many items as there are of ``counted``, if that is not None.
    """

    def __init__(
        self,
        ui: Any,
        items: Iterable[Any],
        maker: Any,
        longest_run: int = 16,
        counted: Any = None,
    ) -> None:
        self._ui = ui
        self._counted = items if counted is None else counted
        self._longest_run = longest_run
        self._items = items
        self._maker = maker
        self.answer: Any = None
        self._answered = 0

    def __iter__(self) -> Generator[Any, None, None]:
        items = iter(self._items)
        total = _count(self._counted)
        at_once = settings.workers(self._ui) > 1
        clock = time.process_time  # work can be shared out, waiting cannot
        begun = clock()
        first = 0.0
        for shown, item in enumerate(items, 1):
            yield item
            if shown > _EACH and shown % _THEN:
                continue  # what is cheap is not to be made dear by looking at the clock
            now = clock()
            if shown == 1:
                first = now - begun
            if total is not None and shown >= total - 1:
                continue  # there is nothing to share
            if at_once or _pays(shown, total, now - begun, first):
                workers = self._decide()
                left = None if total is None else total - shown
                if workers:
                    yield from self._by_workers(workers, items, shown, left)
                else:
                    yield from items
                return

    def decline(self) -> None:
        """The answer is of no use: the item is shown here."""
        if self.answer is not None:
            self.answer = None
            self._answered -= 1

    def _decide(self) -> int:
        """How many workers, for what is worth it; 0: none."""
        from ...workers import decision
        from . import plain

        workers, _set, reason = decision.workers_for(self._ui)
        if not reason:
            try:
                reason = self._maker.refusal() or ''
            except error.Error:
                reason = 'trouble: for Mercurial to find'
        if not reason:
            return workers
        plain.refuse(self._ui, self._maker.what, reason)
        return 0

    def _by_workers(
        self, workers: int, items: Iterator[Any], shown: int, left: int | None
    ) -> Iterator[Any]:
        from ...workers import ordered
        from . import plain

        maker = self._maker
        maker.begin()
        pool = ordered.OrderedPool(
            lambda task: maker.make(*task),
            workers if left is None else min(workers, left),
            on_start=self._on_start,
            on_end=self._on_end,
            here=lambda task: maker.is_here(task[1]),
            longest_run=self._longest_run,
        )
        try:
            with pool:
                for task, answer in pool.answers(self._tasks(items, shown), left):
                    self.answer = answer
                    if answer is not None:
                        self._answered += 1
                    yield task[1]
                    self.answer = None
        finally:
            plain.count(maker.what, self._answered)

    def _tasks(self, items: Iterator[Any], shown: int) -> Iterator[Any]:
        describe = self._maker.describe
        for position, item in enumerate(items, shown):
            yield position, item, describe(item)

    # in a worker

    def _on_start(self) -> None:
        from ... import process

        process.counters.reset()
        self._maker.on_start()

    def _on_end(self) -> None:
        report = self._ui.configpath(b'fastrevlog', b'report')
        if report:
            import os
            import sys

            from ... import process

            process.write_report(report, [os.fsencode(a) for a in sys.argv[1:]])


def _pays(shown: int, total: int | None, seconds: float, first: float) -> bool:
    """Is what is left probably worth it, after ``shown`` items in ``seconds``?

    The first one takes longer than others, because things are loaded for it: alone it
    tells something only if it is large.  Of an unknown number as many are expected as
    there were.
    """
    if shown == 1:
        return total is not None and first > LARGE
    later = seconds - first
    if later < SAMPLE or later / (shown - 1) < CHEAP:
        return False
    left = shown - 1 if total is None else total - shown
    return later / (shown - 1) * left > WORTHWHILE


def _count(items: Any) -> int | None:
    """How many items there are, if that can be told without looking for them."""
    if isinstance(items, (list, tuple)):
        return len(items)
    if type(items) in (smartset.baseset, smartset.fullreposet, smartset._spanset):
        return len(items)
    return None
