# `hg log -p` and what else shows changesets, on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changesets shown by Mercurial's displayer, in workers.

A worker shows a changeset as the parent would, with the same displayer, into the
displayer's buffer; the parent puts the buffer's content into its own displayer and
lets Mercurial's loop write it.  What the displayer keeps from one changeset to the
next is either the same for all of them, or known to the parent (the header that was
written last, the number of the changeset), or a reason not to use workers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mercurial import logcmdutil, scmutil, templatefuncs

from . import ahead, plain

# Where file matchers come from that answer the same whenever they are asked
_CONSTANT_MATCHERS = (
    'makewalker.<locals>.filematcher',
    'getlinerangerevs.<locals>.filematcher',
    'changesetdiffer._makefilematcher',
    'overridelog.<locals>.overridemakefilematcher.<locals>.<lambda>',  # largefiles
)
# and one that knows about a changeset once the changeset was looked for
_GROWING_MATCHER = '_fileancestors.<locals>.filematcher'

# Files of a changeset whose diff is made by all workers together.  A third of a
# second or so; the longest run of changesets of the usual size takes as much.
_LARGE = 300

# methods of a displayer, and of a differ, that workers call; what an extension made of
# them may keep something from one changeset to the next
IN_WORKERS = (
    *('show', '_show', '_showpatch', '_showobsfate', '_exthook'),
    *('flush', 'close'),
)
IN_WORKERS_OF_DIFFER = ('showdiff', 'getdiffstats', '_makehunksfilter')

Loop = Callable[..., None]


def show(
    orig: Loop, ui: Any, repo: Any, revs: Any, displayer: Any, getcopies: Any
) -> None:
    """Call ``orig``, which is ``displayrevs``, with revisions made ahead."""
    shown = Shown(ui, displayer, getcopies)
    revisions = shown.revisions = ahead.Ahead(ui, revs, shown)
    iterator = iter(revisions)
    displayer.show = shown.show
    try:
        orig(ui, repo, iterator, displayer, getcopies and shown.getcopies)
    finally:
        del displayer.show
        iterator.close()


class Shown:
    """The displayer of a loop, and what workers made for it."""

    what = 'log'

    def __init__(self, ui: Any, displayer: Any, getcopies: Any) -> None:
        self.ui = ui
        self.displayer = displayer
        self.repo = displayer.repo
        self.show_here = displayer.show
        self.getcopies_here = getcopies
        self.revisions: Any = None  # of which the loop shows one after the other
        self.capture: Any = None  # in a worker
        self._growing = False  # does the matcher of files learn from the walk?

    # in the parent

    def refusal(self) -> str | None:
        """Why these changesets are shown by one process; None: they need not be."""
        matcher = getattr(self.displayer._differ, '_makefilematcher', None)
        self._growing = _origin(matcher) == _GROWING_MATCHER
        return refusal(self.ui, self.repo, self.displayer, self.show_here)

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
        if answer is None:
            self.show_here(ctx, **props)
            return
        displayer = self.displayer
        header, hunk = answer
        if header is not None:
            displayer.header[ctx.rev()] = header
        displayer.hunk[ctx.rev()] = hunk
        if hasattr(displayer, '_counter'):
            next(displayer._counter)

    def describe(self, rev: int) -> list[bytes] | None:
        """The files that ``rev`` is shown with, if they depend on the walk."""
        if not self._growing:
            return None
        matcher = self.displayer._differ._makefilematcher(self.repo[rev])
        return list(matcher.files())

    # in a worker

    def on_start(self) -> None:
        from . import capture

        repo = self.repo
        self.capture = capture.Capture([self.displayer.ui, repo.ui, repo.baseui])

    def make(self, position: int, rev: Any, files: list[bytes] | None) -> Any:
        """The header and the text of ``rev``, as the displayer buffers them."""
        displayer = self.displayer
        repo = self.repo
        if files is not None:
            matcher = scmutil.matchfiles(repo, files)
            displayer._differ._makefilematcher = lambda ctx: matcher
        if hasattr(displayer, '_counter'):
            displayer._counter = itertools.count(position)
        self.capture.begin()
        ctx = repo[rev]
        getcopies = self.getcopies_here
        copies = getcopies(ctx) if getcopies else None
        self.show_here(ctx, copies=copies)
        header = displayer.header.pop(ctx.rev(), None)
        hunk = displayer.hunk.pop(ctx.rev())
        if self.capture.end() != b'':
            return None
        return header, hunk


def refusal(ui: Any, repo: Any, displayer: Any, show_here: Any) -> str | None:
    """Why changesets are shown by one process; None: they need not be."""
    reason = plain.refusal(ui, repo)
    if reason is None and (displayer.ui is not ui or displayer.repo is not repo):
        reason = 'displayer: of a kind of its own'
    if reason is None and not displayer.buffered:
        reason = 'displayer: does not buffer'
    return reason or _displayer_refusal(displayer) or _template_refusal(displayer)


def _displayer_refusal(displayer: Any) -> str | None:
    cls = type(displayer)
    if cls is logcmdutil.changesetformatter:
        return 'template: a list whose items are joined'
    if cls not in (logcmdutil.changesetprinter, logcmdutil.changesettemplater):
        return 'displayer: of a kind of its own'
    for name in IN_WORKERS:
        # `show` of the object itself is ours
        own = name in displayer.__dict__ and name != 'show'
        if own or not plain.is_known(getattr(cls, name)):
            return 'displayer: an extension changed %s' % name
    differ = displayer._differ
    if type(differ) is not logcmdutil.changesetdiffer:
        return 'displayer: a differ of a kind of its own'
    if not all(plain.is_known(getattr(differ, name)) for name in IN_WORKERS_OF_DIFFER):
        return 'displayer: an extension changed the differ'
    matcher = differ._makefilematcher
    known = (*_CONSTANT_MATCHERS, _GROWING_MATCHER)
    if not plain.is_known(matcher) or _origin(matcher) not in known:
        return 'files: chosen by an extension'
    return None


def _template_refusal(displayer: Any) -> str | None:
    """Whether a template keeps something from one changeset to the next."""
    if type(displayer) is not logcmdutil.changesettemplater:
        return None
    parts = displayer._parts
    if parts[b'footer']:
        return 'template: has a footer'
    t = displayer.t
    for part in (displayer._tref, b'header', b'separator'):
        if part != displayer._tref and not parts[part]:
            continue
        keywords, functions = t.symbolsused(parts[part])
        used = [t.defaults.get(name) for name in keywords]
        used += [t._filters.get(name) for name in functions]
        used += [templatefuncs.funcs.get(name) for name in functions]
        if not all(plain.is_known(f) for f in used if callable(f)):
            return "template: an extension's keyword or function"
    return None


def _origin(function: Any) -> str:
    return getattr(function, '__qualname__', '')
