# Applying a changegroup.
# SPDX-License-Identifier: GPL-2.0-or-later
"""`unbundle`, `pull`, `clone --pull`, a push that arrives: the files of a changegroup.

``cg1unpacker.apply`` is given a stream that reads in large pieces
(:mod:`.changegroups`), and ``_addchangegroupfiles`` adds whole groups the short way
(:mod:`..outer.adding`).  A group that is not common in every respect is added by
Mercurial's own code, from the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mercurial import (
    changegroup,
    filelog,
    manifest,
    requirements,
    revlog,
    revlogutils,
    store,
)
from mercurial.revlogutils import rewrite

from .. import fallback, process, stores, unchanged
from ..compat import incoming as incomingmod
from ..engine import caches, format
from ..outer import adding, templates
from ..outer import manifests as manifestsmod
from . import changegroups, receiving

_counters = process.counters
_UNPACKERS = (
    changegroup.cg1unpacker,
    changegroup.cg2unpacker,
    changegroup.cg3unpacker,
)


_MANIFEST = (format.KIND_MANIFEST, b'')
_SPOOL_LIMIT = 16 << 30  # bytes of a group of manifests; room on the disk permitting
# changegroups in which each delta says against which node it is
_WITH_BASES = (b'02', b'03')
# arguments of ``addgroup``: what wants to know of each revision as it is added
_WITH_A_SAY = ('alwayscache', 'addrevisioncb', 'duplicaterevisioncb', 'debug_info')
# what of an unpacker is left out where its deltas are read
LEFT_OUT_OF_READING = 'deltachunk _chunklength _deltaheader'
_OF_UNPACKER = 'deltaiter deltachunk filelogheader _chunklength'
# what decides about the order of manifests and files
_OF_ORDER = 'apply _unpackmanifests manifestheader'
LEFT_OUT_OF_ORDER: tuple[tuple[Any, str], ...] = (
    (changegroup, '_addchangegroupfiles'),
    *[(cls, _OF_ORDER) for cls in _UNPACKERS],
    (manifest.manifestrevlog, 'addgroup'),
)
# what is done here in another way must be Mercurial's own: owner, names
LEFT_OUT: tuple[tuple[Any, str], ...] = (
    (changegroup.cg1unpacker, _OF_UNPACKER),
    (changegroup.cg1unpacker, '_deltaheader'),
    (changegroup.cg2unpacker, '_deltaheader'),
    (changegroup.cg3unpacker, '_deltaheader'),
    (incomingmod.FILE_STORAGE, 'file'),
    (filelog.filelog, 'addgroup __init__ __len__'),
    (rewrite, 'filter_delta_issue6528 _is_revision_affected_fast_inner'),
    (revlog.revlog, 'addgroup _addrevision _writing _writeentry _enforceinlinesize'),
    (revlog.revlog, 'size rawsize iscensored _peek_iscensored compress chainbase'),
    (revlog.revlog, '_chaininfo issnapshot snapshotdepth _nodeduplicatecallback'),
    (revlog.revlog, '__init__ rev ' + ' '.join(templates.LEFT_OUT)),
    *adding.LEFT_OUT_OF_SEARCH,
)


def make_apply(place: Any) -> Any:
    """Wrap ``cg1unpacker.apply``."""
    orig = place.stock

    def apply(self: Any, repo: Any, *args: Any, **kwargs: Any) -> Any:
        stream = self._stream
        here = stores.of(repo.svfs)
        if (
            self.__class__ in _UNPACKERS
            and here.enabled
            and here.share is not None
            and changegroups.Reader.reads(stream)
        ):
            reader = self._stream = changegroups.Reader(stream)
            reader.receiver = _Receiver(repo, self, reader)
            try:
                # of what is added little is read again
                with here.share.limited_to(caches.RECEIVING_LIMIT):
                    result = orig(self, repo, *args, **kwargs)
                    reader.receiver.finish()
                return result
            finally:
                self._stream = stream
                reader.forget()
        return orig(self, repo, *args, **kwargs)

    return apply


def make_deltaiter(place: Any) -> Any:
    """Wrap ``cg1unpacker.deltaiter``."""
    orig = place.stock

    def deltaiter(self: Any) -> Any:
        reader = self._stream
        if reader.__class__ is changegroups.Reader and _reads_plainly(self):
            return _Deltas(self, reader)
        return orig(self)

    return deltaiter


def _reads_plainly(unpacker: Any) -> bool:
    return (
        unpacker.__class__ in _UNPACKERS
        and incomingmod.are_objects()
        and not unchanged.has_own(unpacker, LEFT_OUT_OF_READING.split())
        and unchanged.parts_are_of(
            unpacker.__class__, LEFT_OUT_OF_READING, ('mercurial.changegroup',)
        )
    )


class _Deltas:
    """What ``deltaiter`` yields, from what the reader holds."""

    def __init__(self, unpacker: Any, reader: changegroups.Reader) -> None:
        self._deltas = _deltas(unpacker, reader)
        self._reader = reader

    def __iter__(self) -> Iterator[Any]:
        return self._deltas

    def __next__(self) -> Any:
        return next(self._deltas)

    def put_aside(
        self, rl: Any, linkmapper: Any, transaction: Any, arguments: dict[str, Any]
    ) -> bool:
        """Is what is left taken care of later?  If so, it is no longer here.

        Asked between two revisions of a group on its way into ``rl``.
        """
        receiver = self._reader.receiver
        try:
            return receiver is not None and receiver.put_aside(
                rl, linkmapper, transaction, arguments
            )
        except fallback.STORAGE_ERRORS:
            raise
        except Exception as exc:
            process.internal_error(exc)
            return False


def _deltas(unpacker: Any, reader: changegroups.Reader) -> Iterator[Any]:
    """What ``deltaiter`` yields, from what the reader holds."""
    unpack = changegroups.unpacker(unpacker.version)
    size = changegroups.header_size(unpacker.version)
    make = revlogutils.InboundRevision
    censor, hasmeta = unpacker.has_censor_flag, unpacker.has_filelog_hasmeta_flag
    before = None
    while True:
        found = reader.delta(size)
        if found is None:
            # the end of the group, or something that Mercurial has words for
            revision = unpacker.deltachunk(before)
            if revision is None:
                return
        else:
            if unpacker.callback:
                unpacker.callback()
            header, delta = found
            node, p1, p2, base, changeset, flags = unpack(header, before)
            revision = make(
                node,
                p1,
                p2,
                changeset,
                base,
                delta,
                flags,
                {},
                0,
                has_censor_flag=censor,
                has_filelog_hasmeta_flag=hasmeta,
            )
        before = revision.node
        yield revision


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
        receiver = getattr(source._stream, 'receiver', None)
        if not needfiles and source.callback is None:
            try:
                stage = _stage_of(repo, source, revmap, trp, kwargs)
            except fallback.STORAGE_ERRORS:
                raise
            except Exception as exc:
                process.internal_error(exc)
        if stage is None:
            if receiver is not None:
                receiver.finish()
            return orig(repo, source, revmap, trp, expectedfiles, needfiles, **kwargs)
        if receiver is not None:
            stage.manifests = receiver.take()
        return stage.run(expectedfiles)

    return _addchangegroupfiles


class _Receiver:
    """One changegroup that is being applied, and what was put aside of it."""

    def __init__(self, repo: Any, unpacker: Any, reader: changegroups.Reader) -> None:
        self._repo = repo
        self._unpacker = unpacker
        self._reader = reader
        self._manifests: manifestsmod.ManifestGroup | None = None

    def put_aside(
        self, rl: Any, linkmapper: Any, transaction: Any, arguments: dict[str, Any]
    ) -> bool:
        """Take what is left of the group of manifests, to be added with the files."""
        repo, unpacker, reader = self._repo, self._unpacker, self._reader
        if (
            rl.target != _MANIFEST
            or unpacker.version not in _WITH_BASES
            or any(arguments[name] for name in _WITH_A_SAY)
            or not _files_are_next(repo, unpacker)
        ):
            return False
        stage = _stage_of(repo, unpacker, linkmapper, transaction, {})
        if stage is None or stage.workers < 2:
            return False
        size = changegroups.header_size(unpacker.version)
        directory = repo.store.path
        group = reader.spool(size, _SPOOL_LIMIT, stage.enough, directory)
        if group is None:
            return False
        version = unpacker.version

        def add() -> None:
            unpacker._stream = changegroups.Reader.over(group.pieces())
            try:
                revisions = _deltas(unpacker, unpacker._stream)
                rl.addgroup(revisions, linkmapper, transaction, **arguments)
            finally:
                unpacker._stream = reader

        self._manifests = manifestsmod.ManifestGroup(
            rl,
            transaction,
            group,
            repo.changelog.index.get_rev,
            lambda: changegroups.spooled_deltas(group, version),
            add,
        )
        return True

    def take(self) -> manifestsmod.ManifestGroup | None:
        """The manifests that were put aside; the caller adds them."""
        manifests, self._manifests = self._manifests, None
        return manifests

    def finish(self) -> None:
        """Add what was put aside, here and now."""
        manifests = self.take()
        if manifests is not None:
            try:
                manifests.add()
            finally:
                manifests.close()

    def close(self) -> None:
        """Let go of what was put aside; it is not added any more."""
        manifests = self.take()
        if manifests is not None:
            manifests.close()


def _files_are_next(repo: Any, unpacker: Any) -> bool:
    """Does nothing look at the manifests before the files are added?"""
    ui = repo.ui
    return (
        not ui.configbool(b'server', b'validate')
        # each chunk is told of
        and not ui.configbool(b'progress', b'debug')
        and requirements.TREEMANIFEST_REQUIREMENT not in repo.requirements
        and unpacker.__class__ in _UNPACKERS
        and not unchanged.has_own(unpacker, _OF_ORDER.split())
        and all(
            unchanged.parts_are_of(owner, names) for owner, names in LEFT_OUT_OF_ORDER
        )
    )


def _stage_of(
    repo: Any, source: Any, revmap: Any, trp: Any, kwargs: dict[str, Any]
) -> receiving.FilesStage | None:
    """How the files of ``source`` are added the short way; None: they are not."""
    known = {'addrevisioncb', 'debug_info', 'delta_base_reuse_policy'}
    known.add('use_hasmeta_flag')
    if (
        source.__class__ not in _UNPACKERS
        or source._stream.__class__ is not changegroups.Reader
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
        or getattr(type(repo), 'file', None) is not incomingmod.FILE_STORAGE.file
        or unchanged.has_own(repo, ('file',))
        or unchanged.has_own(source, _OF_UNPACKER.split())
    ):
        return None
    here = stores.of(repo.svfs)
    if here.refusal is not None or not here.files.direct:
        return None
    if not all(unchanged.parts_are_of(owner, names) for owner, names in LEFT_OUT):
        _counters.refuse('adding: wrapped by an extension')
        return None
    return receiving.FilesStage(repo, source, revmap, trp, kwargs, here)
