# `hg churn` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines that a changeset adds and removes, counted ahead by workers.

Mercurial walks over changesets in windows, as `grep` does, and compares each with its
first parent, but for merges.  A worker gives the two numbers.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from . import ahead, displayers, plain, search

ATTRIBUTE = '_fastrevlog_churn'  # of the repository: the walk that is under way
MODULE = 'hgext.churn'


def walk(
    orig: Callable[..., Any], repo: Any, revs: Any, makefilematcher: Any, prepare: Any
) -> Iterator[Any]:
    """What ``orig``, which is ``scmutil.walkchangerevs``, yields."""
    maker = Churn(repo, makefilematcher)
    compared = (rev for rev in search.in_windows(revs) if _is_compared(repo, rev))
    maker.revisions = ahead.Ahead(repo.ui, compared, maker, counted=revs)
    place = vars(repo.unfiltered())
    with contextlib.closing(iter(maker.revisions)) as in_order:
        maker.in_order = in_order
        place[ATTRIBUTE] = maker
        try:
            yield from orig(repo, revs, makefilematcher, prepare)
        finally:
            del place[ATTRIBUTE]


def _is_compared(repo: Any, rev: Any) -> bool:
    return len(repo[rev].parents()) < 2


class Churn(ahead.Maker):
    """Counts the lines that changesets change."""

    what = 'churn'

    def __init__(self, repo: Any, makefilematcher: Any) -> None:
        self._repo = repo
        self._matcher_of = makefilematcher
        self._module = sys.modules[MODULE]
        self._capture: Any = None
        self.revisions: Any = None
        self.in_order: Any = None

    def refusal(self) -> str | None:
        repo = self._repo
        reason = plain.refusal(repo.ui, repo)
        if reason is not None:
            return reason
        if not plain.is_known(self._module.changedlines):
            return 'comparison: changed by an extension'
        if not displayers.is_constant(self._matcher_of):
            return 'files: chosen by an extension'
        return None

    def lines(self, ctx: Any) -> tuple[int, int] | None:
        """Those added and removed by ``ctx``, which is next, if a worker knows."""
        if next(self.in_order, None) != ctx.rev():
            self.in_order.close()  # not the order that we know
            return None
        found: tuple[int, int] | None = self.revisions.answer
        return found

    def is_here(self, rev: Any) -> bool:
        return plain.is_working_directory(rev)

    def describe(self, _rev: Any) -> None:
        return None

    # in a worker

    def on_start(self) -> None:
        # here Mercurial's own function does it
        del vars(self._repo.unfiltered())[ATTRIBUTE]
        self._capture = plain.begin_worker(self._repo, self._repo.ui)

    def make(self, _position: int, rev: Any, _description: None) -> Any:
        repo = self._repo
        self._capture.begin()
        ctx = repo[rev]
        matcher = self._matcher_of(ctx)
        count = self._module.changedlines
        found = count(repo.ui, repo, ctx.parents()[0], ctx, matcher)
        return found if self._capture.end() == b'' else None
