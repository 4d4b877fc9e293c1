# A diff of many files, on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of one diff (``hg diff -r OLD -r NEW``, a large changeset), made ahead.

Mercurial goes through pairs of files (old name, new name, how it was copied), reads
both, and compares them.  A worker does that for a pair with Mercurial's own
function; headers and hunks come back, and Mercurial goes on with them as if it had
made them just now.

Which pairs there are, and which copy is a rename, depends on all files together and
is found out once, by Mercurial's function, in the parent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mercurial import context, mdiff

from . import ahead, plain

# of `patch`, and of a file's context: what workers call
IN_WORKERS = ('_filepairs', 'diffcontent')
IN_WORKERS_OF_FILES = ('data', 'isbinary', 'cmp', 'size')

Pair = tuple[Any, Any, Any]  # old name, new name, how it was copied
Diff = tuple[Any, Any, list[bytes], Any]  # both files, header, hunks


def diffs(orig: Callable[..., Iterator[Diff]], patch: Any, args: Any) -> Iterator[Diff]:
    """What ``orig(*args)``, which is ``patch.trydiff``, yields; ``args`` is named."""
    pairs = list(
        patch._filepairs(args.modified, args.added, args.removed, args.copy, args.opts)
    )
    maker = FilePairs(orig, patch, args, pairs)
    numbers = ahead.Ahead(args.repo.ui, list(range(len(pairs))), maker)
    with contextlib.closing(iter(numbers)) as in_order:
        for number in in_order:
            answer = numbers.answer
            if answer is None:
                yield from maker.diff(number)
                continue
            f1, f2, _copied = pairs[number]
            header, hunks = answer
            fctx1 = args.ctx1.filectx(f1) if f1 else None
            fctx2 = args.ctx2.filectx(f2) if f2 else None
            yield fctx1, fctx2, header, hunks


class FilePairs(ahead.Maker):
    """Makes the diff of ``pairs[number]``."""

    what = 'diff'

    def __init__(self, orig: Any, patch: Any, args: Any, pairs: list[Pair]) -> None:
        self._orig = orig
        self._patch = patch
        self._args = args
        self._pairs = pairs
        self._capture: Any = None

    def diff(self, number: int) -> list[Diff]:
        """By Mercurial's function, with this pair alone; hunks are still to be made."""
        patch = self._patch
        pair = self._pairs[number]
        find_pairs = patch._filepairs
        patch._filepairs = lambda *_lists: [pair]
        try:
            return list(self._orig(*self._args))
        finally:
            patch._filepairs = find_pairs

    # for the workers

    def refusal(self) -> str | None:
        args = self._args
        repo = args.repo
        reason = plain.refusal(repo.ui, repo, buffered=True)
        if reason is not None:
            return reason
        for ctx in (args.ctx1, args.ctx2):
            if type(ctx) is not context.changectx:
                return 'files: of the working directory'
        patch = self._patch
        functions = [getattr(patch, name) for name in IN_WORKERS]
        functions += [getattr(context.filectx, name) for name in IN_WORKERS_OF_FILES]
        for function in (self._orig, mdiff.unidiff, *functions):
            if not plain.is_known(function):
                return 'comparison: changed by an extension'
        return None

    def is_here(self, _number: int) -> bool:
        return False

    def describe(self, _number: int) -> None:
        return None

    def on_start(self) -> None:
        repo = self._args.repo
        self._capture = plain.begin_worker(repo, repo.ui)

    def make(self, _position: int, number: int, _description: None) -> Any:
        self._capture.begin()
        ((_fctx1, _fctx2, header, hunks),) = self.diff(number)
        # nobody looks at single lines, and there are many
        made = [(where, [b''.join(lines)]) for where, lines in hunks]
        return None if self._capture.end() != b'' else (header, made)
