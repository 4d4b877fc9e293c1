# Revlogs as sources of delta groups.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a changegroup is made from: plain revlogs, read without their outer half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mercurial import changelog, filelog, mdiff, revlog
from mercurial.utils import storageutil

from .. import unchanged
from ..engine import deltagroup, format
from ..engine import inner as innermod
from . import templates

_REVLOG = 'mercurial.revlog'
_CHANGELOG = ('mercurial.changelog', 'mercurial.repoview', _REVLOG)
# how a revlog is opened, and answers to those who send it
LEFT_OUT = (
    '__init__',
    *templates.LEFT_OUT,
    'reading',
    'emitrevisions',
    '_emit_revisions',
    '_candelta',
    'deltaparent',
    'revdiff',
    'rawdata',
    '_revisiondata',
    '_rawtext',
    'checkhash',
    'hash',
    'iscensored',
    'flags',
    'linkrev',
    'node',
    'parentrevs',
    'rev',
    'ancestors',
)
_FILELOG = 'mercurial.filelog'
LEFT_OUT_OF_FILELOGS = (
    '__init__',
    '__len__',
    '__iter__',
    'emitrevisions',
    'get_revlog',
    'linkrev',
    'node',
    'rev',
)
_MANIFEST = 'mercurial.manifest'
LEFT_OUT_OF_MANIFESTS = ('emitrevisions',)
_REPOSITORY = ('mercurial.localrepo', 'mercurial.repoview')


def is_plain_repo(repo: Any) -> bool:
    """Whether ``repo`` keeps its history as Mercurial does, by its own code, and ours.

    The repository's own methods, those of all its revlogs and of its file logs.
    """
    names = _existing(revlog.revlog)
    return (
        isinstance(repo.changelog._inner, innermod.InnerRevlog)
        and unchanged.object_is_of(repo, _REPOSITORY, ('file',))
        and unchanged.methods_are_of(revlog.revlog, (_REVLOG,), names)
        and unchanged.methods_are_of(filelog.filelog, (_FILELOG,), LEFT_OUT_OF_FILELOGS)
        and _emits_by_itself()
    )


def _emits_by_itself() -> bool:
    """Is what revlogs of Mercurial 7.0 and 7.1 leave the work to its own?"""
    emit = getattr(storageutil, 'emitrevisions', None)
    return emit is None or unchanged.is_of('mercurial.utils.storageutil', emit)


def is_plain_changelog(cl: Any) -> bool:
    """Whether changesets are read by Mercurial's own code, from their texts."""
    names = _existing(type(cl))
    revision = changelog.changelogrevision
    return (
        unchanged.object_is_of(cl, _CHANGELOG, [*names, 'changelogrevision'])
        and getattr(cl, '_copiesstorage', None) != b'changeset-sidedata'
        and unchanged.is_of('mercurial.changelog', revision.files, revision.manifest)
    )


def is_plain_manifest(storage: Any) -> bool:
    """Whether the manifest's ``storage`` does not come between its revlog and us."""
    return unchanged.object_is_of(storage, (_MANIFEST,), LEFT_OUT_OF_MANIFESTS)


def is_plain_filelog(log: Any) -> bool:
    """Whether this is Mercurial's own file log, which is to be sent."""
    return unchanged.object_is_of(log, (_FILELOG,), LEFT_OUT_OF_FILELOGS)


def is_plain_revlog(rl: Any) -> bool:
    """Whether this is Mercurial's own revlog, and what it says is in its files."""
    return unchanged.object_is_of(rl, (_REVLOG,), _existing(type(rl)))


def _existing(cls: type) -> list[str]:
    """The methods that are left out, as far as this Mercurial has them."""
    return [name for name in LEFT_OUT if hasattr(cls, name)]


def neutral_flags() -> int:
    """Flags that Mercurial drops when it sends a revision."""
    if hasattr(revlog.revlog, '_emit_revisions'):  # since 7.2
        neutral: int = getattr(revlog, 'REVIDX_DELTA_INFO_FLAGS', 0)
        return neutral
    return 0


def source_of(rl: Any) -> deltagroup.Source | None:
    """The open revlog ``rl``, if its inner half is ours and nobody writes it."""
    inner = rl._inner
    if (
        not isinstance(inner, innermod.InnerRevlog)
        or inner.is_writing
        or inner.is_delaying
    ):
        return None
    return deltagroup.Source(
        inner.cindex,
        len(inner.cindex),
        inner.files.fetch,
        format.ENTRY_SIZE if inner.inline else 0,
        bool(rl.delta_config.general_delta),
        bool(rl.feature_config.canonical_parent_order),
        inner.storage.hash_policy,
    )


def make_delta(rl: Any, mode: str) -> Callable[[int, int], tuple[bytes, bytes]]:
    """What to ask for deltas that are not stored, or are damaged: Mercurial."""

    def made(rev: int, base: int) -> tuple[bytes, bytes]:
        if base < 0 and mode != deltagroup.PREVIOUS:
            text = rl.rawdata(rl.node(rev))
            return mdiff.trivialdiffheader(len(text)), text
        return b'', rl.revdiff(base, rev)

    return made
