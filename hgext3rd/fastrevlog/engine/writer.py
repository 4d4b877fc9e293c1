# Appending to a revlog, splitting an inline one, and hiding what is pending.
# SPDX-License-Identifier: GPL-2.0-or-later
"""The write side of an inner revlog.

A revlog is written within a context (:meth:`Writer.writing`) that holds the
handles.  Appends are collected and reach the disk when something reads them
back, when a megabyte has gathered, or when the context ends; data first, then
the index, so that no index entry refers to data that is not there.

The changelog hides what a transaction adds until the end.  While *delaying*,
index entries stay in memory; while *diverting*, they go to a side file
``00changelog.i.a`` that hooks of the same transaction can read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from mercurial import util
from mercurial.i18n import _

from . import counters, errors, randomaccess, revlogfiles

_counters = counters.counters


def inline_delay() -> Exception:
    """An inline revlog has no index file whose writes could be held back."""
    return errors.ProgrammingError(b'an inline revlog cannot delay its writes')


class Writer:
    """Appends to the ``files`` of one revlog, whose names it may change.

    ``handles`` is ``(index, data, sidedata)`` within a write context, else
    None; ``data`` is None for an inline revlog, ``sidedata`` always is.
    """

    __slots__ = ('files', 'data_config', 'handles', 'delayed', 'original_index_file')

    def __init__(self, files: revlogfiles.RevlogFiles, data_config: Any) -> None:
        self.files = files
        self.data_config = data_config  # Mercurial's, which may change
        self.handles: tuple[Any, Any, Any] | None = None
        self.delayed: randomaccess.DelayedBuffer | None = None
        # the true index file while writes are diverted
        self.original_index_file: bytes | None = None

    @property
    def is_delaying(self) -> bool:
        return self.delayed is not None or self.original_index_file is not None

    @contextlib.contextmanager
    def writing(self, transaction: Any, data_end: int | None) -> Iterator[None]:
        """Hold the files open for appending; nests.

        Tells the transaction the present sizes, for its rollback.
        """
        if self.handles is not None:
            yield
            return
        with self.files.storage.share.while_writing(transaction):
            yield from self._writing(transaction, data_end)

    def _writing(self, transaction: Any, data_end: int | None) -> Iterator[None]:
        files = self.files
        index = data = None
        try:
            if not files.inline:
                data = randomaccess.AppendHandle(self._open(files.data_file), data_end)
                transaction.add(files.data_file, files.data_size())
            index = self._open_index(data)
            transaction.add(files.index_file, files.index_size())
            self._expose(index, data)
            yield
        finally:
            # after a split the handles are not those that were opened here
            if self.handles is not None:
                index, data, _sidedata = self.handles
            self.handles = None
            files.writing_handle = None
            try:
                if data is not None:
                    data.close()
            except BaseException:
                # no index entry may refer to data that are not there
                if index is not None:
                    index.discard()
                raise
            finally:
                if index is not None:
                    index.close()

    def _expose(self, index: Any, data: Any) -> None:
        self.handles = (index, data, None)
        self.files.writing_handle = index if data is None else data

    def _open(self, name: bytes, checkambig: bool = False) -> Any:
        storage = self.files.storage
        if not checkambig:
            fp = storage.open_to_append(name)
            if fp is not None:
                return fp
        try:
            return storage.open(name, b'r+', checkambig)
        except FileNotFoundError:
            return storage.open(name, b'w+', checkambig)

    def _open_index(self, data: randomaccess.AppendHandle | None) -> Any:
        files = self.files
        if self.delayed is None:
            fp = self._open(files.index_file, self.data_config.check_ambig)
            return randomaccess.AppendHandle(fp, after=data)
        # nothing is written to the file, so its time stamp needs no care
        fp = self._open(files.index_file)
        handle = randomaccess.DelayedHandle(fp, files.storage.size(fp), self.delayed)
        handle.seek(0, os.SEEK_END)
        return handle

    def write_entry(
        self,
        transaction: Any,
        entry: bytes,
        data: tuple[bytes, bytes],
        offset: int,
    ) -> tuple[int, int | None, int | None]:
        """Append one revision, already in the index, to the files.

        ``entry`` is its packed index entry, ``data`` its chunk as header and
        body, ``offset`` where the chunk begins in the data.  Returns where the
        files end: index, data, sidedata (None where there is none), in bytes.
        Raises ``ProgrammingError`` outside of a write context.
        """
        if self.handles is None:
            raise errors.ProgrammingError(
                b'a revision can only be added within a write context'
            )
        files = self.files
        index_handle, data_handle, _sidedata = self.handles
        before = len(files.cindex) - 1
        header, body = data
        _counters.entries += 1
        files.storage.share.appended += 1
        if data_handle is None:
            if self.delayed is not None:
                raise inline_delay()
            offset += before * files.cindex.entry_size
            transaction.add(self.canonical_index_file, offset)
            index_handle.write(b''.join((entry, header, body)))
            return index_handle.tell(), None, None
        transaction.add(files.data_file, offset)
        transaction.add(self.canonical_index_file, before * len(entry))
        if header:
            data_handle.write(header)
        data_handle.write(bytes(body))
        index_handle.write(entry)
        return index_handle.tell(), data_handle.tell(), None

    @property
    def canonical_index_file(self) -> bytes:
        """The index file that counts, also while writes are diverted."""
        if self.original_index_file is not None:
            return self.original_index_file
        return self.files.index_file

    def split_inline(self, header: int, new_index_file: bytes | None) -> bytes:
        """Move the chunks of an inline revlog to a data file of their own.

        ``header`` is the first word of the new index.  The new index goes to
        ``new_index_file``, if given, until the transaction puts it in place.
        Returns the name of the index file now in use.
        """
        files = self.files
        cindex = files.cindex
        reopen = self.handles is not None
        if self.handles is not None:
            self.handles[0].close()
            self.handles = None
            files.writing_handle = None
        revs = len(cindex)
        new_data = files.storage.open(files.data_file, b'w+')
        try:
            new_data.truncate(0)
            if revs:
                with files.reading():
                    for rev in range(revs):
                        new_data.write(files.segment(rev, rev)[1])
            new_data.flush()
            if new_index_file is not None:
                files.use_index_file(new_index_file)
            checkambig = self.data_config.check_ambig
            with files.storage.open(files.index_file, b'w', checkambig) as fp:
                entries = [cindex.entry_binary(rev) for rev in range(revs)]
                if entries:
                    entries[0] = cindex.pack_header(header) + entries[0]
                fp.write(b''.join(entries))
            files.use_inline(False)
            if reopen:
                data = randomaccess.AppendHandle(new_data)
                self._expose(self._open_index(data), data)
                new_data = None
        finally:
            if new_data is not None:
                new_data.close()
        return files.index_file

    def _pending_index_file(self) -> bytes:
        name = self.files.index_file
        # hooks look for the side file of the true name, also during a split
        if name.endswith(b'.s'):
            name = name[:-2]
        return name + b'.a'

    def _check_may_hide(self) -> None:
        if self.files.is_open:
            raise errors.ProgrammingError(b'the revlog is open')
        if self.files.inline:
            raise inline_delay()

    def delay(self) -> bytes | None:
        """From now on hide what is added.

        Returns the name of a new side file that the transaction has to know of,
        or None.
        """
        self._check_may_hide()
        if self.is_delaying:
            return None
        if len(self.files.cindex):
            self.delayed = randomaccess.DelayedBuffer()
            return None
        return self._divert()

    def _divert(self) -> bytes:
        files = self.files
        pending = self._pending_index_file()
        if files.storage.exists(pending):
            files.storage.unlink(pending)
        self.original_index_file = files.index_file
        files.use_index_file(pending)
        return pending

    def _flush_delayed(self, name: bytes) -> None:
        if self.delayed is not None and self.delayed.size:
            with self.files.storage.open(name, b'r+') as fp:
                fp.seek(0, os.SEEK_END)
                fp.write(self.delayed.content())
        self.delayed = None

    def write_pending(self) -> tuple[bytes | None, bool]:
        """Put what is hidden into the side file, for hooks to see.

        Returns the side file, if it is new, and whether anything is pending.
        """
        self._check_may_hide()
        if self.original_index_file is not None:
            return None, True
        storage = self.files.storage
        true_file = self.files.index_file
        any_pending = self.delayed is not None and self.delayed.size > 0
        pending = self._divert()
        util.copyfile(storage.path(true_file), storage.path(pending))
        self._flush_delayed(pending)
        return pending, any_pending

    def finalize_pending(self) -> bytes:
        """Put what is hidden where it belongs.  Returns the index file.

        Raises ``ProgrammingError`` when nothing was hidden.
        """
        self._check_may_hide()
        files = self.files
        if self.delayed is not None:
            self._flush_delayed(files.index_file)
        elif self.original_index_file is not None:
            true_file = self.original_index_file
            if files.storage.exists(files.index_file):
                files.storage.rename(files.index_file, true_file, checkambig=True)
            files.use_index_file(true_file)
            self.original_index_file = None
        else:
            raise errors.ProgrammingError(
                _(b'nothing is delayed or diverted in this revlog')
            )
        return self.canonical_index_file
