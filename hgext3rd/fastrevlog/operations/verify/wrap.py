# `hg verify` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify with worker processes, in Mercurial's own words.

Goals: the messages, their order, the counts and the exit code are Mercurial's;
nothing is taken for checked that was not; every text is hashed by Mercurial's
collision-detecting function, unless the user asks for the fast one.

Plan: our code never says anything.  It looks for file logs of which Mercurial's
verifier, too, would have nothing to say (:mod:`.filelogs`), in worker processes
where that pays.  Mercurial's verifier runs unchanged, from the first pass to the
last, and on Mercurial's own storage; but in its pass over the files it is given a
stand-in for each file log that is flawless *and* whose facts agree with what the
changelog and the manifest say.  Any other file log (damaged, missing, of an
unusual kind, or with no answer because a worker died) it gets as it is, and says
about it what it always says.  Doubt costs time, never a message.

The changelog and the manifest are read by our engine, for Mercurial's verifier: what
it cannot read Mercurial's code is asked for, and what that raises is passed on as it
is (``verbatim``), since the verifier says it.

The workers start before the first pass: what they do needs none of its results,
and the repository is locked, so it makes no difference when a file log is read.

Warning: a stand-in relies on what the verifier's loop over the files asks of a
file log; :func:`_is_plain` tells when that loop, or what it calls, is not
Mercurial's.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from mercurial import store as storemod
from mercurial import verify

from ... import stores, unchanged
from ...workers import decision
from . import filelogs
from . import standins as standinsmod

# Below this, starting processes costs more than it gains.  In file logs; one
# with a data file of its own has a long history and counts for many.
_WORTHWHILE = 400
_SPLIT_WEIGHT = 40

# Extensions that may wrap what is left out: they have no say about
# revisions without flags, and the workers vouch for no others.
_HARMLESS = ('hgext.lfs.wrapper',)
_STANDINS = '_fastrevlog_standins'  # an attribute of the verifier

# what of Mercurial is left out for a file log that a stand-in stands for: a module,
# a class in it or '', and functions
_OF_VERIFIER = '_checkentry _err _warn _exc'
LEFT_OUT = (
    ('mercurial.verify', 'verifier', _OF_VERIFIER),
    ('mercurial.revlog', '', '_verify_revision'),
    ('mercurial.revlog', 'revlog', filelogs.LEFT_OUT_OF_REVLOGS),
    ('mercurial.filelog', 'filelog', filelogs.LEFT_OUT),
    ('mercurial.filelog', 'narrowfilelog', 'renamed'),
)


# Replacements of the verifier's methods


def make_verify(place: Any) -> Any:
    """For ``verifier.verify``, the whole: whatever way it ends, no worker is left."""
    orig = place.stock
    # loaded now: without it Mercurial's verifier stays as it is
    stand_in = standinsmod.Standins

    def verify(self: Any) -> Any:
        store = stores.of(self.repo.svfs)
        if not store.enabled or store.share is None:
            return orig(self)
        # read from disk, and detect collisions unless told otherwise
        store.share.clear()
        fast = store.settings is not None and store.settings.verify_fast
        with store.hash_policy.detecting_collisions(not fast):
            if not _is_plain(self):
                return orig(self)
            with _by_mercurial(self.repo), stand_in(self) as standins:
                setattr(self, _STANDINS, standins)
                return orig(self)

    return verify


def make_verifychangelog(place: Any) -> Any:
    """For the first pass of the verifier: the moment to send the workers off."""
    orig = place.stock

    def _verifychangelog(self: Any) -> Any:
        standins = getattr(self, _STANDINS, None)
        if standins is not None:
            _send_workers(self, standins)
        return orig(self)

    return _verifychangelog


def make_verifyfiles(place: Any) -> Any:
    """For the last pass but one: the moment to make use of what was found."""
    orig = place.stock

    def _verifyfiles(self: Any, filenodes: Any, filelinkrevs: Any) -> Any:
        standins = getattr(self, _STANDINS, None)
        if standins is None:
            return orig(self, filenodes, filelinkrevs)
        standins.set_expected(filenodes, filelinkrevs)
        repo = self.repo
        self.repo = standinsmod.CheckedRepo(repo, standins)
        try:
            files, revisions = orig(self, filenodes, filelinkrevs)
        finally:
            self.repo = repo
        return files, revisions + standins.revisions

    return _verifyfiles


@contextlib.contextmanager
def _by_mercurial(repo: Any) -> Iterator[None]:
    """Let Mercurial's own code find the words for what is damaged.

    It reads the file logs that no stand-in stands for; of the changelog and the
    manifest, which ours reads, what ours finds nothing in.
    """
    rls = (repo.changelog, repo.manifestlog.getstorage(b'')._revlog)
    inners = [rl._inner for rl in rls if getattr(rl._inner, 'is_fastrevlog', False)]
    with stores.of(repo.svfs).overriding(enabled=False):
        for inner in inners:
            inner.forget()
            inner.verbatim = True
        try:
            yield
        finally:
            for inner in inners:
                inner.verbatim = False


# Whether to stand in, and whether to start workers


def _is_plain(verifier: Any) -> bool:
    """Whether what is stood in for is Mercurial's own code, on revlogs of ours."""
    if type(verifier) is not verify.verifier:
        return False
    if unchanged.has_own(verifier, _OF_VERIFIER.split()):
        return False
    if not getattr(verifier.repo.changelog._inner, 'is_fastrevlog', False):
        return False
    for module, class_name, names in LEFT_OUT:
        holder = sys.modules[module]
        for name in names.split():
            function = getattr(
                getattr(holder, class_name) if class_name else holder, name, None
            )
            function = unchanged.without(function, _HARMLESS)
            if unchanged.home(function) not in ('mercurial.filelog', module):
                return False
    return True


def _send_workers(verifier: Any, standins: standinsmod.Standins) -> None:
    """Let workers check all file logs of the store, if that is worth it."""
    workers, forced, reason = decision.workers_for(verifier.ui, for_clients=True)
    if reason:
        return
    try:
        split, inline = _store_filelogs(verifier)
    except Exception:
        # the verifier will come to it, and say what is wrong
        return
    if forced or len(inline) + _SPLIT_WEIGHT * len(split) >= _WORTHWHILE:
        standins.send_workers(workers, split, inline)


def _store_filelogs(verifier: Any) -> tuple[list[bytes], list[bytes]]:
    """Paths with a file log of which the store knows.

    First those with a data file of their own, the largest first, then the
    others in the order in which the verifier will ask for them.  What is missing
    here, for whatever reason, is just not checked in advance.
    """
    store = verifier.repo.store
    fileindex = getattr(store, 'fileindex', None)
    split = set()
    if fileindex is not None:
        names = set(fileindex)
    elif getattr(store, 'fncache', None) is not None:
        names = set()
        # not by store.fncache: a damaged one is to be complained about later
        content = store.rawvfs.tryread(b'fncache')
        for line in storemod.decodedir(content).splitlines():
            if line.startswith(b'data/'):
                if line.endswith(b'.i'):
                    names.add(line[5:-2])
                elif line.endswith(b'.d'):
                    split.add(line[5:-2])
    else:
        names = set()
    names = {name for name in names if verifier.match(name)}
    split &= names
    size_of = verifier.repo.svfs.stat

    def size(name: bytes) -> int:
        try:
            return size_of(b'data/%s.d' % name).st_size
        except OSError:
            return 0

    return sorted(split, key=size, reverse=True), sorted(names - split)
