# Writing files into the working directory that are not there yet.
# SPDX-License-Identifier: GPL-2.0-or-later
"""``hg update`` and ``hg clone`` write thousands of new files, one by one.

Mercurial prepares each as if something were in its way: it looks for a directory,
tries to remove a file, makes the parent folder, opens through three layers, and
asks for the mode.  Here the file is created in one system call that succeeds only
if there is nothing; whenever anything is different, Mercurial's own code does that
file.  The path is audited by Mercurial's auditor, one that remembers the folders
that it found to be in order for as long as the update goes on (or until it makes a
symlink), where Mercurial looks at each of them again for every file.

Only for what is plain: a working directory without filters, symlinks, backups or
atomic replacement, and classes that no extension has changed.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from mercurial import context, error, localrepo, pathutil, util
from mercurial import vfs as vfsmod
from mercurial.dirstateutils import timestamp

from .surface.pick import arguments_of

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_CLOEXEC', 0)


def create(path: bytes, data: bytes) -> bool:
    """Write a file that must not exist yet; False if that cannot be done here.

    Raises ``OSError`` when the writing fails (a full disk).
    """
    try:
        fd = os.open(path, _FLAGS, 0o666)
    except FileNotFoundError:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fd = os.open(path, _FLAGS, 0o666)
        except OSError:
            return False
    except OSError:
        return False
    try:
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])
    finally:
        os.close(fd)
    return True


def auditor_of(wctx: Any, wvfs: Any) -> Callable[[bytes], None]:
    """What raises Mercurial's errors for a path that may not be written.

    ``wctx`` stands for the update, and holds the auditor while that lasts.
    """
    held = wctx.__dict__.get(_AUDITOR)
    if held is not None:
        return held
    theirs = wvfs.audit
    if type(theirs) is not pathutil.pathauditor:
        return lambda path: wvfs._auditpath(path, b'wb')
    cached = pathutil.pathauditor(
        wvfs.base, theirs.callback, realfs=theirs._realfs, cached=True
    )

    def audit(path: bytes) -> None:
        why = util.checkosfilename(path)
        if why:
            raise error.Abort(b'%s: %r' % (why, path))
        cached(path, mode=b'wb')

    setattr(wctx, _AUDITOR, audit)
    return audit


_AUDITOR = '_fastrevlog_auditor'


def is_plain(repo: Any, wctx: Any) -> bool:
    """May files be created without Mercurial's general machinery?"""
    wvfs = repo.wvfs
    ui = repo.ui
    unfiltered = type(repo.unfiltered())
    return (
        os.name == 'posix'
        and type(wctx) is context.workingctx
        and type(wvfs) is vfsmod.vfs
        and wvfs.createmode is None
        and unfiltered.wwrite is _STOCK_WWRITE
        and unfiltered._filter is localrepo.localrepository._filter
        and context.workingfilectx.write is _STOCK_WRITE
        and context.workingfilectx.clearunknown is _STOCK_CLEAR
        and not repo._decodefilterpats
        and not (ui.verbose or ui.debugflag)
        and not ui.configbool(b'experimental', b'update.atomic-file')
        and not ui.configbool(b'experimental', b'merge.checkpathconflicts')
    )


def _reader(repo: Any, mctx: Any) -> Callable[[bytes], bytes]:
    """What reads the data of a file of ``mctx``."""

    def generally(path: bytes) -> bytes:
        return mctx.filectx(path).data()

    if type(mctx) is not context.changectx or context.filectx.data is not _STOCK_DATA:
        return generally
    open_filelog = repo.file
    node_of = mctx.filenode

    def read(path: bytes) -> bytes:
        try:
            return open_filelog(path).read(node_of(path))
        except error.CensoredNodeError:
            return generally(path)  # which knows what the user wants

    return read


_STOCK_DATA = context.filectx.data
_STOCK_WWRITE = localrepo.localrepository.wwrite
_STOCK_WRITE = context.workingfilectx.write
_STOCK_CLEAR = context.workingfilectx.clearunknown


def make_batchget(orig: Any) -> Any:
    """Wrap ``merge.batchget``, which writes the files of one worker's share."""

    def batchget(
        repo: Any, mctx: Any, wctx: Any, wantfiledata: bool, actions: Any
    ) -> Iterator[Any]:
        actions = list(actions)
        if not is_plain(repo, wctx) or any(a[1][0] == b'l' for a in actions):
            wctx.__dict__.pop(_AUDITOR, None)
            yield from orig(repo, mctx, wctx, wantfiledata, actions)
            return
        read = _reader(repo, mctx)
        filedata: dict[bytes, Any] = {}
        wvfs = repo.wvfs
        audit = auditor_of(wctx, wvfs)
        prefix = wvfs.base + b'/'
        left = []
        done = 0
        f = b''
        for action in actions:
            f, (flags, backup), _msg = action
            path = prefix + f
            audit(f)
            data = read(f)
            if backup or not create(path, data):
                left.append(action)
                continue
            if flags == b'x':
                wvfs.setflags(f, False, True)
            if wantfiledata:
                stat = os.lstat(path)
                filedata[f] = (stat.st_mode, len(data), timestamp.mtime_of(stat))
            done += 1
            if done == 100:
                yield False, (done, f)
                done = 0
        if left:
            for final, value in orig(repo, mctx, wctx, wantfiledata, left):
                if final:
                    filedata.update(value)
                else:
                    # one step for both: progress looks as Mercurial's does
                    count, f = value
                    yield False, (done + count, f)
                    done = 0
        if done:
            yield False, (done, f)
        yield True, filedata

    return batchget


def make_hook(orig: Any) -> Any:
    """Wrap ``localrepository.hook``, which every update calls before it writes.

    By then, and not before, ``mercurial.merge`` is loaded: most commands never do,
    and must not for our sake.
    """
    prepared = False

    def hook(self: Any, name: bytes, *args: Any, **kw: Any) -> Any:
        nonlocal prepared
        if name == b'preupdate' and not prepared:
            merge = sys.modules.get('mercurial.merge')
            # a module that demandimport has not loaded yet is of another type
            if type(merge) is types.ModuleType:
                prepared = True
                _prepare(merge)
        return orig(self, name, *args, **kw)

    return hook


def _prepare(merge: Any) -> None:
    """Put :func:`make_batchget` in place, where Mercurial looks as expected."""
    holder = merge
    if not hasattr(merge, 'batchget'):  # Mercurial 7.2 moved it
        try:
            from mercurial.merge_utils import update
        except ImportError:
            return
        holder = update
    expected = 'repo mctx wctx wantfiledata actions'
    if arguments_of(getattr(holder, 'batchget', None)) == expected:
        holder.batchget = make_batchget(holder.batchget)
