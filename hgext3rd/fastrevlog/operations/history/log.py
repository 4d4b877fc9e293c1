# `hg log -p` and what else shows changesets, on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changesets shown by Mercurial's displayer, in workers.

A worker shows a changeset as the parent would, with the same displayer, into the
displayer's buffer; the parent puts the buffer's content into its own displayer and
lets Mercurial's loop write it.  What the displayer keeps from one changeset to the
next is either the same for all of them, or known to the parent (the header that was
written last, the number of the changeset), or a reason not to use workers
(:mod:`.displayers`).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mercurial import scmutil

from . import ahead, displayers, plain

# Files of a changeset whose diff is made by all workers together.  A third of a
# second or so; the longest run of changesets of the usual size takes as much.
_LARGE = 300

Loop = Callable[..., None]


def show(
    orig: Loop, ui: Any, repo: Any, revs: Any, displayer: Any, getcopies: Any
) -> None:
    """Call ``orig``, which is ``displayrevs``, with revisions made ahead."""
    shown = Shown(ui, displayer, getcopies)
    with shown.ahead(revs) as iterator:
        orig(ui, repo, iterator, displayer, getcopies and shown.getcopies)


class Description(NamedTuple):
    """What a worker has to know beside the changeset."""

    files: list[bytes] | None  # those that it is shown with; None: ask the matcher
    width: int  # columns that a graph takes


class Answer(NamedTuple):
    """A changeset as the displayer buffers it."""

    header: bytes | None
    hunk: bytes
    item: bytes | None  # of a list
    width: int  # columns that were left for a graph


class Shown(ahead.Maker):
    """The displayer of a loop, and what workers made for it.

    ``props`` are what the loop calls the displayer with, for all changesets.
    """

    what = 'log'

    def __init__(
        self,
        ui: Any,
        displayer: Any,
        getcopies: Any,
        props: dict[str, Any] | None = None,
    ) -> None:
        self.ui = ui
        self.displayer = displayer
        self.repo = displayer.repo
        self.props = props or {}
        self.show_here = displayer.show
        self.getcopies_here = getcopies
        self.revisions: Any = None  # of which the loop shows one after the other
        self.capture: Any = None  # in a worker
        self._begun = False
        self._growing = False  # does the matcher of files learn from the walk?
        self.fm = getattr(displayer, '_fm', None)  # of a list

    @contextlib.contextmanager
    def ahead(self, revs: Any, counted: Any = None) -> Iterator[Iterator[Any]]:
        """``revs``, made ahead, for a loop that shows them.

        ``counted``: as many as there are of these.
        """
        self.revisions = ahead.Ahead(self.ui, revs, self, counted=counted)
        iterator = iter(self.revisions)
        try:
            yield iterator
        finally:
            if self._begun:
                del self.displayer.show
            iterator.close()

    # in the parent

    def begin(self) -> None:
        """From now on there may be answers; the loop asks its displayer each time."""
        self._begun = True
        self.displayer.show = self.show

    def refusal(self) -> str | None:
        """Why these changesets are shown by one process; None: they need not be."""
        matcher = getattr(self.displayer._differ, '_makefilematcher', None)
        self._growing = displayers.is_growing(matcher)
        if self.displayer.ui is not self.ui:
            return 'displayer: of a kind of its own'
        reason = plain.refusal(self.ui, self.repo)
        return reason or displayers.refusal(self.displayer, self.show_here)

    def is_here(self, rev: Any) -> bool:
        if plain.is_working_directory(rev):
            return True
        # all workers share the files of a large one: one alone would be the last
        displayer = self.displayer
        shows_diff = displayer._includediff or displayer._includestat
        return bool(shows_diff and len(self.repo[rev].files()) >= _LARGE)

    def getcopies(self, ctx: Any) -> Any:
        return self.getcopies_here(ctx) if self.revisions.answer is None else None

    def show(self, ctx: Any, **props: Any) -> None:
        """In place of the displayer's own method."""
        answer = self.revisions.answer
        if answer is None or answer.width != props.get('graphwidth', 0):
            self.revisions.decline()
            self.show_here(ctx, **props)
            return
        displayer = self.displayer
        hunk = answer.hunk
        if answer.item is not None:
            hunk = displayers.add_item(self.fm, answer.item)
        if displayer.buffered:
            if answer.header is not None:
                displayer.header[ctx.rev()] = answer.header
            displayer.hunk[ctx.rev()] = hunk
        else:
            if answer.header is not None and answer.header != displayer.lastheader:
                displayer.lastheader = answer.header
                self.ui.write(answer.header)
            self.ui.write(hunk)
        if hasattr(displayer, '_counter'):
            next(displayer._counter)

    def describe(self, rev: Any) -> Description:
        """The files that ``rev`` is shown with, if they depend on the walk."""
        if not self._growing:
            return Description(None, 0)
        matcher = self.displayer._differ._makefilematcher(self.repo[rev])
        return Description(list(matcher.files()), 0)

    # in a worker

    def on_start(self) -> None:
        self.displayer.buffered = True
        self.capture = plain.begin_worker(self.repo, self.displayer.ui)

    def make(self, position: int, rev: Any, description: Description) -> Any:
        """The header and the text of ``rev``, as the displayer buffers them."""
        displayer = self.displayer
        repo = self.repo
        files, width = description
        if files is not None:
            matcher = scmutil.matchfiles(repo, files)
            displayer._differ._makefilematcher = lambda ctx: matcher
        if hasattr(displayer, '_counter'):
            displayer._counter = itertools.count(position)
        self.capture.begin()
        ctx = repo[rev]
        getcopies = self.getcopies_here
        copies = getcopies(ctx) if getcopies else None
        props = dict(self.props, graphwidth=width) if width else self.props
        if self.fm is not None:
            displayers.begin_item(self.fm)
        self.show_here(ctx, copies=copies, **props)
        header = displayer.header.pop(ctx.rev(), None)
        hunk = displayer.hunk.pop(ctx.rev())
        if self.fm is None:
            caught = self.capture.end()
            return Answer(header, hunk, None, width) if caught == b'' else None
        self.fm._showitem()
        item = self.capture.end()
        return Answer(header, hunk, item, width) if item and not hunk else None
