# engine/randomaccess.py: ranges of a file, the delayed buffer, collected appends.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import errno
import os
import pathlib
import random
from typing import Any

import pytest
from mercurial import error
from mercurial.revlogutils import randomaccessfile

from hgext3rd.fastrevlog.engine import randomaccess, vfs
from support import enginelab

SIZE = 900_000  # bytes


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Any:
    return enginelab.opener(tmp_path)


@pytest.fixture(params=[True, False], ids=["descriptor", "file object"])
def storage(where: Any, request: pytest.FixtureRequest) -> vfs.StoreVFS:
    return vfs.StoreVFS(where, direct=request.param)


@pytest.fixture
def content(where: Any) -> bytes:
    data = random.Random(5).randbytes(SIZE)
    where.write(b"data", data)
    return data


class Counting:
    """A store that counts what is opened and read."""

    def __init__(self, storage: vfs.StoreVFS) -> None:
        self.storage = storage
        self.opened = 0
        self.reads: list[tuple[int, int]] = []

    def reader(self, name: bytes) -> Any:
        self.opened += 1
        reader = self.storage.reader(name)
        outer = self

        class Reader:
            def pread(self, length: int, offset: int) -> bytes:
                outer.reads.append((offset, length))
                return reader.pread(length, offset)

            def close(self) -> None:
                reader.close()

        return Reader()


def access(storage: Any, window: Any = None) -> randomaccess.RandomAccessFile:
    return randomaccess.RandomAccessFile(storage, b"data", window)


# ranges


def test_any_range_is_what_mercurials_own_file_gives(
    storage: vfs.StoreVFS, where: Any, content: bytes
) -> None:
    rng = random.Random(1)
    ours = access(storage)
    theirs = randomaccessfile.randomaccessfile(where, b"data", 65536)
    with ours.reading(), theirs.reading():
        for _ in range(400):
            offset = rng.randrange(SIZE)
            length = rng.choice([0, 1, 100, 65536, 70_000, 400_000])
            length = min(length, SIZE - offset)
            got = bytes(ours.read(offset, length))
            assert got == bytes(theirs.read_chunk(offset, length))
            assert got == content[offset : offset + length]


@pytest.mark.parametrize("step", [700, -700])
def test_a_scan_in_either_direction_reads_few_times_and_not_much_twice(
    storage: vfs.StoreVFS, content: bytes, step: int
) -> None:
    counting = Counting(storage)
    ours = access(counting)
    offsets = range(0, SIZE - 700, 700)
    with ours.reading():
        for offset in offsets if step > 0 else reversed(offsets):
            assert bytes(ours.read(offset, 700)) == content[offset : offset + 700]
    assert counting.opened == 1
    assert len(counting.reads) <= SIZE // randomaccess.AHEAD + 4
    assert (
        sum(length for _offset, length in counting.reads)
        < 1.5 * SIZE + randomaccess.AHEAD
    )


def test_what_is_in_the_window_is_not_read(
    storage: vfs.StoreVFS, content: bytes
) -> None:
    counting = Counting(storage)
    ours = access(counting, (1000, content[1000:3000]))
    assert ours.read(1000, 2000) is ours.window[1]
    assert ours.read(1500, 20) == content[1500:1520]
    assert not counting.opened
    assert bytes(ours.read(999, 2)) == content[999:1001]
    assert bytes(ours.read(2999, 2)) == content[2999:3001]
    assert counting.opened
    ours.clear_cache()
    opened = counting.opened
    assert bytes(ours.read(1500, 20)) == content[1500:1520]
    assert counting.opened == opened + 1


def test_a_large_read_does_not_replace_the_window(
    where: Any, storage: vfs.StoreVFS
) -> None:
    data = random.Random(6).randbytes(3 << 20)
    where.write(b"data", data)
    ours = access(storage)
    ours.read(0, 100)
    assert bytes(ours.read(100, 2 << 20)) == data[100 : 100 + (2 << 20)]
    assert len(ours.window[1]) < 1 << 20


@pytest.mark.parametrize("offset", [0, SIZE - 10, SIZE, SIZE + 5])
def test_a_file_that_is_too_short_is_an_error_that_says_so(
    storage: vfs.StoreVFS, where: Any, content: bytes, offset: int
) -> None:
    length = SIZE - offset + 20
    theirs = randomaccessfile.randomaccessfile(where, b"data", 65536)
    with pytest.raises(error.RevlogError):
        theirs.read_chunk(offset, length)
    with pytest.raises(error.RevlogError) as caught:
        access(storage).read(offset, length)
    found = max(SIZE - offset, 0)
    told = b"expected %d bytes from offset %d, got %d" % (length, offset, found)
    assert told in bytes(caught.value)
    assert b"data" in bytes(caught.value)


def test_a_missing_file_is_an_os_error(storage: vfs.StoreVFS) -> None:
    ours = access(storage)
    with pytest.raises(FileNotFoundError):
        ours.read(0, 1)
    with pytest.raises(FileNotFoundError), ours.reading():
        pass
    assert not ours.is_open


def test_one_handle_serves_a_context_and_is_closed_after_it(
    storage: vfs.StoreVFS, content: bytes
) -> None:
    counting = Counting(storage)
    ours = access(counting)
    with ours.reading(), ours.reading():
        assert ours.is_open
        ours.read(0, 10)
        ours.read(SIZE // 2, 10)
    assert counting.opened == 1
    assert not ours.is_open
    with pytest.raises(KeyError), ours.reading():
        raise KeyError
    assert not ours.is_open


def test_what_is_pending_is_read_back_while_writing(
    storage: vfs.StoreVFS, content: bytes
) -> None:
    ours = access(storage)
    ours.read(SIZE - 10, 10)
    handle = randomaccess.AppendHandle(storage.open(b"data", b"r+"))
    ours.writing_handle = handle
    handle.write(b"one")
    assert bytes(ours.read(SIZE - 5, 8)) == content[-5:] + b"one"
    handle.write(b"two")
    assert bytes(ours.read(SIZE, 6)) == b"onetwo"
    assert ours.is_open
    ours.writing_handle = None
    handle.close()


# the delayed buffer


@pytest.fixture
def delayed(where: Any) -> tuple[Any, Any]:
    """Ours and Mercurial's appender over the same file and the same buffer."""
    where.write(b"index", b"0123456789")
    pieces = [b"abc", b"", b"defg"]
    buffer = randomaccess.DelayedBuffer()
    for piece in pieces:
        buffer.append(piece)
    fp = where(b"index", b"r+")
    ours = randomaccess.DelayedHandle(fp, where.fstat(fp).st_size, buffer)
    theirs = randomaccessfile.appender(where, b"index", b"r+", [])
    for piece in pieces:
        theirs.write(piece)
    return ours, theirs


def test_file_and_buffer_read_as_one(delayed: tuple[Any, Any]) -> None:
    ours, theirs = delayed
    whole = b"0123456789abcdefg"
    for start in range(len(whole) + 1):
        for count in range(1, len(whole) + 3):
            theirs.seek(start)
            expected = theirs.read(count)
            ours.seek(start)
            assert ours.read(count) == expected == whole[start : start + count]
            assert ours.tell() == theirs.tell()
            assert ours.pread(count, start) == expected
        # without a count Mercurial's loses the last byte of the buffer
        ours.seek(start)
        assert ours.read() == whole[start:]
        assert ours.read(5) == b""


def test_all_ways_to_seek(delayed: tuple[Any, Any]) -> None:
    ours, theirs = delayed
    steps = [
        (3, os.SEEK_SET),
        (4, os.SEEK_CUR),
        (-2, os.SEEK_CUR),
        (0, os.SEEK_END),
        (-9, os.SEEK_END),
        (12, os.SEEK_SET),
    ]
    for offset, whence in steps:
        ours.seek(offset, whence)
        theirs.seek(offset, whence)
        assert ours.tell() == theirs.tell()
        assert ours.read(2) == theirs.read(2)
        assert ours.tell() == theirs.tell()


def test_delayed_writes_go_to_the_buffer_only(delayed: tuple[Any, Any]) -> None:
    ours, _theirs = delayed
    ours.seek(2)
    ours.write(memoryview(b"hi"))
    assert ours.tell() == 19
    ours.flush()
    ours.discard()
    assert ours.buffer.content() == b"abcdefghi"
    assert ours.pread(5, 8) == b"89abc"
    assert not ours.closed
    ours.close()
    assert ours.closed
    assert ours.buffer.size == 9


def test_the_buffer_outlives_the_handle(where: Any) -> None:
    where.write(b"index", b"01")
    buffer = randomaccess.DelayedBuffer()
    for piece in (b"ab", b"cd"):
        fp = where(b"index", b"r+")
        handle = randomaccess.DelayedHandle(fp, 2, buffer)
        handle.seek(0, os.SEEK_END)
        handle.write(piece)
        handle.close()
    assert buffer.content() == b"abcd"
    assert where.read(b"index") == b"01"


# collected appends


@pytest.mark.parametrize("checkambig", [False, True])
@pytest.mark.parametrize("sizes", [(1,), (10, 0, 5), (700_000, 700_000, 3)])
def test_nothing_is_lost(where: Any, checkambig: bool, sizes: tuple[int, ...]) -> None:
    rng = random.Random(2)
    where.write(b"log", b"start")
    handle = randomaccess.AppendHandle(where(b"log", b"r+", checkambig=checkambig))
    expected = b"start"
    assert handle.tell() == 5
    for size in sizes:
        piece = rng.randbytes(size)
        handle.write(piece)
        expected += piece
        assert handle.tell() == len(expected)
        # a read in between moves the position of the file
        at = rng.randrange(len(expected))
        assert handle.pread(9, at) == expected[at : at + 9]
    handle.write(b"end")
    assert not handle.closed
    handle.close()
    assert handle.closed
    handle.close()
    assert where.read(b"log") == expected + b"end"


def test_appends_begin_where_they_are_told_to(where: Any) -> None:
    where.write(b"log", b"0123456789")
    handle = randomaccess.AppendHandle(where(b"log", b"r+"), end=4)
    handle.write(b"ab")
    assert handle.tell() == 6
    handle.close()
    assert where.read(b"log") == b"0123ab6789"


def test_a_megabyte_does_not_wait(where: Any) -> None:
    handle = randomaccess.AppendHandle(where(b"log", b"w+"))
    handle.write(b"x" * 10)
    assert where.stat(b"log").st_size == 0
    handle.write(b"y" * (1 << 20))
    assert where.stat(b"log").st_size == (1 << 20) + 10
    handle.close()


def test_the_portable_way_of_reading_back(
    where: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(randomaccess, "_PREAD", None)
    handle = randomaccess.AppendHandle(where(b"log", b"w+"))
    handle.write(b"abcdef")
    assert handle.pread(3, 2) == b"cde"
    handle.write(b"ghi")
    assert handle.pread(10, 4) == b"efghi"
    handle.close()
    assert where.read(b"log") == b"abcdefghi"


class FullDisk:
    """A file of Mercurial's on a disk that is full for a while."""

    def __init__(self, fp: Any) -> None:
        self.fp = fp
        self.full = False
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written.append(data)
        return self.fp.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fp, name)


def test_nothing_is_written_twice(where: Any) -> None:
    disk = FullDisk(where(b"log", b"w+"))
    handle = randomaccess.AppendHandle(disk)
    for piece in (b"one", b"two", b"three"):
        handle.write(piece)
        handle.flush()
        handle.pread(1, 0)
    handle.close()
    assert disk.written == [b"one", b"two", b"three"]


def test_what_a_full_disk_refused_is_not_forgotten(where: Any) -> None:
    disk = FullDisk(where(b"log", b"w+"))
    handle = randomaccess.AppendHandle(disk)
    handle.write(b"abc")
    disk.full = True
    # somebody reads, and does not mind that it fails
    with pytest.raises(OSError, match="No space left"):
        handle.pread(1, 0)
    disk.full = False
    handle.write(b"def")
    handle.close()
    assert where.read(b"log") == b"abcdef"


def test_a_disk_that_stays_full_is_an_error_at_the_end(where: Any) -> None:
    disk = FullDisk(where(b"log", b"w+"))
    handle = randomaccess.AppendHandle(disk)
    handle.write(b"abc")
    disk.full = True
    with pytest.raises(OSError, match="No space left"):
        handle.close()
    assert handle.closed
    handle.close()


def test_the_data_reach_the_disk_before_their_index_entries(where: Any) -> None:
    disk = FullDisk(where(b"data", b"w+"))
    data = randomaccess.AppendHandle(disk)
    index = randomaccess.AppendHandle(where(b"index", b"w+"), after=data)
    data.write(b"chunk")
    index.write(b"entry")
    disk.full = True
    with pytest.raises(OSError, match="No space left"):
        index.flush()
    assert where.read(b"index") == b""
    disk.full = False
    index.flush()
    assert where.read(b"data") == b"chunk"
    assert where.read(b"index") == b"entry"
    index.close()
    data.close()
