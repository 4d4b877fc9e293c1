# `hg annotate` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison of each revision of a file with its parents, made ahead.

A line belongs to the revision that brought it; what a revision has in common with
its parents is theirs.  To find that, each pair of texts is read and compared; to
hand the lines on is a matter of copying parts of lists.  The first is done by
workers, one revision each, the second in the parent, in the order of Mercurial's own
function (parents before children, the second parent's claim before the first's).

A revision that is to be skipped is left to Mercurial's function for one revision,
which knows where its lines go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from mercurial import context, mdiff

from ... import unchanged
from . import ahead, plain

_TEXTS = 4  # that a process holds: those of a revision and of its parents
# A run of revisions begins with the text of a parent that somebody else has read.
_LONGEST_RUN = 32
# functions of Mercurial's module for which there are others here
LEFT_OUT = '_annotatepair _decoratelines'

Parents = Callable[[Any], list[Any]]
# what is the same: first line and end in the parent, first and end in the child
Blocks = list[tuple[int, int, int, int]]


def annotate(
    orig: Any, module: Any, base: Any, parents: Parents, skiprevs: Any, diffopts: Any
) -> Any:
    """What ``orig``, which is ``dag_util.annotate`` of ``module``, would return."""
    if not unchanged.parts_are_of(module, LEFT_OUT, (module.__name__,)):
        plain.refuse(base._repo.ui, 'annotate', 'comparison: changed by an extension')
        found: list[Any] = orig(base, parents, skiprevs=skiprevs, diffopts=diffopts)
        return found
    histories, order = _walk(base, parents)
    comparison = Comparison(orig, module, base, histories, order, diffopts)
    numbers = ahead.Ahead(
        base._repo.ui, list(range(len(order))), comparison, _LONGEST_RUN
    )
    with contextlib.closing(iter(numbers)) as in_order:
        return _attribute(comparison, numbers, in_order, skiprevs)


def _walk(base: Any, parents: Parents) -> tuple[dict[Any, list[Any]], list[Any]]:
    """The parents of each revision, and all in an order that has parents first.

    The order is that in which Mercurial's own function reads them, which matters
    where one cannot be read.
    """
    histories: dict[Any, list[Any]] = {}
    open_ends = [base]
    while open_ends:
        fctx = open_ends.pop()
        if fctx not in histories:
            found = histories[fctx] = parents(fctx)
            open_ends.extend(p for p in found if p not in histories)
    order: list[Any] = []
    done: set[Any] = set()
    path = [base]
    while path:
        fctx = path[-1]
        if fctx in done:
            path.pop()
            continue
        missing = [p for p in histories[fctx] if p not in done]
        if missing:
            path.extend(missing)
        else:
            path.pop()
            done.add(fctx)
            order.append(fctx)
    return histories, order


class Comparison(ahead.Maker):
    """Compares the revisions ``order[number]`` with their parents."""

    what = 'annotate'

    def __init__(
        self,
        orig: Any,
        module: Any,
        base: Any,
        histories: dict[Any, list[Any]],
        order: list[Any],
        diffopts: Any,
    ) -> None:
        self.histories = histories
        self.order = order
        self._orig = orig
        self.module = module
        self._repo = base._repo
        self._diffopts = diffopts
        self._texts: dict[Any, bytes] = {}
        self._capture: Any = None

    def text(self, fctx: Any) -> bytes:
        """The text of a revision; the last ones are held."""
        text = self._texts.pop(fctx, None)
        if text is None:
            text = fctx.data()
            while len(self._texts) >= _TEXTS:
                del self._texts[next(iter(self._texts))]
        self._texts[fctx] = text
        return text

    def compare(self, fctx: Any) -> tuple[int, list[Blocks]]:
        """How many lines it has, and for each parent which of them are the same.

        As (first and end in the parent, first and end in it), counted from 0.
        """
        text = self.text(fctx)
        same: list[Blocks] = []
        for parent in self.histories[fctx]:
            blocks = mdiff.allblocks(self.text(parent), text, opts=self._diffopts)
            same.append([block for block, kind in blocks if kind == b'='])
        last = same[-1][-1] if same and same[-1] else (0, 1)
        if last[0] == last[1]:
            # an empty block at the end of both texts, which says how long they are
            return last[-1], same
        return count_lines(text), same

    # for the workers

    def refusal(self) -> str | None:
        reason = plain.refusal(self._repo.ui, self._repo)
        if reason is not None:
            return reason
        for function in (self._orig, mdiff.allblocks):
            if not plain.is_known(function):
                return 'comparison: changed by an extension'
        if not plain.is_known(context.filectx.data):
            return 'texts: changed by an extension'
        return None

    def is_here(self, number: int) -> bool:
        """Files of the working directory, and whatever else is not in the store."""
        return type(self.order[number]) is not context.filectx

    def describe(self, number: int) -> None:
        return None

    def on_start(self) -> None:
        self._capture = plain.begin_worker(self._repo, self._repo.ui)

    def make(self, position: int, number: int, _description: None) -> Any:
        self._capture.begin()
        found = self.compare(self.order[number])
        return None if self._capture.end() != b'' else found


def count_lines(text: bytes) -> int:
    """How many lines ``text`` has; the last one may have no line feed."""
    return text.count(b'\n') + (not text.endswith(b'\n') and text != b'')


# What belongs to whom, line by line: the revision, the line's number in it, and
# whether the revision was to be skipped.
Lines = tuple[list[Any], list[int], list[bool]]


def _attribute(
    comparison: Comparison, numbers: ahead.Ahead, in_order: Any, skiprevs: Any
) -> list[Any]:
    """Hand the lines on from parents to children; the lines of the last one."""
    histories = comparison.histories
    order = comparison.order
    # how often a revision's lines are still asked for
    uses: dict[Any, int] = {}
    for found in histories.values():
        for parent in found:
            uses[parent] = uses.get(parent, 0) + 1
    lines: dict[Any, Lines] = {}
    for number in in_order:
        fctx = order[number]
        found = histories[fctx]
        if skiprevs is not None and fctx._changeid in skiprevs:
            lines[fctx] = _skip(comparison, fctx, lines)
        else:
            count, same = numbers.answer or comparison.compare(fctx)
            if len(found) == 1 and _keeps_lengths(same[0], count):
                theirs = lines[found[0]]
                if uses[found[0]] > 1:
                    theirs = theirs[0][:], theirs[1][:], theirs[2][:]
                _edit(theirs, same[0], fctx)
                lines[fctx] = theirs
            else:
                lines[fctx] = _merge([lines[p] for p in found], same, count, fctx)
        for parent in found:
            uses[parent] -= 1
            if not uses[parent]:
                del lines[parent]
    base = order[-1]
    texts = mdiff.splitnewlines(comparison.text(base))
    line = comparison.module.annotateline
    return list(map(line, *lines[base], texts))


def _keeps_lengths(blocks: Blocks, count: int) -> bool:
    """Are these blocks as they should be, ascending and equally long?"""
    end = 0
    for a1, a2, b1, b2 in blocks:
        if a2 - a1 != b2 - b1 or b1 < end:
            return False
        end = b2
    return end <= count and bool(blocks) and end == count


def _edit(lines: Lines, blocks: Blocks, fctx: Any) -> None:
    """Make the only parent's ``lines`` those of its child ``fctx``.

    Between the blocks that are the same are the child's own lines.  From the end to
    the beginning, so that the numbers of what is still to come stay right.
    """
    owners, linenos, skips = lines
    after_a, after_b = len(owners), blocks[-1][3]
    for a1, a2, b1, b2 in reversed(blocks):
        new = after_b - b2
        if new or after_a != a2:
            owners[a2:after_a] = [fctx] * new
            linenos[a2:after_a] = range(b2 + 1, after_b + 1)
            skips[a2:after_a] = [False] * new
        after_a, after_b = a1, b1
    if after_a or after_b:
        owners[:after_a] = [fctx] * after_b
        linenos[:after_a] = range(1, after_b + 1)
        skips[:after_a] = [False] * after_b


def _merge(parents: list[Lines], same: list[Blocks], count: int, fctx: Any) -> Lines:
    """The lines of ``fctx``, where the last parent that has one is right."""
    owners = [fctx] * count
    linenos = list(range(1, count + 1))
    skips = [False] * count
    for (theirs, their_linenos, their_skips), blocks in zip(parents, same):
        for a1, a2, b1, b2 in blocks:
            owners[b1:b2] = theirs[a1:a2]
            linenos[b1:b2] = their_linenos[a1:a2]
            skips[b1:b2] = their_skips[a1:a2]
    return owners, linenos, skips


def _skip(comparison: Comparison, fctx: Any, lines: dict[Any, Lines]) -> Lines:
    """The lines of a revision that none shall belong to, by Mercurial's function."""
    module = comparison.module
    parents = [
        module._annotatedfile(*lines[parent], comparison.text(parent))
        for parent in comparison.histories[fctx]
    ]
    child = module._decoratelines(comparison.text(fctx), fctx)
    found = module._annotatepair(parents, fctx, child, True, comparison._diffopts)
    return found.fctxs, found.linenos, found.skips
