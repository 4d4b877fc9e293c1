# The store, as the engine sees it: encoded paths, read handles, write handles.
# SPDX-License-Identifier: GPL-2.0-or-later
"""A thin wrapper of the store's opener.

Reading is ours: the path is encoded by Mercurial's C function and the file is
opened with one system call.  So is one that is there and is appended to, if no other
link to it exists.  Everything else that changes the store goes through Mercurial's
own opener, because that is where the rules live: the fncache learns of new files,
modes follow the store, hard links are broken before writing, time stamps are kept
unambiguous, and abandoned temporary files vanish.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any

from mercurial import pathutil

from . import caches, compression, hashing

_POSIX = os.name == 'posix'
_READ_FLAGS = os.O_RDONLY | getattr(os, 'O_CLOEXEC', 0) | getattr(os, 'O_NOCTTY', 0)
_APPEND_FLAGS = os.O_RDWR | getattr(os, 'O_CLOEXEC', 0) | getattr(os, 'O_NOCTTY', 0)


def pread_all(fd: int, length: int, offset: int) -> bytes:
    """Up to ``length`` bytes of ``fd`` from ``offset``; fewer only at its end."""
    data = os.pread(fd, length, offset)
    if len(data) == length or not data:
        return data
    # the kernel may answer short, above 2 GiB for example
    pieces = [data]
    got = len(data)
    while got < length:
        data = os.pread(fd, length - got, offset + got)
        if not data:
            break
        pieces.append(data)
        got += len(data)
    return b''.join(pieces)


class FdReader:
    """Positioned reads from a file descriptor (POSIX)."""

    __slots__ = ('fd',)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def pread(self, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer only at the file's end."""
        return pread_all(self.fd, length, offset)

    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self.fd).st_size

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class FileReader:
    """Positioned reads from a file object: Windows, and whatever is no file."""

    __slots__ = ('fp', '_owned')

    def __init__(self, fp: Any, owned: bool = True) -> None:
        self.fp = fp
        self._owned = owned

    def pread(self, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer only at the file's end."""
        self.fp.seek(offset)
        return self.fp.read(length)

    def size(self) -> int:
        """Bytes in the file."""
        return self.fp.seek(0, os.SEEK_END)

    def close(self) -> None:
        if self._owned:
            self.fp.close()


def _same(name: bytes) -> bytes:
    return name


def _nothing(opener: Any) -> None:
    return None


def _path_rule(opener: Any) -> tuple[Any, bytes]:
    """``(encode, prefix)`` such that the path of a name is prefix + encode(name).

    ``(None, b'')`` where that cannot be seen to give what the opener gives.
    """
    layer: Any = opener
    encode: Any = None
    while layer is not None:
        encode = getattr(layer, 'encode', None) or getattr(layer, '_filter', None)
        below = getattr(layer, 'vfs', None)
        if encode is not None or below is None:
            break
        layer = below
    # 7.0 and 7.1: the base is known to the vfs below
    base = getattr(layer, 'base', None) or getattr(layer.vfs, 'base', None)
    if base is not None:
        encode = encode or _same
        prefix = base + b'/'
        probe = b'data/Probe/.a%s.i' % (b'b' * 120)
        if prefix + encode(probe) == opener.join(probe):
            return encode, prefix
    return None, b''


class FolderAudit:
    """Folders below ``root`` in which files may be opened, each looked at once.

    What Mercurial's auditor asks of a path (``pathutil.pathauditor``: is a folder on
    the way a symbolic link, or a repository of its own?), for the usual answer; the
    auditor itself takes 14 microseconds for each new folder (3,236 folders, median of
    five runs).  Whatever else there is, is for the auditor to judge.
    """

    __slots__ = ('_prefix', 'known')

    def __init__(self, root: bytes) -> None:
        self._prefix = root + b'/'
        # names below the root, with a slash at the end
        self.known = {b''}

    def is_plain(self, folder: bytes) -> bool:
        """Whether the auditor would say nothing about files in ``folder``.

        ``folder`` is a name below the root that ends with a slash.
        """
        if not is_plain_name(folder) or b'//' in folder or folder[:1] == b'/':
            return False
        known = self.known
        cut = folder.find(b'/') + 1
        while cut:
            part = folder[:cut]
            if part not in known:
                found = self._kind(self._prefix + part)
                if found is None:
                    return False
                if not found:
                    break  # and nothing below it
                known.add(part)
            cut = folder.find(b'/', cut) + 1
        known.add(folder)
        return True

    def _kind(self, path: bytes) -> bool | None:
        """Is there a folder and no repository? False: nothing; None: else."""
        try:
            mode = os.lstat(path[:-1]).st_mode
        except FileNotFoundError:
            return False
        except OSError:
            return None
        if not stat.S_ISDIR(mode):
            return None
        try:
            os.stat(path + b'.hg')
        except FileNotFoundError:
            return True
        except OSError:
            pass
        return None


def is_plain_name(name: bytes) -> bool:
    """Whether no part of ``name`` may stand for a repository or a way upwards."""
    return name.isascii() and b'..' not in name and b'hg' not in name.lower()


class StoreVFS:
    """One store's files.  Names are store paths as bytes, ``data/a.i``.

    ``opener`` is Mercurial's, and stays the authority on everything but the
    opening of files that are there.  ``share`` is the memory that caches of this store
    may take, ``hash_policy`` how its texts are checked.  ``plain_vfs(opener)`` is the
    vfs that opens files for writing, where that is Mercurial's and does no more than
    what is done here, or None.
    """

    __slots__ = (
        'opener',
        'direct',
        'share',
        'hash_policy',
        '_plain_vfs',
        '_compressors',
        '_encode',
        '_prefix',
        '_folders',
    )

    def __init__(
        self,
        opener: Any,
        direct: bool = _POSIX,
        share: caches.Share | None = None,
        hash_policy: hashing.HashPolicy | None = None,
        plain_vfs: Callable[[Any], Any] = _nothing,
    ) -> None:
        self.opener = opener
        self._plain_vfs = plain_vfs
        self.share = caches.Share() if share is None else share
        self.hash_policy = hash_policy or hashing.HashPolicy()
        # by engine and options: to make one takes longer than to compress with it
        self._compressors: dict[Any, Any] = {}
        self._encode, self._prefix = _path_rule(opener)
        # open by system call? elsewhere Mercurial's opener knows the share modes
        self.direct = direct and self._encode is not None
        self._folders = FolderAudit(self._prefix[:-1])  # by encoded names

    def through(self, opener: Any) -> StoreVFS:
        """The same store, by another opener of Mercurial's."""
        return StoreVFS(
            opener, self.direct, self.share, self.hash_policy, self._plain_vfs
        )

    def path(self, name: bytes) -> bytes:
        """The encoded, absolute path of a store file."""
        if self._encode is None:
            return self.opener.join(name)
        return self._prefix + self._encode(name)

    def _descriptor(self, name: bytes) -> int:
        """Open ``name`` for reading by system call, unless Mercurial would not.

        What Mercurial's auditor asks of the name itself holds for an encoded one.
        """
        encoded = self._encode(name)
        folder = encoded[: encoded.rfind(b'/') + 1]
        if folder not in self._folders.known and not self._may_be_in(folder):
            self.opener._auditpath(encoded, b'rb')
            self._folders.known.add(folder)
        return os.open(self._prefix + encoded, _READ_FLAGS)

    def _may_be_in(self, folder: bytes) -> bool:
        """Would Mercurial's auditor have nothing to say about files in ``folder``?"""
        return type(self.opener.audit) is pathutil.pathauditor and (
            self._folders.is_plain(folder)
        )

    def reader(self, name: bytes) -> FdReader | FileReader:
        """Open ``name`` for positioned reads; raises ``OSError`` or ``Abort``."""
        if self.direct and b'..' not in name:
            return FdReader(self._descriptor(name))
        return FileReader(self.opener(name, b'rb'))

    def read_whole(self, name: bytes) -> bytes:
        """The content of ``name``; raises ``OSError`` or ``Abort``."""
        if not self.direct or b'..' in name:
            with self.opener(name, b'rb') as fp:
                return fp.read()
        fd = self._descriptor(name)
        try:
            size = os.fstat(fd).st_size
            # one byte more tells a complete read from a growing file
            data = os.read(fd, size + 1)
            if len(data) == size:
                return data
            pieces = [data]
            while data:
                data = os.read(fd, 1 << 20)
                pieces.append(data)
            return b''.join(pieces)
        finally:
            os.close(fd)

    def open_to_append(self, name: bytes) -> Any:
        """A file object for ``name``, which is there, to read and to append to.

        None where Mercurial has something to do first, or to say.
        """
        if not self.direct or b'..' in name:
            return None
        below = self._plain_vfs(self.opener)
        # whether links are counted right, Mercurial finds out at the first file
        if below is None or not below._trustnlink:
            return None
        encoded = self._encode(name)
        # not what is known from reading: who looks at writes has another auditor
        if not self._may_be_in(encoded[: encoded.rfind(b'/') + 1]):
            self.opener._auditpath(encoded, b'r+b')
        try:
            fd = os.open(self._prefix + encoded, _APPEND_FLAGS)
        except OSError:
            return None
        found = os.fstat(fd)
        if found.st_nlink == 1 and stat.S_ISREG(found.st_mode):
            return os.fdopen(fd, 'r+b')
        os.close(fd)
        return None

    def open(self, name: bytes, mode: bytes, checkambig: bool = False) -> Any:
        """A file object of Mercurial's, for writing."""
        return self.opener(name, mode=mode, checkambig=checkambig)

    def exists(self, name: bytes) -> bool:
        """Is there a file or a folder of that name?"""
        return bool(self.opener.exists(name))

    def compressor(self, engine: bytes, options: dict[bytes, Any]) -> Any:
        """Mercurial's compressor ``engine``, by name; raises ``Abort``."""
        key = (engine, *sorted(options.items()))
        made = self._compressors.get(key)
        if made is None:
            made = compression.revlog_compressor(engine, options)
            self._compressors[key] = made
        return made

    def unlink(self, name: bytes) -> None:
        self.opener.unlink(name)

    def rename(self, src: bytes, dst: bytes, checkambig: bool = False) -> None:
        self.opener.rename(src, dst, checkambig=checkambig)

    def size(self, fp: Any) -> int:
        """Bytes on disk of an open file."""
        return self.opener.fstat(fp).st_size
