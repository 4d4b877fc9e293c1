# Applying a changegroup.
# SPDX-License-Identifier: GPL-2.0-or-later
"""`unbundle`, `pull`, `clone --pull`, a push that arrives: the files of a changegroup.

``cg1unpacker.apply`` is given a stream that reads in large pieces
(:mod:`.changegroups`), and ``_addchangegroupfiles`` adds whole groups the short way
(:mod:`..outer.adding`).  A group that is not common in every respect is added by
Mercurial's own code, from the same bytes.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable
from typing import Any

from mercurial import (
    changegroup,
    error,
    filelog,
    localrepo,
    requirements,
    revlog,
    store,
)
from mercurial.i18n import _
from mercurial.revlogutils import deltas as hgdeltas
from mercurial.revlogutils import rewrite

from .. import fallback, process, stores
from ..compat import incoming as incomingmod
from ..engine import additions
from ..outer import adding
from . import changegroups

_counters = process.counters
# bytes; a group that is larger is added by Mercurial, which need not hold it whole
_GROUP_LIMIT = 64 << 20
_UNPACKERS = (
    changegroup.cg1unpacker,
    changegroup.cg2unpacker,
    changegroup.cg3unpacker,
)


@contextlib.contextmanager
def _a_context() -> Any:
    yield


_CONTEXT_MANAGER = _a_context.__code__
# what is done here in another way must be Mercurial's own: owner, names
_REPLACED: tuple[tuple[Any, str], ...] = (
    (changegroup.cg1unpacker, 'deltaiter deltachunk filelogheader _chunklength'),
    (changegroup.cg1unpacker, '_deltaheader'),
    (changegroup.cg2unpacker, '_deltaheader'),
    (changegroup.cg3unpacker, '_deltaheader'),
    (localrepo.localrepository, 'file'),
    (filelog.filelog, 'addgroup __init__ __len__'),
    (rewrite, 'filter_delta_issue6528 _is_revision_affected_fast_inner'),
    (revlog.revlog, 'addgroup _addrevision _writing _writeentry _enforceinlinesize'),
    (revlog.revlog, 'size rawsize iscensored _peek_iscensored compress chainbase'),
    (revlog.revlog, '_chaininfo issnapshot snapshotdepth _nodeduplicatecallback'),
    (hgdeltas.deltacomputer, 'finddeltainfo _builddeltainfo _fullsnapshotinfo'),
    (hgdeltas.deltacomputer, 'buildtext'),
    (hgdeltas._SparseDeltaSearch, 'is_good_delta_info _pre_filter_rev _init_cached'),
    (store.fncachestore, 'schedule_write'),
)


def _written_by_mercurial(owner: Any, names: str) -> bool:
    """Are the functions ``names`` of ``owner`` where Mercurial wrote them?"""
    if isinstance(owner, types.ModuleType):
        module: Any = owner
    else:
        module = sys.modules[owner.__module__]
    return all(_is_from(getattr(owner, name, None), module) for name in names.split())


def _is_from(function: Any, module: Any) -> bool:
    if getattr(function, '__code__', None) is _CONTEXT_MANAGER:
        function = function.__wrapped__
    return (
        isinstance(function, types.FunctionType)
        and not hasattr(function, '__wrapped__')
        and function.__globals__ is vars(module)
    )


def make_apply(place: Any) -> Any:
    """Wrap ``cg1unpacker.apply``."""
    orig = place.stock

    def apply(self: Any, repo: Any, *args: Any, **kwargs: Any) -> Any:
        stream = self._stream
        if (
            self.__class__ in _UNPACKERS
            and stores.of(repo.svfs).enabled
            and changegroups.Reader.reads(stream)
        ):
            self._stream = changegroups.Reader(stream)
            try:
                return orig(self, repo, *args, **kwargs)
            finally:
                self._stream = stream
        return orig(self, repo, *args, **kwargs)

    return apply


def make_add_files(place: Any) -> Any:
    """Wrap ``changegroup._addchangegroupfiles``."""
    orig = place.stock

    def _addchangegroupfiles(
        repo: Any,
        source: Any,
        revmap: Any,
        trp: Any,
        expectedfiles: int,
        needfiles: Any,
        **kwargs: Any,
    ) -> tuple[int, int]:
        stage = None
        if not needfiles:
            try:
                stage = _stage_of(repo, source, revmap, trp, kwargs)
            except fallback.STORAGE_ERRORS:
                raise
            except Exception as exc:
                process.internal_error(exc)
        if stage is None:
            return orig(repo, source, revmap, trp, expectedfiles, needfiles, **kwargs)
        return stage.run(expectedfiles)

    return _addchangegroupfiles


def _stage_of(
    repo: Any, source: Any, revmap: Any, trp: Any, kwargs: dict[str, Any]
) -> FilesStage | None:
    """How the files of ``source`` are added the short way; None: they are not."""
    known = {'addrevisioncb', 'debug_info', 'delta_base_reuse_policy'}
    known.add('use_hasmeta_flag')
    if (
        source.__class__ not in _UNPACKERS
        or source._stream.__class__ is not changegroups.Reader
        or source.callback is not None
        or kwargs.get('addrevisioncb') is not None
        or kwargs.get('debug_info') is not None
        or kwargs.get('use_hasmeta_flag')
        or not kwargs.keys() <= known
        or not incomingmod.policy_is_default(kwargs.get('delta_base_reuse_policy'))
        or not incomingmod.are_objects()
    ):
        return None
    if (
        type(repo.store) is not store.fncachestore
        or requirements.NARROW_REQUIREMENT in repo.requirements
        or getattr(type(repo), 'file', None) is not localrepo.localrepository.file
    ):
        return None
    here = stores.of(repo.svfs)
    if here.refusal is not None or not here.files.direct:
        return None
    if not all(_written_by_mercurial(owner, names) for owner, names in _REPLACED):
        _counters.refuse('adding: wrapped by an extension')
        return None
    return FilesStage(repo, source, revmap, trp, kwargs, here.files)


class FilesStage:
    """The files of one changegroup."""

    def __init__(
        self,
        repo: Any,
        source: Any,
        revmap: Any,
        trp: Any,
        kwargs: dict[str, Any],
        storage: Any,
    ) -> None:
        self.repo = repo
        self.source = source
        self.revmap = revmap
        self.trp = trp
        self.kwargs = kwargs
        self.reader = source._stream
        self.header_size = changegroups.header_size(source.version)
        constants = repo.nodeconstants
        self.file_logs = adding.FileLogs(
            storage,
            self.open_filelog,
            bool(repo.svfs.options.get(b'issue6528.fix-incoming', True)),
            frozenset({constants.wdirid, *constants.wdirfilenodeids}),
            revlog.parse_index_v1,
        )
        self.appender = adding.Appender(
            storage, repo.svfs, repo.svfs.vfs, trp, self.open_filelog
        )
        self.link_of: Callable[[bytes], int | None] = repo.changelog.index.get_rev
        self.progress: Any = None
        self.revisions = 0

    def open_filelog(self, name: bytes) -> Any:
        return self.repo.file(name, writable=True)

    def run(self, expected: int) -> tuple[int, int]:
        """Add all files; ``(revisions, files)`` as ``_addchangegroupfiles`` counts."""
        files = 0
        self.progress = self.repo.ui.makeprogress(
            _(b'files'), unit=_(b'files'), total=expected
        )
        for header in iter(self.source.filelogheader, {}):
            files += 1
            name = header[b'filename']
            group = None
            if self.is_plain(name):
                group = self.reader.group(self.header_size, _GROUP_LIMIT)
            outcome = None
            if group is not None:
                outcome = self.work_out(name, group)
            self.finish(name, group, outcome)
        self.progress.complete()
        return self.revisions, files

    def is_plain(self, name: bytes) -> bool:
        """Is there nothing special about the file log of ``name``?"""
        # one that was split in this transaction is in files of another name
        split = b'001-revlog-split-%d-%s' % (adding._KIND_FILELOG, name)
        return not (name.startswith(b'/') or self.trp.hasfinalize(split))

    def work_out(self, name: bytes, group: bytes) -> additions.Outcome | None:
        """What ``group`` appends to the file log of ``name``; None: not known here."""
        counted = _counters.entries
        try:
            incoming = changegroups.deltas(group, self.source.version)
            return self.file_logs.work_out(name, incoming, self.link_of)
        except additions.Uncommon:
            return None
        except fallback.STORAGE_ERRORS:
            # Mercurial says it, if it finds so, too
            return None
        except Exception as exc:
            process.internal_error(exc)
            return None
        finally:
            _counters.entries = counted

    def finish(
        self, name: bytes, group: bytes | None, outcome: additions.Outcome | None
    ) -> None:
        """Write the file log of ``name``: ``outcome``, or in Mercurial's own way."""
        self.repo.ui.debug(b'adding %s revisions\n' % name)
        self.progress.increment()
        if outcome is not None and self.appender.append(name, outcome):
            self.revisions += outcome.added
            _counters.served['filelog'] += 1
            _counters.entries += outcome.added
            _counters.groups += 1
            return
        reader = self.source._stream
        if group is not None:
            self.source._stream = changegroups.Reader.over(group)
        try:
            self.add_by_mercurial(name)
        finally:
            self.source._stream = reader

    def add_by_mercurial(self, name: bytes) -> None:
        """As ``_addchangegroupfiles`` does for each file."""
        fl = self.open_filelog(name)
        before = len(fl)
        try:
            added = fl.addgroup(
                self.source.deltaiter(), self.revmap, self.trp, **self.kwargs
            )
        except error.CensoredBaseError as exc:
            raise error.Abort(_(b'received delta base is censored: %s') % exc) from exc
        if not added:
            raise error.Abort(_(b'received file revlog group is empty'))
        self.revisions += len(fl) - before
