# May this be done by workers? A reason, never a guess.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What all commands of history have in common: where functions come from, what a
repository reads from, where the output goes.
"""

from __future__ import annotations

from typing import Any

from mercurial.node import wdirrev

from ... import process, unchanged
from . import capture

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
    if not getattr(repo.changelog._inner, 'is_fastrevlog', False):
        return 'storage: not served'
    if _REMOTE & repo.requirements:
        return 'storage: files may come from a server'
    for cls in type(repo.unfiltered()).__mro__:
        if cls.__module__ in ('mercurial.bundlerepo', 'mercurial.unionrepo'):
            return 'storage: a bundle or union repository'
    if not capture.catchable(ui) or (ui._buffers and not buffered):
        return 'output: goes somewhere else'
    return None


def is_working_directory(rev: Any) -> bool:
    """Its changes are for one process to look for."""
    return rev is None or rev == wdirrev


def count(what: str, times: int) -> None:
    """Note that workers did ``what``."""
    if times:
        done = process.counters.by_workers
        done[what] = done.get(what, 0) + times


def refuse(ui: Any, what: str, reason: str) -> None:
    """Note that ``what``, which was worth it, is done by one process."""
    words = '%s: %s' % (what, reason)
    reasons = process.counters.in_one_process
    reasons[words] = reasons.get(words, 0) + 1
    if ui.configbool(b'devel', b'debug.fastrevlog'):
        ui.warn(
            b'debug.fastrevlog: in one process: %s\n' % words.encode('utf-8', 'replace')
        )
