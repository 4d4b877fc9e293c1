# Where commands of history are told to run ahead.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Small wrappers; what does the work is loaded when there is some.

Each is left out (None) where Mercurial's function does not look as it is known.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from mercurial import smartset

from ... import process, settings, unchanged
from ...compat.detect import arguments_of
from ...workers import cpus

# Fewer are not worth a look at the clock; a changeset has three or so.
FEWEST_FILES = 24
# of two, one would be left: nothing to share out
FEWEST_REVISIONS = 3


def _one_process(ui: Any) -> bool:
    """Is it clear from the start that there will be no workers?"""
    wanted = settings.workers(ui)
    return wanted == 1 or (wanted < 2 and cpus.usable_cores() < 2)


def _are_few(revs: Any) -> bool:
    """Are there clearly too few to share out?  Looks for none of them."""
    return type(revs) in (smartset.baseset, list) and len(revs) < FEWEST_REVISIONS


def _is_common(place: Any, displayer: Any) -> bool:
    """Is ``displayer`` like Mercurial's, with a method of its class to show with?"""
    known = isinstance(displayer, place.holder.changesetprinter)
    return known and 'show' not in displayer.__dict__


def make_displayrevs(place: Any) -> Any:
    """Around ``logcmdutil.displayrevs``, which shows one changeset after the other."""
    orig = place.stock

    def displayrevs(
        ui: Any, repo: Any, revs: Any, displayer: Any, getcopies: Any
    ) -> None:
        shown = _is_common(place, displayer) and displayer.repo is repo
        if not shown or _are_few(revs) or _one_process(ui):
            orig(ui, repo, revs, displayer, getcopies)
            return
        from . import log

        log.show(orig, ui, repo, revs, displayer, getcopies)

    return displayrevs


def make_displaygraph(place: Any) -> Any:
    """Around ``logcmdutil.displaygraph``, which shows changesets beside a graph."""
    orig = place.stock
    if arguments_of(orig) != 'ui repo dag displayer edgefn getcopies props':
        return None

    def displaygraph(
        ui: Any,
        repo: Any,
        dag: Any,
        displayer: Any,
        edgefn: Any,
        getcopies: Any = None,
        props: Any = None,
    ) -> None:
        if not _is_common(place, displayer) or _one_process(ui):
            orig(ui, repo, dag, displayer, edgefn, getcopies, props)
            return
        from . import graph

        graph.show(orig, ui, repo, dag, displayer, edgefn, getcopies, props)

    return displaygraph


def make_incoming(place: Any) -> Any:
    """Around ``_incoming``, which has a function show what would be pulled."""
    orig = place.stock
    if arguments_of(orig) != (
        'displaychlist subreporecurse ui repo source opts buffered subpath'
    ):
        return None

    def _incoming(
        displaychlist: Any, subreporecurse: Any, ui: Any, *args: Any, **kwargs: Any
    ) -> Any:
        # that of --graph is of another module, and calls `displaygraph`
        if (
            getattr(displaychlist, '__qualname__', '') == 'incoming.<locals>.display'
            and unchanged.home(displaychlist) == place.holder.__name__
            and not _one_process(ui)
        ):
            from . import changes

            displaychlist = changes.incoming(displaychlist, ui, opts=args[2])
        return orig(displaychlist, subreporecurse, ui, *args, **kwargs)

    return _incoming


def make_outgoing_filter(place: Any) -> Any:
    """Around ``_outgoing_filter``, which says what of a push is shown."""
    orig = place.stock
    if arguments_of(orig) != 'repo revs opts':
        return None

    def _outgoing_filter(repo: Any, revs: Any, opts: Any) -> Any:
        found = orig(repo, revs, opts)
        if _one_process(repo.ui):
            return found
        from . import changes

        # the displayer of the loop that asks
        displayer = sys._getframe(1).f_locals.get('displayer')
        return changes.outgoing(found, displayer)

    return _outgoing_filter


def make_exportfile(place: Any) -> Any:
    """Around ``cmdutil._exportfile``, which writes one patch after the other."""
    orig = place.stock
    if arguments_of(orig) != 'repo revs fm dest switch_parent diffopts match':
        return None

    def _exportfile(repo: Any, revs: Any, fm: Any, dest: bytes, *args: Any) -> None:
        if len(args) != 3 or not dest.startswith(b'<') or _one_process(repo.ui):
            orig(repo, revs, fm, dest, *args)
            return
        from . import export

        export.export(orig, repo, revs, fm, dest, *args)

    return _exportfile


def make_exportsingle(place: Any) -> Any:
    """Around ``cmdutil._exportsingle``: it may have been done already."""
    orig = place.stock
    if arguments_of(orig) != 'repo ctx fm match switch_parent seqno diffopts':
        return None

    def _exportsingle(repo: Any, ctx: Any, fm: Any, *args: Any) -> None:
        under_way = getattr(fm, '_fastrevlog_export', None)
        if under_way is None:
            under_way = vars(repo.unfiltered()).get('_fastrevlog_export')
        if under_way is None or not under_way.write(ctx, fm, args[2]):
            orig(repo, ctx, fm, *args)

    return _exportsingle


def make_exportfntemplate(place: Any) -> Any:
    """Around ``cmdutil._exportfntemplate``, which writes patches to files."""
    orig = place.stock
    if arguments_of(orig) != (
        'repo revs basefm fntemplate switch_parent diffopts match'
    ):
        return None

    def _exportfntemplate(
        repo: Any, revs: Any, fm: Any, pattern: bytes, *args: Any
    ) -> None:
        if len(args) != 3 or _one_process(repo.ui):
            orig(repo, revs, fm, pattern, *args)
            return
        from . import export

        export.export_to_files(orig, repo, revs, fm, pattern, *args)

    return _exportfntemplate


def make_annotate(place: Any) -> Any:
    """In place of ``annotate`` of the module that has Mercurial's algorithm for it."""
    orig = place.stock
    module = place.holder
    if (
        arguments_of(orig) != 'base parents skiprevs diffopts'
        or arguments_of(getattr(module, '_annotatepair', None))
        != 'parents childfctx child skipchild diffopts'
        or arguments_of(getattr(module, '_decoratelines', None)) != 'text fctx'
        or not hasattr(module, '_annotatedfile')
        or not hasattr(module, 'annotateline')
    ):
        return None

    def annotate(
        base: Any, parents: Any, skiprevs: Any = None, diffopts: Any = None
    ) -> Any:
        repo = getattr(base, '_repo', None)
        if repo is None or _one_process(repo.ui):
            return orig(base, parents, skiprevs=skiprevs, diffopts=diffopts)
        from . import annotate as annotation

        return annotation.annotate(orig, module, base, parents, skiprevs, diffopts)

    return annotate


class DiffArguments(NamedTuple):
    """Those of ``patch.trydiff``."""

    repo: Any
    revs: Any
    ctx1: Any
    ctx2: Any
    modified: Any
    added: Any
    removed: Any
    copy: Any
    getfilectx: Any
    opts: Any
    losedatafn: Any
    pathfn: Any


def make_trydiff(place: Any) -> Any:
    """In place of ``patch.trydiff``, which compares the files of a diff."""
    orig = place.stock
    patch = place.holder
    if (
        arguments_of(orig) != ' '.join(DiffArguments._fields)
        or arguments_of(getattr(patch, '_filepairs', None))
        != 'modified added removed copy opts'
        or not hasattr(patch, 'diffcontent')
    ):
        return None

    def trydiff(*args: Any) -> Any:
        if len(args) == len(DiffArguments._fields):
            named = DiffArguments(*args)
            number = len(named.modified) + len(named.added) + len(named.removed)
            large = number >= FEWEST_FILES and not process.state.in_worker
            if large and not _one_process(named.repo.ui):
                from . import files

                return files.diffs(orig, patch, named)
        return orig(*args)

    return trydiff


def make_searchfiles(place: Any) -> Any:
    """Around ``grepsearcher.searchfiles``, which searches what changesets touch."""
    orig = place.stock
    searcher_class = place.holder
    module = sys.modules[searcher_class.__module__]
    if (
        arguments_of(orig) != 'self revs makefilematcher'
        or arguments_of(searcher_class._prep) != 'self ctx fmatch'
        or arguments_of(searcher_class._readfile) != 'self ctx fn'
        or arguments_of(getattr(module, 'matchlines', None)) != 'body regexp'
    ):
        return None

    def searchfiles(self: Any, revs: Any, makefilematcher: Any) -> Any:
        plain = self._diff and not self._all_files and not self._follow
        plain = plain and '_prep' not in self.__dict__
        if not plain or _one_process(self._ui):
            return orig(self, revs, makefilematcher)
        from . import search

        return search.search(orig, module, self, revs, makefilematcher)

    return searchfiles


def make_walkchangerevs(place: Any) -> Any:
    """Around ``scmutil.walkchangerevs``, by which `churn` goes through history."""
    orig = place.stock
    if arguments_of(orig) != 'repo revs makefilematcher prepare':
        return None

    def walkchangerevs(repo: Any, revs: Any, makefilematcher: Any, prepare: Any) -> Any:
        if (
            unchanged.home(prepare) != 'hgext.churn'
            or getattr(prepare, '__qualname__', '') != 'countrate.<locals>.prep'
            or not revs
            or _one_process(repo.ui)
        ):
            return orig(repo, revs, makefilematcher, prepare)
        from . import churn

        return churn.walk(orig, repo, revs, makefilematcher, prepare)

    return walkchangerevs


def make_changedlines(place: Any) -> Any:
    """Around ``churn.changedlines``: they may have been counted already."""
    orig = place.stock
    if arguments_of(orig) != 'ui repo ctx1 ctx2 fmatch':
        return None

    def changedlines(ui: Any, repo: Any, ctx1: Any, ctx2: Any, fmatch: Any) -> Any:
        under_way = vars(repo.unfiltered()).get('_fastrevlog_churn')
        found = None if under_way is None else under_way.lines(ctx2)
        return orig(ui, repo, ctx1, ctx2, fmatch) if found is None else found

    return changedlines
