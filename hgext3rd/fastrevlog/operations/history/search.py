# `hg grep --diff` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that a changeset touches, searched ahead by workers.

Mercurial searches in windows: it prepares a window's changesets in ascending order
(reads the files that each touches, and their like in its first parent, and notes the
lines that match), and then shows the window in the order that was asked for.  The
preparation of a changeset is what workers do; the searcher gets its results in place
of its own, and goes on with them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mercurial import scmutil

from . import ahead, plain

# of the searcher, and of its module: what workers call, or something else stands for
IN_WORKERS = ('searchfiles', 'skipfile', '_grepbody', '_readfile', '_prep')
IN_WORKERS_OF_MODULE = ('matchlines',)

# a file, and lines that match: number, first and last column of the match, line
Found = list[tuple[int, int, int, bytes]]
# a file that the changeset touches, what is found there, and in its first parent,
# where None means that there is no such file
Searched = tuple[bytes, Found, Any]


def search(
    orig: Callable[..., Iterator[Any]],
    module: Any,
    searcher: Any,
    revs: Any,
    makefilematcher: Any,
) -> Iterator[Any]:
    """What ``orig``, which is ``searchfiles`` of ``module``'s searcher, yields."""
    maker = Search(orig, module, searcher, makefilematcher)
    revisions = ahead.Ahead(searcher._ui, in_windows(revs), maker)
    with contextlib.closing(iter(revisions)) as in_order:
        prepare = searcher._prep

        def _prep(ctx: Any, fmatch: Any) -> None:
            if next(in_order, None) != ctx.rev():
                in_order.close()  # not the order that we know
                prepare(ctx, fmatch)
            elif revisions.answer is None:
                prepare(ctx, fmatch)
            else:
                maker.note(ctx, revisions.answer)

        searcher._prep = _prep
        try:
            yield from orig(searcher, revs, makefilematcher)
        finally:
            del searcher._prep


def in_windows(revs: Any) -> Iterator[Any]:
    """The order in which Mercurial prepares ``revs``."""
    left = iter(revs)
    for size in scmutil.increasingwindows():
        window = [rev for _i, rev in zip(range(size), left)]
        yield from sorted(window)
        if len(window) < size:
            return


class Search(ahead.Maker):
    """Searches the files that a changeset touches."""

    what = 'grep'

    def __init__(
        self, orig: Any, module: Any, searcher: Any, makefilematcher: Any
    ) -> None:
        self._orig = orig
        self._module = module
        self._searcher = searcher
        self._prepare = searcher._prep
        self._matcher_of = makefilematcher
        self._capture: Any = None

    def refusal(self) -> str | None:
        searcher = self._searcher
        repo = searcher._repo
        reason = plain.refusal(searcher._ui, repo)
        if reason is not None:
            return reason
        if type(searcher) is not self._module.grepsearcher:
            return 'search: of a kind of its own'
        functions = [getattr(self._module, name) for name in IN_WORKERS_OF_MODULE]
        functions += [getattr(searcher, name) for name in IN_WORKERS if name != '_prep']
        for function in (self._orig, self._prepare, *functions):
            if not plain.is_known(function):
                return 'search: changed by an extension'
        if not plain.is_known(self._matcher_of):
            return 'files: chosen by an extension'
        return None

    def is_here(self, rev: Any) -> bool:
        return plain.is_working_directory(rev)

    def describe(self, _rev: Any) -> None:
        return None

    def note(self, ctx: Any, searched: list[Searched]) -> None:
        """Note what a worker found, as the searcher does itself."""
        searcher = self._searcher
        rev = ctx.rev()
        parent = ctx.p1().rev()
        here = searcher._matches.setdefault(rev, {})
        there = searcher._matches.setdefault(parent, {})
        files = searcher._revfiles.setdefault(rev, [])
        for name, found, found_in_parent in searched:
            if name in searcher._skip:
                continue
            files.append(name)
            if name not in here:
                here[name] = self._states(found)
            if found_in_parent is not None and name not in there:
                there[name] = self._states(found_in_parent)

    def _states(self, found: Found) -> list[Any]:
        state = self._module.linestate
        return [state(line, number, start, end) for number, start, end, line in found]

    # in a worker

    def on_start(self) -> None:
        searcher = self._searcher
        self._capture = plain.begin_worker(searcher._repo, searcher._ui)

    def make(self, _position: int, rev: Any, _description: None) -> Any:
        self._capture.begin()
        ctx = self._searcher._repo[rev]
        parent = ctx.p1()
        matches = self._matcher_of(ctx)
        searched: list[Searched] = []
        for name in ctx.files():
            if matches(name) and name in ctx:
                before = self._found(parent, name) if name in parent else None
                searched.append((name, self._found(ctx, name), before))
        return None if self._capture.end() != b'' else searched

    def _found(self, ctx: Any, name: bytes) -> Found:
        searcher = self._searcher
        body = searcher._readfile(ctx, name)
        return list(self._module.matchlines(body, searcher._regexp))
