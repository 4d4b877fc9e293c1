# What is known of file logs, held against changelog and manifest.
# SPDX-License-Identifier: GPL-2.0-or-later
"""From facts about file logs to the stand-ins that Mercurial's verifier gets.

The module :mod:`.wrap` says why there are stand-ins.  They are made for the loop over
the files in ``verifier._verifyfiles``, and behave as a file log without a problem and
without a revision left to look at; what that loop would have counted and crossed out
is counted and crossed out here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from mercurial import filelog
from mercurial.i18n import _

from ... import fallback, process, stores, unchanged
from ...workers import pool as poolmod
from . import filelogs


def use_stock_inner(rl: Any) -> bool:
    """Let Mercurial's own code read ``rl`` from now on, if it is ours; was it?

    The index is the one that was loaded; nothing else that we know of ``rl`` is
    used again, but how far a chunk may expand.
    """
    inner = rl._inner
    if not getattr(inner, 'is_fastrevlog', False):
        return False
    load_inner = unchanged.stock_of(type(rl)._load_inner)
    load_inner(rl, inner.cindex, None)
    fallback.bound_expansion(rl._inner, inner.cindex, inner.files.name)
    return True


class Standins:
    """What is known of file logs, held against changelog and manifest."""

    def __init__(self, verifier: Any) -> None:
        self._ui = verifier.ui
        self._repo = verifier.repo
        self._havecl = verifier.havecl
        self._checker = filelogs.FilelogChecker(verifier)
        self._pool: poolmod.WorkerPool | None = None
        self._asked: set[bytes] = set()
        self._held: dict[bytes, filelogs.FilelogFacts] = {}
        self._filenodes: dict[bytes, dict[bytes, int]] = {}
        self._filelinkrevs: dict[bytes, list[int]] = {}
        self.revisions = 0  # that the verifier has not seen

    def __enter__(self) -> Standins:
        return self

    def __exit__(self, exception: object, *_details: object) -> None:
        if self._pool is not None:
            try:
                if exception is None:
                    self._pool.finish()
            finally:
                self._pool.close()

    def send_workers(self, workers: int, first: list[bytes], rest: list[bytes]) -> None:
        """Let workers check the file logs of these paths; ``first`` take long."""
        pool = poolmod.WorkerPool(
            self._check,
            first + rest,
            on_start=process.after_fork,
            on_end=self._worker_ends,
            on_loss=self._worker_lost,
        )
        try:
            pool.start(workers, large_tasks=len(first))
        except OSError:
            return  # then it is done here
        self._pool = pool

    def _check(self, path: bytes) -> filelogs.FilelogFacts | None:
        with stores.of(self._repo.svfs).overriding(enabled=True):
            return self._checker.check(path)

    def set_expected(self, filenodes: Any, filelinkrevs: Any) -> None:
        """What the verifier's earlier passes found, as it passes it on itself."""
        self._filenodes = filenodes
        self._filelinkrevs = filelinkrevs

    def file(self, path: bytes) -> Any:
        """The file log of ``path``, or its stand-in if there is nothing to say."""
        if path not in self._asked:
            self._asked.add(path)
            facts = self._facts(path)
            if facts is not None and self._agrees(path, facts):
                self._held[path] = facts
        facts = self._held.get(path)
        if facts is None:
            return self.real_file(path)
        return CheckedFilelog(self, path, facts)

    def _facts(self, path: bytes) -> filelogs.FilelogFacts | None:
        if self._pool is not None and path in self._pool.tasks:
            return self._pool.answer(path)
        try:
            return self._check(path)
        except Exception:
            return None

    def _agrees(self, path: bytes, facts: filelogs.FilelogFacts) -> bool:
        """Whether changelog and manifest know these revisions, and no others."""
        if self._havecl:
            if not set(facts.linkrevs).issubset(self._filelinkrevs.get(path, ())):
                return False
        elif min(facts.linkrevs) < 0:
            return False
        known = self._filenodes.get(path)
        return known is None or known.keys() == set(facts.nodes)

    def real_file(self, path: bytes) -> Any:
        """The file log of ``path``, read by Mercurial's own code."""
        with stores.of(self._repo.svfs).overriding(enabled=True):
            fl = self._repo.file(path)
        if isinstance(fl, filelog.filelog):
            use_stock_inner(fl._revlog)
        return fl

    def mark_verified(self, path: bytes) -> None:
        """Do the accounts as the verifier does when it has seen all revisions."""
        self.revisions += len(self._held.pop(path).nodes)
        if path in self._filenodes:
            self._filenodes[path].clear()

    # in a worker

    def _worker_ends(self) -> None:
        report = self._ui.config(b'fastrevlog', b'report')
        if report:
            process.write_report(report, [os.fsencode(a) for a in sys.argv[1:]])

    # in the parent

    def _worker_lost(self, pid: int, status: int) -> None:
        if os.WIFSIGNALED(status):
            how = _(b'killed by signal %d') % os.WTERMSIG(status)
        else:
            how = _(b'exit code %d') % os.WEXITSTATUS(status)
        self._ui.warn(
            _(b'warning: lost a worker process (%s), checking its files again\n') % how
        )


class CheckedFilelog:
    """What the verifier sees of a file log about which it has nothing to say."""

    def __init__(
        self, standins: Standins, path: bytes, facts: filelogs.FilelogFacts
    ) -> None:
        self._standins = standins
        self._path = path
        self._facts = facts

    def __len__(self) -> int:
        return len(self._facts.nodes)

    def files(self) -> list[bytes]:
        return self._facts.files

    def verifyintegrity(self, state: Any) -> Iterator[Any]:
        """No problem.  Called once, when it is this file log's turn."""
        self._standins.mark_verified(self._path)
        return iter(())

    def __iter__(self) -> Iterator[int]:
        """No revision that would be worth a look: all were looked at."""
        return iter(())

    def __getattr__(self, name: str) -> Any:
        """The rest is asked of file logs that another one was copied from."""
        return getattr(self._standins.real_file(self._path), name)


class CheckedRepo:
    """The repository as the verifier's pass over the files sees it."""

    def __init__(self, repo: Any, standins: Standins) -> None:
        self._repo = repo
        self.file = standins.file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repo, name)
