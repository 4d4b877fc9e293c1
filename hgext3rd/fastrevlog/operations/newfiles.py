# Files created and removed outside of the store, in one system call each.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``mercurial.vfs`` does for a new file, for the usual case."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from mercurial import error, pathutil, util
from mercurial import vfs as vfsmod

from .. import unchanged
from ..engine import vfs

# what of Mercurial is left out where a file is created
LEFT_OUT: unchanged.Rows = (
    (vfsmod.vfs, ('__call__', '_auditpath', '_fixfilemode')),
    (pathutil.pathauditor, ('__call__',)),
)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_CLOEXEC', 0)


def create(path: bytes, data: bytes) -> os.stat_result | None:
    """Write a file in the place of nothing, or of a file or link; what it is then.

    None if something else is in the way, or the file cannot be made.  Raises
    ``OSError`` when the writing fails (a full disk).
    """
    try:
        fd = _open(path)
    except OSError:
        return None
    try:
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, data[written:])
        return os.fstat(fd)
    finally:
        os.close(fd)


def _open(path: bytes) -> int:
    """A descriptor of the new file ``path``; raises ``OSError``."""
    try:
        return os.open(path, _FLAGS, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except FileExistsError:
        if stat.S_IFMT(os.lstat(path).st_mode) not in (stat.S_IFREG, stat.S_IFLNK):
            raise
        os.unlink(path)
    return os.open(path, _FLAGS, 0o666)


def remove(path: bytes, with_folders: bool) -> None:
    """Remove a file that may be missing, and the folders that are empty then.

    Raises ``OSError`` if the file cannot be removed.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    if with_folders:
        try:
            folder = os.path.dirname(path)
            os.rmdir(folder)
            os.removedirs(os.path.dirname(folder))
        except OSError:
            pass  # not empty


def auditor(wvfs: Any) -> Callable[[bytes], None]:
    """What audits the paths of files to be written below ``wvfs``, for a while.

    It is called with a path below, and raises Mercurial's errors.  It remembers the
    folders that it found to be in order: to be thrown away soon.
    """
    theirs = wvfs.audit
    if type(theirs) is not pathutil.pathauditor:
        return lambda path: wvfs._auditpath(path, b'wb')
    cached = pathutil.pathauditor(
        wvfs.base, theirs.callback, realfs=theirs._realfs, cached=True
    )
    folders = vfs.FolderAudit(wvfs.base)
    known = folders.known
    is_plain_name = vfs.is_plain_name

    def audit(path: bytes) -> None:
        cut = path.rfind(b'/') + 1
        folder = path[:cut]
        name = path[cut:]
        plain = name and is_plain_name(name)
        if plain and (folder in known or folders.is_plain(folder)):
            return
        why = util.checkosfilename(path)
        if why:
            raise error.Abort(b'%s: %r' % (why, path))
        cached(path, mode=b'wb')

    return audit
