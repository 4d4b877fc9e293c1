# Files for an archive.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``hg archive`` reads every file of a changeset once, through a context of each.

Mercurial's function makes the archive; the changeset that it gets reads its files
without these objects (:mod:`.filetexts`).  An archive that is a folder gets its files
as an update does (:mod:`.newfiles`).  What is not plain, or fails, is done by
Mercurial's code, in its turn.
"""

from __future__ import annotations

import os
from typing import Any

from mercurial import context
from mercurial import vfs as vfsmod

from .. import fallback, process, unchanged
from . import filetexts, newfiles

# files; fewer are not worth the preparation, which opens the first file twice
_WORTHWHILE = 20
_AUDIT = '_fastrevlog_audit'  # an attribute of what writes the folder
LEFT_OUT: unchanged.Rows = (
    (context.changectx, ('__getitem__',)),
    *filetexts.LEFT_OUT,
)
EXPECTED = (ValueError, IndexError, *fallback.STORAGE_ERRORS)


class _File:
    """A file of an archived changeset, as far as Mercurial's function asks of it."""

    __slots__ = ('_ctx', '_path')

    def __init__(self, ctx: ArchivedContext, path: bytes) -> None:
        self._ctx = ctx
        self._path = path

    def data(self) -> bytes:
        try:
            return self._ctx.read_file(self._path)
        except EXPECTED:
            pass
        except Exception as exc:
            process.internal_error(exc)
        return self._ctx.filectx(self._path).data()


class ArchivedContext(context.changectx):
    """A changeset whose files are to be read once each."""

    read_file: filetexts.Read

    def __getitem__(self, path: bytes) -> Any:
        return _File(self, path)


def prepared(repo: Any, ctx: Any) -> Any:
    """``ctx`` as an :class:`ArchivedContext`, or itself where that is not plain."""
    if (
        type(ctx) is not context.changectx
        or unchanged.has_own(ctx, ('filectx',))
        or not unchanged.rows_are_of_mercurial(LEFT_OUT)
    ):
        return ctx
    manifest = ctx.manifest()
    if len(manifest) < _WORTHWHILE:
        return ctx
    template_cache = filetexts.template_cache_for(repo, next(iter(manifest)))
    if template_cache is None:
        return ctx
    archived = object.__new__(ArchivedContext)
    archived.__dict__.update(ctx.__dict__)
    archived.read_file = filetexts.reader(repo, ctx, template_cache)
    return archived


def is_file(ctx: Any, path: bytes) -> bool:
    """Does ``ctx`` have a file of this name?  The manifest is not parsed as a whole.

    Raises what Mercurial then says.
    """
    node = ctx.manifestnode()
    if not node:
        return True  # the working directory's; nothing to prepare
    try:
        return bool(ctx.repo().manifestlog[node].find(path)[0])
    except KeyError:
        return False


def make_archive(place: Any) -> Any:
    """For ``archival.archive``."""
    orig = place.stock

    def archive(repo: Any, dest: Any, node: Any, *args: Any, **kwargs: Any) -> Any:
        ctx = node
        try:
            ctx = prepared(repo, repo[node])
        except EXPECTED:
            pass  # Mercurial finds the words
        except Exception as exc:
            process.internal_error(exc)
        if not isinstance(ctx, ArchivedContext):
            return orig(repo, dest, node, *args, **kwargs)
        return orig(repo, dest, ctx, *args, **kwargs)

    return archive


def make_addfile(place: Any) -> Any:
    """For ``fileit.addfile``, which writes a file of an archive that is a folder."""
    orig = place.stock

    def addfile(self: Any, name: bytes, mode: int, islink: bool, data: bytes) -> None:
        if islink:
            # a manifest may be made to write through it
            self.__dict__.pop(_AUDIT, None)
        elif _create(self, name, mode, data):
            return
        orig(self, name, mode, islink, data)

    return addfile


def _create(archiver: Any, name: bytes, mode: int, data: bytes) -> bool:
    """Write a file of the folder that ``archiver`` fills; False if that is not plain.

    Something may then have been written, in the place of what would have been.
    """
    opener = archiver.opener
    if type(opener) is not vfsmod.vfs or opener.createmode is not None:
        return False
    audit = archiver.__dict__.get(_AUDIT)
    if audit is None:
        if not unchanged.rows_are_of_mercurial(newfiles.LEFT_OUT):
            return False
        audit = archiver.__dict__[_AUDIT] = newfiles.auditor(opener)
    path = os.path.join(archiver.basedir, name)
    try:
        audit(name)
        if path != opener.join(name) or newfiles.create(path, data) is None:
            return False
        os.chmod(path, mode)
        if archiver.mtime is not None:
            os.utime(path, (archiver.mtime, archiver.mtime))
    except EXPECTED:
        return False
    return True
