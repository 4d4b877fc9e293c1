# A storage whose n-th operation fails, or is lost.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of a disk, at the one place where the engine meets it.

:class:`FaultyStorage` counts what the engine asks of its storage: opening for reading
or writing, reading a range, reading a file, each write, each flush, each rename. The
one with the number that was chosen *fails* with EIO, or is *lost*: a write does not
happen, a read answers half of what is there.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from hgext3rd.fastrevlog.engine import vfs


class Fault:
    """Which operation goes wrong, and how; ``happened`` is what it was, or empty."""

    def __init__(self, number: int, lost: bool = False) -> None:
        self.number = number
        self.lost = lost
        self.count = 0
        self.happened = ""

    def now(self, what: str) -> bool:
        """Count an operation; whether it is lost.  Raises ``OSError`` if it fails."""
        self.count += 1
        if self.count != self.number:
            return False
        self.happened = what
        if self.lost:
            return True
        raise OSError(errno.EIO, os.strerror(errno.EIO), what)


class _Reader:
    def __init__(self, reader: Any, name: bytes, fault: Fault) -> None:
        self._reader, self._name, self._fault = reader, name, fault

    def pread(self, length: int, offset: int) -> bytes:
        data: bytes = self._reader.pread(length, offset)
        if self._fault.now(f"read {self._name!r}"):
            return data[: len(data) // 2]
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


class _File:
    def __init__(self, fp: Any, name: bytes, fault: Fault) -> None:
        self._fp, self._name, self._fault = fp, name, fault

    def write(self, data: bytes) -> int:
        if self._fault.now(f"write {self._name!r}"):
            # the file grows all the same: what was not written reads as zeros
            self._fp.write(bytes(len(data)))
            return len(data)
        written: int = self._fp.write(data)
        return written

    def flush(self) -> None:
        if not self._fault.now(f"flush {self._name!r}"):
            self._fp.flush()

    def __enter__(self) -> _File:
        self._fp.__enter__()
        return self

    def __exit__(self, *args: Any) -> Any:
        return self._fp.__exit__(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fp, name)


class FaultyStorage(vfs.StoreVFS):
    """The files of a store, with one fault."""

    __slots__ = ("_fault",)

    def __init__(self, opener: Any, fault: Fault) -> None:
        super().__init__(opener)
        self._fault = fault

    def reader(self, name: bytes) -> Any:
        self._fault.now(f"open {name!r}")
        return _Reader(super().reader(name), name, self._fault)

    def read_whole(self, name: bytes) -> bytes:
        data = super().read_whole(name)
        if self._fault.now(f"read all of {name!r}"):
            return data[: len(data) // 2]
        return data

    def open(self, name: bytes, mode: bytes, checkambig: bool = False) -> Any:
        self._fault.now(f"open {name!r} to write")
        return _File(super().open(name, mode, checkambig), name, self._fault)

    def rename(self, src: bytes, dst: bytes, checkambig: bool = False) -> None:
        if not self._fault.now(f"rename {src!r}"):
            super().rename(src, dst, checkambig)
