# May this be done by workers? A reason, never a guess.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What all commands of history have in common: where functions come from, what a
repository reads from, where the output goes.
"""

from __future__ import annotations

from typing import Any

from mercurial.node import wdirrev

from ... import process, stores, unchanged
from . import bundles, capture

_OURS = __name__.rpartition('.operations.')[0]
# Extensions that come with Mercurial keep nothing between changesets.
_KNOWN = ('mercurial.', 'hgext.', _OURS + '.')
# Requirements of stores that may ask a server for a file, on one connection
_REMOTE = {b'lfs', b'exp-remotefilelog-repo-req-1', b'exp-sqlite-001'}


def is_known(function: Any) -> bool:
    """Is ``function`` Mercurial's, with all that is wrapped around it?"""
    return unchanged.is_within(function, _KNOWN)


def refusal(ui: Any, repo: Any, buffered: bool = False) -> str | None:
    """Why nothing that reads ``repo`` and writes to ``ui`` is done by workers.

    ``buffered``: workers write nothing, so that it does not matter whether what is
    written is being captured here.
    """
    if _REMOTE & repo.requirements:
        return 'storage: files may come from a server'
    reason = _storage_refusal(repo)
    if reason is not None:
        return reason
    if not capture.catchable(ui) or (ui._buffers and not buffered):
        return 'output: goes somewhere else'
    return None


def _storage_refusal(repo: Any) -> str | None:
    if bundles.is_union(repo):
        return 'storage: a union repository'
    if bundles.is_bundle(repo):
        # what the bundle adds is read by Mercurial's code, the rest by ours
        store = stores.of(repo.svfs)
        if store.enabled and store.refusal is None:
            return bundles.refusal(repo)
    elif getattr(repo.changelog._inner, 'is_fastrevlog', False):
        return None
    return 'storage: not served'


def is_working_directory(rev: Any) -> bool:
    """Its changes are for one process to look for."""
    return rev is None or rev == wdirrev


def begin_worker(repo: Any, ui: Any) -> capture.Capture:
    """In a worker: read ``repo`` through files of its own, and catch what is written.

    Raises ``OSError``.
    """
    bundles.open_again(repo)
    return capture.Capture([ui, repo.ui, repo.baseui])


def count(what: str, times: int) -> None:
    """Note that workers did ``what``."""
    if times:
        done = process.counters.by_workers
        done[what] = done.get(what, 0) + times


def refuse(ui: Any, what: str, reason: str) -> None:
    """Note that ``what``, which was worth it, is done by one process.

    With ``--debug`` it is said on standard error; what goes to standard output then is
    Mercurial's.
    """
    words = '%s: %s' % (what, reason)
    reasons = process.counters.in_one_process
    reasons[words] = reasons.get(words, 0) + 1
    if ui.debugflag or ui.configbool(b'devel', b'debug.fastrevlog'):
        ui.warn(b'fastrevlog: in one process: %s\n' % words.encode('utf-8', 'replace'))
