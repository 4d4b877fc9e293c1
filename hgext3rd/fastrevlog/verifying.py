# `hg verify` on all cores.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Verify with worker processes, in Mercurial's own words.

Goals: the messages, their order, the counts and the exit code are Mercurial's;
nothing is taken for checked that was not; every text is hashed by Mercurial's
collision-detecting function.

Plan: the workers never say anything.  They look for file logs of which
Mercurial's verifier, too, would have nothing to say, and hand the facts that the
changelog and the manifest must agree with to the parent.  The parent runs
Mercurial's verifier, unchanged, from the first pass to the last; in its pass
over the files it is given a stand-in for each file log that a worker found
flawless *and* whose facts agree.  Any other file log (damaged, missing, of an
unusual kind, or with no answer because a worker died) it gets as it is, and
says about it what it always says.  Doubt costs time, never a message.

The workers start before the first pass: what they do needs none of its results,
and the repository is locked, so it makes no difference when a file log is read.

Warning: a stand-in relies on what the verifier's loop over the files asks of a
file log; :func:`_is_plain` tells when that loop, or what it calls, is not
Mercurial's.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from mercurial import (
    error,
    extensions,
    exthelper,
    filelog,
    revlog,
    store as storemod,
    verify,
    worker,
)
from mercurial.i18n import _

from . import accounting, crew as crewmod, flawless
from .engine import caches, checking

eh = exthelper.exthelper()

eh.configitem(b'fastrevlog', b'verify-workers', default=0)

# Below this, starting processes costs more than it gains.  In file logs; one
# with a data file of its own has a long history and counts for many.
_WORTHWHILE = 400
_SPLIT_WEIGHT = 40

# Extensions that may wrap what `_is_plain` looks at: they have no say about
# revisions without flags, and the workers vouch for no others.
_HARMLESS = ('hgext.lfs.wrapper',)


@eh.wrapcommand(b'verify')
def verify_command(orig: Any, ui: Any, repo: Any, **opts: Any) -> Any:
    with _thoroughly(ui):
        return orig(ui, repo, **opts)


@eh.wrapcommand(b'recover')
def recover_command(orig: Any, ui: Any, repo: Any, **opts: Any) -> Any:
    """Recovering ends with a verification unless told otherwise."""
    with _thoroughly(ui):
        return orig(ui, repo, **opts)


@contextlib.contextmanager
def _thoroughly(ui: Any) -> Iterator[None]:
    """Read from disk, detect collisions, and let workers help the verifier."""
    if not ui.configbool(b'fastrevlog', b'enabled'):
        yield
        return
    caches.drop_all()
    wrap = extensions.wrappedfunction
    verifier = verify.verifier
    with (
        checking.collision_detection(),
        wrap(verifier, 'verify', _verify),
        wrap(verifier, '_verifychangelog', _verifychangelog),
        wrap(verifier, '_verifyfiles', _verifyfiles),
    ):
        yield


# Wraps of the verifier's methods


def _verify(orig: Any, verifier: Any) -> Any:
    """The whole: whatever way it ends, no worker is left behind."""
    verifier._fastrevlog_findings = None
    try:
        return orig(verifier)
    finally:
        findings = verifier._fastrevlog_findings
        if findings is not None:
            findings.close()


def _verifychangelog(orig: Any, verifier: Any) -> Any:
    """The first pass: the moment to send the workers off."""
    verifier._fastrevlog_findings = _start(verifier)
    return orig(verifier)


def _verifyfiles(orig: Any, verifier: Any, filenodes: Any, filelinkrevs: Any) -> Any:
    """The last pass but one: the moment to ask the workers."""
    findings = verifier._fastrevlog_findings
    if findings is None:
        return orig(verifier, filenodes, filelinkrevs)
    findings.expect(filenodes, filelinkrevs)
    repo = verifier.repo
    verifier.repo = CheckedRepo(repo, findings)
    try:
        files, revisions = orig(verifier, filenodes, filelinkrevs)
    finally:
        verifier.repo = repo
    return files, revisions + findings.revisions
