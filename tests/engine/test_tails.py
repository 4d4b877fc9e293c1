# Bytes that are put aside in a file without a name.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import errno
import os
import pathlib
import random

import pytest

from hgext3rd.fastrevlog.engine import tails

PIECE = 50


@pytest.fixture
def spool(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> tails.Spool:
    monkeypatch.setattr(tails, "PIECE", PIECE)
    return tails.Spool(os.fsencode(tmp_path))


@pytest.mark.parametrize("seed", range(5))
def test_is_like_bytes(spool: tails.Spool, seed: int, tmp_path: pathlib.Path) -> None:
    rng = random.Random(seed)
    wanted = b""
    for _ in range(60):
        data = rng.randbytes(rng.choice([0, 1, 7, PIECE, 3 * PIECE + 1]))
        spool.extend(rng.choice([bytes, bytearray, memoryview])(data))
        wanted += data
        if rng.random() < 0.1:
            spool.flush()
        start, stop = rng.randrange(-9, 999), rng.randrange(-9, 999)
        for where in (slice(start, stop), slice(None), slice(len(wanted) - 60, None)):
            assert spool[where] == wanted[where]
        assert len(spool) == len(wanted)
    assert b"".join(spool.pieces()) == wanted
    assert all(len(piece) <= PIECE for piece in spool.pieces())
    assert not any(tmp_path.iterdir())  # it has no name


def test_what_another_process_has_put_there(spool: tails.Spool) -> None:
    spool.extend(b"before ")
    spool.flush()
    pid = os.fork()
    if not pid:
        try:
            spool.extend(b"x" * 200 + b" after")
            spool.flush()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert spool[:] == b"before "
    spool.restart(213)
    assert spool[:] == b"before " + b"x" * 200 + b" after"


def test_a_full_disk_loses_nothing(
    spool: tails.Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.extend(b"a" * 70)
    written = 0

    def full(fd: int, data: bytes, offset: int) -> int:
        nonlocal written
        written += 1
        if written > 1:
            raise OSError(errno.ENOSPC, "full")
        return whole(fd, data[:20], offset)

    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="full"):
        spool.extend(b"b" * 70)
    assert spool[:70] == b"a" * 70
    monkeypatch.setattr(os, "pwrite", whole)
    spool.flush()
    assert spool[:] == b"a" * 70 + b"b" * 70


def test_a_file_that_was_cut_off(spool: tails.Spool) -> None:
    spool.restart(10)
    with pytest.raises(OSError, match="cut off"):
        spool[2:5]


def test_what_it_takes_is_free_for_all_when_one_lets_go(spool: tails.Spool) -> None:
    spool.extend(b"x" * 500)
    spool.flush()
    other = os.dup(spool._fd)
    try:
        assert os.fstat(other).st_size == 500
        spool.clear()
        assert os.fstat(other).st_size == 0
        assert spool[:] == b""
        spool.extend(b"y" * 500)
        spool.flush()
        spool.close()
        spool.close()
        assert os.fstat(other).st_size == 0
        with pytest.raises(OSError, match="Bad file descriptor"):
            spool.extend(b"z" * 500)
    finally:
        os.close(other)


def test_the_last_pieces(spool: tails.Spool) -> None:
    spool.extend(b"x" * 120)
    pieces = spool.last_pieces()
    assert [next(pieces), next(pieces)] == [b"x" * 50] * 2
    assert spool._fd >= 0
    assert next(pieces) == b"x" * 20
    assert spool._fd == -1
    assert list(pieces) == []


def test_room(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.fsencode(tmp_path)
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    monkeypatch.setattr(tails, "_SPARE", 0)
    assert tails.has_room(folder, free // 5)
    assert not tails.has_room(folder, free // 3)
    monkeypatch.setattr(tails, "_SPARE", free * 2)
    assert not tails.has_room(folder, 0)
    assert not tails.has_room(folder + b"/none", 0)
    monkeypatch.delattr(os, "statvfs")
    assert not tails.has_room(folder, 0)
