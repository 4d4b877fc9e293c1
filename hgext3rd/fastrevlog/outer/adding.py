# Adding groups of incoming revisions to file logs.
# SPDX-License-Identifier: GPL-2.0-or-later
"""File logs that receive a changegroup, without the general machinery.

Two halves, which may run in different processes:

- :class:`FileLogs` works out what a group appends to a file log
  (:mod:`..engine.additions`).  It only reads.
- :class:`Appender` tells the transaction and the store, and writes.  All that is
  written, whoever worked it out, is written by one process, the one that holds the
  lock, in the order in which the groups came.

A file that is new, or grows and stays what it is, takes an ``open``, a ``write`` and
a ``close``, after its entry in the journal.  An inline revlog that becomes too large
for one file is opened by Mercurial, which splits it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import Any

from mercurial import revlog, util
from mercurial.revlogutils import constants
from mercurial.revlogutils import deltas as hgdeltas

from ..compat import incoming as incomingmod
from ..engine import additions, deltas
from . import opening

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_CLOEXEC', 0)
_APPEND = os.O_WRONLY | getattr(os, 'O_CLOEXEC', 0)
_FILELOG_META = getattr(constants, 'FLAG_FILELOG_META', 0)
_KIND_FILELOG = constants.KIND_FILELOG
# what Mercurial's audit of paths looks at, in the encoded path of a file
_SUSPICIOUS = (b'..', b'//', b'.hg', b'hg~', b'hg8b6c~')


class _NoTransaction:
    """The transaction of what is worked out in memory."""

    @staticmethod
    def add(name: bytes, offset: int) -> None:
        """The files are told to the true transaction before they are written."""


class Kind:
    """What is the same for all file logs of a store with one index header."""

    __slots__ = ('template', 'header', 'limits', 'compressor')

    def __init__(self, rl: Any, template: opening.Template) -> None:
        self.template = template
        self.header = rl._format_flags | rl._format_version
        config = rl.delta_config
        self.limits = deltas.Limits(
            config.sparse_revlog,
            config.max_chain_len,
            config.max_deltachain_span,
            config.upper_bound_comp,
            config.filter_suspicious_delta,
        )
        # one for all: making one costs more than compressing a small delta
        self.compressor = rl._inner._compressor


def kind_of(rl: Any, parse: Any) -> Kind | None:
    """The kind of the file log ``rl``, opened by Mercurial; None: not plain."""
    config = rl.delta_config
    if (
        rl.__class__ is not revlog.revlog
        or not getattr(rl._inner, 'is_fastrevlog', False)
        or rl._format_version != 1
        or rl._format_flags & _FILELOG_META
        or rl._docket is not None
        or rl._nodemap_file is not None
        or rl._concurrencychecker is not None
        or rl.data_config.check_ambig
        or rl.feature_config.compute_rank
        or rl.feature_config.has_side_data
        or not rl._storedeltachains
        or not (rl._writable and rl._may_inline)
        or not (config.general_delta and config.lazy_delta and config.lazy_delta_base)
        or config.debug_delta
        or config.validate_base
        or getattr(config, 'delta_info', False)
        or getattr(rl, '_large_file_enabled', False)
    ):
        return None
    template = opening.template_of(rl, parse)
    return None if template is None else Kind(rl, template)


class FileLogs:
    """Works out what groups append to the file logs of one store.

    ``open_filelog(name)`` is Mercurial's way to open a file log for writing.
    """

    def __init__(
        self,
        storage: Any,
        open_filelog: Callable[[bytes], Any],
        fix_parents: bool,
        forbidden: frozenset[bytes],
        parse: Any,
    ) -> None:
        self._storage = storage
        self._open_filelog = open_filelog
        self._fix_parents = fix_parents
        self._forbidden = forbidden
        self._parse = parse
        # by header; None: files that do not exist yet
        self._kinds: dict[int | None, Kind | None] = {}

    def work_out(
        self,
        name: bytes,
        incoming: Iterable[additions.Incoming],
        link_of: Callable[[bytes], int | None],
    ) -> additions.Outcome:
        """What the revisions ``incoming`` append to the file log of ``name``.

        Raises :class:`additions.Uncommon`, and what reading raises.
        """
        radix = b'data/' + name
        try:
            data = self._storage.read_whole(radix + b'.i')
        except FileNotFoundError:
            data = b''
            kind = self._kind(None, name)
        else:
            if not data:
                raise additions.Uncommon('an empty index file')
            kind = self._kind(opening.header_of(data), name)
        if kind is None:
            raise additions.Uncommon('not a plain file log')
        inner = kind.template.open_inner(radix, data)
        inner._compressor = kind.compressor
        group = additions.Additions(
            inner,
            kind.header,
            kind.limits,
            self._fix_parents,
            self._forbidden,
            _Search(kind, inner, name, radix),
        )
        try:
            return group.add_all(incoming, link_of)
        finally:
            group.close()

    def _kind(self, header: int | None, name: bytes) -> Kind | None:
        try:
            return self._kinds[header]
        except KeyError:
            kind = kind_of(self._open_filelog(name)._revlog, self._parse)
            self._kinds[header] = kind
            return kind


class _Search:
    """Mercurial's own way to add one revision, in memory."""

    def __init__(self, kind: Kind, inner: Any, name: bytes, radix: bytes) -> None:
        self._kind = kind
        self._inner = inner
        self._name = name
        self._radix = radix
        self._rl: Any = None
        self._computer: Any = None

    def __call__(
        self,
        incoming: additions.Incoming,
        link: int,
        base: int,
        text: bytes | None,
    ) -> None:
        rl = self._rl
        if rl is None:
            rl = self._rl = self._open()
            self._computer = hgdeltas.deltacomputer(rl)
        node, p1, p2, _base_node, _changeset, flags, delta = incoming
        rl._addrevision(
            node,
            text,
            _NoTransaction,
            link,
            p1,
            p2,
            flags,
            incomingmod.cached_delta(base, delta, text),
            deltacomputer=self._computer,
            sidedata={},
        )

    def _open(self) -> Any:
        rl = self._kind.template.open_outer(
            (_KIND_FILELOG, self._name), self._radix, self._inner
        )
        rl.filename = self._name
        # a revlog in memory has no files to split
        rl._enforceinlinesize = _nothing
        return rl


def _nothing(transaction: Any) -> None:
    """In the place of ``revlog._enforceinlinesize``."""


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

    def _create(self, name: bytes, data: bytes) -> bool:
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

    def _append(self, name: bytes, size: int, data: bytes) -> bool:
        """Append ``data`` to ``name``, of ``size`` bytes, if it has that size."""
        path = self._storage.path(name)
        fd = os.open(path, _APPEND)
        try:
            found = os.fstat(fd)
            if found.st_size != size:
                return False
            if found.st_nlink == 1 and self._trusts_links(path):
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


def _write_all(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])
