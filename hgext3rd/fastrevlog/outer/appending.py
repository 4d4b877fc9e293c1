# Appending to file logs what was worked out before.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The write half of :mod:`.adding`.

All that is written, whoever worked it out, is written by the process that holds the
lock, in the order in which the groups came: first the transaction is told, then the
store, then the bytes are written.

A file that is new, or grows and stays what it is, takes an ``open``, a ``write`` and
a ``close``, after its entry in the journal.  An inline revlog that becomes too large
for one file is opened by Mercurial, which splits it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, Union

from mercurial import revlog, util

from ..compat import incoming as incomingmod
from ..engine import additions

Data = Union[bytes, bytearray, memoryview]
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_CLOEXEC', 0)
_APPEND = os.O_WRONLY | getattr(os, 'O_CLOEXEC', 0)
# what Mercurial's audit of paths looks at, in the encoded path of a file
_SUSPICIOUS = (b'..', b'//', b'.hg', b'hg~', b'hg8b6c~')


class Appender:
    """Writes what was worked out to the files of one store.

    ``svfs`` is Mercurial's opener of the store, ``vfs`` the plain one underneath,
    ``transaction`` the transaction that is open.
    """

    def __init__(
        self,
        storage: Any,
        svfs: Any,
        vfs: Any,
        transaction: Any,
        open_filelog: Callable[[bytes], Any],
    ) -> None:
        self._storage = storage
        self._svfs = svfs
        self._vfs = vfs
        self._transaction = transaction
        self._open_filelog = open_filelog
        # directories (absolute) that are there, and no links
        self._known_dirs = {vfs.base}

    def append(self, name: bytes, outcome: additions.Outcome) -> bool:
        """Append to the file log of ``name``.

        False: its files are not as they were when that was worked out, and nothing
        was written.  Raises ``OSError`` and what Mercurial raises.
        """
        radix = b'data/' + name
        index_name = radix + b'.i'
        add = self._transaction.add
        if not outcome.added:
            # the transaction hears of a revlog that is opened for writing
            if outcome.to_data is not None:
                add(radix + b'.d', outcome.data_size)
            add(index_name, outcome.index_size)
            return True
        if outcome.to_data is None:
            if outcome.data_after >= revlog._maxinline:
                return self._split(name, outcome)
            add(index_name, outcome.index_size)
            if outcome.revs_before:
                return self._append(index_name, outcome.index_size, outcome.to_index)
            return self._create(index_name, outcome.to_index)
        if not outcome.revs_before:
            return False
        data_name = radix + b'.d'
        add(data_name, outcome.data_size)
        add(index_name, outcome.index_size)
        if not self._is_as_expected(index_name, outcome.index_size):
            return False
        return self._append(
            data_name, outcome.data_size, outcome.to_data
        ) and self._append(index_name, outcome.index_size, outcome.to_index)

    def _is_as_expected(self, name: bytes, size: int) -> bool:
        return bool(os.stat(self._storage.path(name)).st_size == size)

    def _create(self, name: bytes, data: Data) -> bool:
        """Create the file ``name``, as Mercurial's vfs would."""
        path = self._storage.path(name)
        if self._vfs.createmode is None and self._may_create(path):
            try:
                fd = os.open(path, _CREATE, 0o666)
            except FileExistsError:
                return False
            self._svfs.register_file(name)
            try:
                _write_all(fd, data)
            finally:
                os.close(fd)
            return True
        if self._svfs.exists(name):
            return False
        with self._svfs(name, b'w+') as fp:
            self._svfs.register_file(name)
            fp.write(data)
        return True

    def _may_create(self, path: bytes) -> bool:
        """Is there nothing about ``path`` for Mercurial's audit to say?

        Makes its directory, if need be.
        """
        folder = path[: path.rindex(b'/')]
        if folder not in self._known_dirs and not self._make_dir(folder):
            return False
        below = path[len(self._vfs.base) :].lower()
        return not any(part in below for part in _SUSPICIOUS)

    def _make_dir(self, folder: bytes) -> bool:
        """Make ``folder`` and what is above it; False: leave it to Mercurial."""
        if not folder.startswith(self._vfs.base + b'/'):
            return False
        below = folder[len(self._vfs.base) :].lower()
        if any(part in below for part in _SUSPICIOUS):
            return False
        parent = folder[: folder.rindex(b'/')]
        if parent not in self._known_dirs and not self._make_dir(parent):
            return False
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                return False
            if os.path.isdir(folder + b'/.hg'):
                return False
        self._known_dirs.add(folder)
        return True

    def _append(self, name: bytes, size: int, data: Data) -> bool:
        """Append ``data`` to ``name``, of ``size`` bytes, if it has that size."""
        path = self._storage.path(name)
        fd = os.open(path, _APPEND)
        try:
            found = os.fstat(fd)
            if found.st_size != size:
                return False
            if found.st_nlink == 1 and self._trusts_links(path):
                if incomingmod.REGISTERS_OPENED and self._svfs.fncache.is_loaded:
                    self._svfs.register_file(name)
                os.lseek(fd, size, os.SEEK_SET)
                _write_all(fd, data)
                return True
        finally:
            os.close(fd)
        # Mercurial's vfs breaks the links first
        with self._svfs(name, b'r+') as fp:
            fp.seek(0, os.SEEK_END)
            fp.write(data)
        return True

    def _trusts_links(self, path: bytes) -> bool:
        vfs = self._vfs
        if vfs._trustnlink is None:
            vfs._trustnlink = util.checknlink(path)
        return bool(vfs._trustnlink)

    def _split(self, name: bytes, outcome: additions.Outcome) -> bool:
        """An inline revlog grows too large to be one."""
        rl = self._open_filelog(name)._revlog
        if (
            not getattr(rl._inner, 'is_fastrevlog', False)
            or not rl._inline
            or len(rl.index) != outcome.revs_before
        ):
            return False
        with rl._writing(self._transaction):
            handle = rl._inner.writer.handles[0]
            if handle.tell() != outcome.index_size:
                return False
            self._split_in_group(rl, handle, outcome)
        return True

    def _split_in_group(self, rl: Any, handle: Any, outcome: additions.Outcome) -> None:
        """Append up to the revision that is too much, split, append the others."""
        added = outcome.to_index
        stored = outcome.data_size
        entry_size = rl.index.entry_size
        data_handle = None
        for start, end, entry in incomingmod.entries(added, outcome.revs_before):
            rl.index.append(entry)
            if data_handle is not None:
                data_handle.write(added[start + entry_size : end])
                handle.write(added[start : start + entry_size])
                continue
            stored += entry[1]
            if stored >= revlog._maxinline:
                handle.write(added[:end])
                rl._enforceinlinesize(self._transaction)
                handle, data_handle, _sidedata = rl._inner.writer.handles


def _write_all(fd: int, data: Data) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])
