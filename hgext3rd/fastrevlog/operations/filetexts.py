# The data of a changeset's files, read without the objects around a file log.
# SPDX-License-Identifier: GPL-2.0-or-later
"""For operations that read thousands of files once each (an update, an archive)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mercurial import context, filelog, revlog, txnutil
from mercurial.utils import storageutil

from .. import fallback, process, unchanged
from ..outer import reading, templates

Read = Callable[[bytes], bytes]
# what of Mercurial is left out where a file's data are read without its context, and
# without its file log
LEFT_OUT: unchanged.Rows = (
    (context.changectx, ('filectx',)),
    (context.filectx, ('__init__', 'data', '_filelog', '_filenode')),
)
LEFT_OUT_OF_FILELOGS: unchanged.Rows = (
    (filelog.filelog, ('__init__', 'read', 'revision', 'lookup', 'get_revlog')),
    (
        revlog.revlog,
        ('__init__', 'revision', 'rawdata', '_revisiondata', *templates.LEFT_OUT),
    ),
)


def reader(
    repo: Any, mctx: Any, template_cache: templates.TemplateCache | None
) -> Read:
    """What reads the data of a file of ``mctx``; raises what Mercurial then says."""

    def generally(path: bytes) -> bytes:
        return mctx.filectx(path).data()

    if (
        type(mctx) is not context.changectx
        or unchanged.has_own(mctx, ('filectx',))
        or not unchanged.rows_are_of_mercurial(LEFT_OUT)
    ):
        return generally
    open_filelog = repo.file
    node_of = mctx.filenode

    def by_filelog(path: bytes) -> bytes:
        return open_filelog(path).read(node_of(path))

    if template_cache is None or not _reads_plainly():
        return by_filelog
    api = process.state.installation.api
    altering = api.altering_flags
    text_of = template_cache.text
    filtered = storageutil.filtermetadata
    served = process.counters.served

    def by_text(path: bytes) -> bytes:
        text = text_of(b'data/' + path, node_of(path), altering)
        if text is None:
            return by_filelog(path)
        served['filelog'] += 1
        return filtered(text)

    return by_text


def _reads_plainly() -> bool:
    """Does Mercurial's revlog read a revision without flags as it always did?"""
    return reading.how_it_reads(
        revlog.revlog
    ) == reading.PLAIN and unchanged.rows_are_of_mercurial(LEFT_OUT_OF_FILELOGS)


def template_cache_for(repo: Any, path: bytes) -> templates.TemplateCache | None:
    """What opens file logs, if it does so for the one of ``path``."""
    filelog_class: Any = filelog.filelog
    if (
        not unchanged.object_is_of(
            repo.unfiltered(), ('mercurial.localrepo',), ('file',)
        )
        or unchanged.has_own(repo, ('file',))
        or not unchanged.rows_are_of_mercurial(LEFT_OUT_OF_FILELOGS)
        or repo.currenttransaction() is not None
        or txnutil.mayhavepending(repo.root)
    ):
        return None
    try:
        log = repo.file(path)
    except fallback.STORAGE_ERRORS:
        return None
    if type(log) is not filelog_class or log.get_revlog().radix != b'data/' + path:
        return None
    return templates.template_cache_of(repo.svfs)
