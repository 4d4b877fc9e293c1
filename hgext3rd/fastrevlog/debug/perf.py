# How much faster is it here?  Stock against fastrevlog, interleaved, in process.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The measurements of ``hg perf::fastrevlog``.

Each row is some work that reads and changes nothing.  It is done by turns with
Mercurial's own code and with ours, on a repository that was opened anew each time,
so that caches of ours and of Mercurial's start empty.  While Mercurial's code is
measured our hooks are taken out, so that it is not slowed down by us.  What both
read is compared before anything is timed, which also warms the disk cache.

Times are processor times, of which other processes take nothing away; by how much
they still vary from run to run, and which part of the processor we had, is part of
the result.  For whole commands, and for other rivals, there is ``benchmarks/``.
"""

from __future__ import annotations

import contextlib
import gc
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from mercurial import hg, util

from .. import install, settings
from . import limits, status

_SEED = 20
_MOST_ROUNDS = 9
_FEWEST_ROUNDS = 3
_PROBES = (16, 128)  # items of the runs that decide how many to take
# items of a row, at the most
_MOST = {'changelog': 3000, 'manifest': 1000, 'filelog': 2000, 'files': 5000}


class Work(NamedTuple):
    """A row: ``kind`` says on what, ``way`` in which order or how far."""

    kind: str
    way: str


WORKS = [
    Work(kind, way)
    for kind in ('changelog', 'manifest', 'filelog')
    for way in ('random', 'ascending', 'descending')
] + [Work('files', 'open'), Work('files', 'read')]


class Result(NamedTuple):
    """What came of a row; times in seconds, each of one run over ``items``."""

    work: Work
    items: int
    stock: list[float]
    fast: list[float]
    identical: bool
    refusal: str | None  # why it is not served
    passed: float  # seconds of the clock for all runs of both
    limit: list[float]  # what cannot be avoided; empty where there is no such thing

    @property
    def stock_median(self) -> float:
        return statistics.median(self.stock)

    @property
    def fast_median(self) -> float:
        return statistics.median(self.fast)

    @property
    def limit_median(self) -> float | None:
        return statistics.median(self.limit) if self.limit else None

    @property
    def ratio(self) -> float:
        return self.stock_median / self.fast_median

    @property
    def used(self) -> float:
        """Seconds of the processor for all runs."""
        return sum(self.stock) + sum(self.fast)

    @property
    def spread(self) -> float:
        """The slowest less the fastest run, as a share of the median; the worse."""
        return max(
            (max(times) - min(times)) / statistics.median(times)
            for times in (self.stock, self.fast)
        )


def _repository(ui: Any, path: bytes) -> Any:
    try:
        from mercurial.repo import factory
    except ImportError:  # before 7.2
        return hg.repository(ui, path)
    return factory.repository(ui, path)


class Side:
    """The repository with fastrevlog on or off, opened as often as need be."""

    def __init__(self, repo: Any, enabled: bool) -> None:
        self.enabled = enabled
        self._root = repo.root
        self._ui = repo.baseui.copy()
        value = b'yes' if enabled else b'no'
        self._ui.setconfig(settings.SECTION, b'enabled', value, b'perf::fastrevlog')

    def repo(self) -> Any:
        """The repository, opened anew: its caches are empty."""
        return _repository(self._ui, self._root).unfiltered()


class Bench:
    """The rows, on one repository with at least one changeset."""

    def __init__(self, repo: Any) -> None:
        self._stock = Side(repo, False)
        self._fast = Side(repo, True)
        match = repo.narrowmatch()
        self._files = [path for path in repo[b'tip'].manifest() if match(path)]
        random.Random(_SEED).shuffle(self._files)
        self.longest: bytes | None = None

    def find_longest(self, seconds: float) -> None:
        """The file with most revisions, as far as there is time to look."""
        repo = self._fast.repo()
        end = util.timer() + seconds
        longest = -1
        for path in self._files:
            length = len(repo.file(path))
            if length > longest:
                longest, self.longest = length, path
            if util.timer() > end:
                break

    def works(self) -> list[Work]:
        """The rows that make sense here."""
        if self._files:
            return WORKS
        return [work for work in WORKS if work.kind in ('changelog', 'manifest')]

    def measure(
        self, work: Work, seconds: float, step: Callable[[Work], None]
    ) -> Result:
        """Do a row within about ``seconds``; ``step(work)`` is called now and then."""
        end = util.timer() + seconds
        items = self._items(work, seconds)
        identical, refusal = self._compare(work, items)
        unavoidable = self._unavoidable(work, items)
        limit: list[float] = []
        stock: list[float] = []
        fast: list[float] = []
        passed = 0.0
        while len(stock) < _MOST_ROUNDS:
            # who goes first changes from round to round
            sides = [(self._stock, stock), (self._fast, fast)]
            if len(stock) % 2:
                sides.reverse()
            for side, times in sides:
                step(work)
                used, clock = self._time(side, work, items)
                times.append(used)
                passed += clock
            if unavoidable:
                limit.append(limits.run(unavoidable))
            if util.timer() > end and len(stock) >= _FEWEST_ROUNDS:
                break
        return Result(work, len(items), stock, fast, identical, refusal, passed, limit)

    def _unavoidable(self, work: Work, items: list[Any]) -> list[list[limits.Step]]:
        """What any reader of these texts has to do; nothing where none is read."""
        if work.way == 'open':
            return []
        repo = self._stock.repo()
        with _as_on(self._stock):
            if work.kind != 'files':
                return [limits.plan(self._revlog(repo, work.kind), items)]
            logs = [repo.file(path)._revlog for path in items]
            return [limits.plan(rl, range(max(len(rl) - 1, 0), len(rl))) for rl in logs]

    def _items(self, work: Work, seconds: float) -> list[Any]:
        """What to read: as much as ``seconds`` allow for a few rounds."""
        everything = self._everything(work)
        affordable = 0
        # the first reads of a run cost more than the others: a small run to find
        # out how large one has to be to find out
        for size in _PROBES:
            if affordable and affordable < size:
                break
            probe = everything[:: max(1, len(everything) // size)][:size]
            _used, clock = self._time(self._stock, work, probe)
            each = max(clock / len(probe), 1e-7)
            # a round of both sides, and as much again for what is not timed
            affordable = int(seconds / (4 * _FEWEST_ROUNDS) / each)
        count = max(_PROBES[0], min(affordable, _MOST[work.kind]))
        if work.way == 'ascending':
            return everything[-count:]
        return everything[:count]

    def _everything(self, work: Work) -> list[Any]:
        if work.kind == 'files':
            return self._files
        revs = list(range(len(self._revlog(self._stock.repo(), work.kind))))
        if work.way == 'random':
            random.Random(_SEED).shuffle(revs)
        elif work.way == 'descending':
            revs.reverse()
        return revs

    def _revlog(self, repo: Any, kind: str) -> Any:
        if kind == 'changelog':
            return repo.changelog
        if kind == 'manifest':
            return repo.manifestlog.getstorage(b'')._revlog
        return repo.file(self.longest)._revlog

    def _call(self, side: Side, work: Work) -> Callable[[Any], Any]:
        """What is done with each item, made ready with empty caches."""
        repo = side.repo()
        if work.kind != 'files':
            call = self._revlog(repo, work.kind).rawdata
        elif work.way == 'open':
            call = repo.file
        else:

            def call(path: bytes) -> Any:
                rl = repo.file(path)._revlog
                return rl.rawdata(len(rl) - 1) if len(rl) else b''

        return call

    def _time(self, side: Side, work: Work, items: list[Any]) -> tuple[float, float]:
        """Seconds of the processor and of the clock for one run."""
        call = self._call(side, work)
        gc.collect()
        with _as_on(side):
            clock = util.timer()
            start = time.process_time()
            for item in items:
                call(item)
            used = time.process_time() - start
            return used, max(util.timer() - clock, used)

    def _compare(self, work: Work, items: list[Any]) -> tuple[bool, str | None]:
        """Whether both sides read the same, and why ours is not served if so."""
        stock = self._call(self._stock, work)
        fast = self._call(self._fast, work)
        opening = work == Work('files', 'open')
        identical = all(
            _gist(fast(item), opening) == _gist(stock(item), opening) for item in items
        )
        rl = self._revlog(self._fast.repo(), work.kind)
        return identical, status.refusal(rl)


def _gist(answer: Any, opened: bool) -> Any:
    """What can be compared of an answer: a text, or a file log."""
    if not opened:
        return answer
    index = answer._revlog.index
    return [index[rev] for rev in range(len(index))]


def _as_on(side: Side) -> Any:
    """A context in which revlogs are opened and read as on ``side``."""
    return contextlib.nullcontext() if side.enabled else install.taken_out()


def measure(
    repo: Any, seconds: float, step: Callable[[float, Work], None]
) -> Iterator[Result]:
    """Measure ``repo`` within about ``seconds``.

    ``step(seconds so far, row)`` is called now and then.
    """
    start = util.timer()
    bench = Bench(repo)
    bench.find_longest(seconds / 10)
    works = bench.works()

    def tick(work: Work) -> None:
        step(util.timer() - start, work)

    for at, work in enumerate(works):
        so_far = util.timer() - start
        share = max(seconds - so_far, 0) / (len(works) - at)
        yield bench.measure(work, share, tick)
