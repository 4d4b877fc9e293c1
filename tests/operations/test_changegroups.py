# Reading a changegroup from a part of a bundle.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import errno
import os
import pathlib
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from mercurial import bundle2, error, util

from hgext3rd.fastrevlog.engine import additions, tails
from hgext3rd.fastrevlog.operations import changegroups

HEADER = 100


class Part(bundle2.unbundlepart):  # type: ignore[misc]
    """A part whose content is given, and may end in an error."""

    def __init__(self, pieces: list[bytes], failure: Exception | None = None) -> None:
        def chunks() -> Iterator[bytes]:
            yield from pieces
            if failure is not None:
                raise failure

        self._initialized = True
        self.consumed = True
        self._pos = 0
        self._payloadstream = util.chunkbuffer(chunks())


def chunk(content: bytes) -> bytes:
    return struct.pack(">l", len(content) + 4) + content


def stream(rng: random.Random, groups: int) -> tuple[bytes, list[list[bytes]]]:
    made = [
        [rng.randbytes(HEADER + rng.choice([0, 5, 3000, 70_000])) for _ in range(n)]
        for n in (rng.randrange(1, 6) for _ in range(groups))
    ]
    return b"".join(b"".join(map(chunk, deltas)) + b"\0" * 4 for deltas in made), made


def pieces_of(data: bytes, rng: random.Random) -> list[bytes]:
    pieces = []
    while data:
        size = rng.choice([1, 100, 32768, 300_000])
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def whole(incoming: Any) -> bytes:
    base, p1, p2, node, cs, _flags, delta = incoming
    return b"".join((base, p1, p2, node, cs, delta))


def deltas_of(group: bytes) -> list[bytes]:
    assert group.startswith(b"name")
    return list(map(whole, changegroups.deltas(group, b"02", 4)))


@pytest.mark.parametrize("seed", range(8))
def test_groups_deltas_and_bytes_by_turns(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    folder = os.fsencode(tmp_path)
    monkeypatch.setattr(tails, "PIECE", [100, 5000, 1 << 20][seed % 3])
    rng = random.Random(seed)
    data, made = stream(rng, 30)
    reader = changegroups.Reader(Part(pieces_of(data, rng)))
    for deltas in made:
        how = rng.randrange(4)
        if how == 3:
            spool = reader.spool(HEADER, 1 << 20, 0, folder)
            assert spool is not None
            spooled = changegroups.spooled_deltas(spool, b"02")
            assert list(map(whole, spooled)) == deltas
            assert reader.spool(HEADER, 1 << 20, 1 << 20, folder) is None
        elif how == 0:
            assert deltas_of(reader.group(HEADER, 1 << 20, b"name") or b"") == deltas
        elif how == 1:
            for delta in deltas:
                header, rest = reader.delta(HEADER) or (b"", b"")
                assert header + rest == delta
            assert reader.delta(HEADER) is None
            assert reader.read(4) == b"\0" * 4
        else:
            everything = b"".join(map(chunk, deltas)) + b"\0" * 4
            assert reader.read(len(everything)) == everything
    assert reader.read(4) == b""
    assert reader.group(HEADER, 1000) is None


def test_what_is_odd_is_not_consumed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "PIECE", 100)
    good = chunk(b"x" * HEADER) * 3
    for data in (
        b"\0" * 4,
        struct.pack(">l", 3),
        struct.pack(">l", -7),
        struct.pack(">l", 1 << 30) + b"x" * 500,
        chunk(b"x" * 50),
        chunk(b"x" * HEADER),
        chunk(b"x" * 500),
        good + struct.pack(">l", 3) + b"more",
        good + struct.pack(">l", 70) + b"more",
        good + chunk(b"x" * 500)[:300],
        good,
        good[:-1],
        good + chunk(b"x" * 90) + b"\0" * 4,
    ):
        reader = changegroups.Reader(Part([data]))
        assert reader.group(HEADER, 400) is None
        assert reader.read(len(data)) == data
        for pieces in [data], [data[:150], data[150:]]:
            reader = changegroups.Reader(Part([piece for piece in pieces if piece]))
            assert reader.spool(HEADER, 400, 0, os.fsencode(tmp_path)) is None
            assert reader.spool(HEADER, 1, 0, os.fsencode(tmp_path)) is None
            assert reader.read(len(data)) == data
            assert reader.read(1) == b""


@pytest.mark.parametrize("after", range(4))
def test_no_room_for_a_spool(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(tails, "PIECE", 100)
    data = chunk(b"x" * HEADER) * 3 + b"\0" * 4

    def write(*args: Any) -> int:
        nonlocal after
        after -= 1
        if after < 0:
            raise OSError(errno.ENOSPC, "full")
        return real(*args)

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", write)
    reader = changegroups.Reader(Part([data]))
    spool = reader.spool(HEADER, 400, 0, os.fsencode(tmp_path))
    assert reader.read(len(data)) == (b"" if spool else data)
    assert bool(spool) == (after >= 0)


def test_no_folder_for_a_spool(tmp_path: pathlib.Path) -> None:
    data = chunk(b"x" * HEADER) + b"\0" * 4
    reader = changegroups.Reader(Part([data]))
    assert reader.spool(HEADER, 400, 0, os.fsencode(tmp_path / "none")) is None
    assert reader.read(len(data)) == data


def test_a_failure_comes_when_mercurial_would_have_met_it() -> None:
    data, (deltas,) = stream(random.Random(1), 1)
    for cut in range(0, len(data), 997):
        failed = error.Abort(b"broken")
        reader = changegroups.Reader(Part([data[:cut]] if cut else [], failed))
        plain = Part([data[:cut]] if cut else [], error.Abort(b"broken"))
        assert reader.group(HEADER, 1 << 20) is None
        for size in (4, HEADER, len(deltas[0]) - HEADER, 4, 1, len(data)):
            try:
                wanted: Any = plain.read(size)
            except error.Abort:
                wanted = "broken"
            try:
                got: Any = reader.read(size)
            except error.Abort:
                got = "broken"
            assert got == wanted
            if wanted == "broken":
                break


def test_a_part_that_is_not_as_known_is_not_read() -> None:
    part = Part([b""])
    assert not changegroups.Reader.reads(part)  # a subclass
    part.__class__ = bundle2.unbundlepart
    assert changegroups.Reader.reads(part)
    part._payloadstream = object()
    assert not changegroups.Reader.reads(part)


@pytest.mark.parametrize("version", [b"01", b"02", b"03"])
def test_headers(version: bytes) -> None:
    nodes = [bytes([n]) * 20 for n in range(1, 6)]
    unpack = changegroups.unpacker(version)
    if version == b"01":
        header = b"".join(nodes[:4])
        assert unpack(header, None) == (*nodes[:3], nodes[1], nodes[3], 0)
        assert unpack(header, b"b" * 20) == (*nodes[:3], b"b" * 20, nodes[3], 0)
    else:
        flags = b"\1\2" if version == b"03" else b""
        wanted = 0x102 if flags else 0
        assert unpack(b"".join(nodes) + flags, b"b" * 20) == (*nodes, wanted)
    assert changegroups.header_size(version) in (80, 100, 102)


@pytest.mark.parametrize("looks", range(5))
def test_less_and_less_room(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    left = looks

    def has_room(folder: bytes, size: int) -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    monkeypatch.setattr(tails, "PIECE", 100)
    monkeypatch.setattr(tails, "has_room", has_room)
    data = chunk(b"x" * HEADER) * 3 + b"\0" * 4
    reader = changegroups.Reader(Part([data + b"after"]))
    spool = reader.spool(HEADER, 400, 0, os.fsencode(tmp_path))
    assert bool(spool) == (looks == 4)
    assert reader.read(500) == (b"after" if spool else data + b"after")


def test_a_spool_that_cannot_be_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows is not taken for the next."""
    monkeypatch.setattr(tails, "PIECE", 100)
    data = chunk(b"x" * HEADER) * 8 + struct.pack(">l", 3) + b"after"
    reader = changegroups.Reader(Part([data]))
    assert reader.spool(HEADER, 1 << 20, 0, os.fsencode(tmp_path)) is None
    read = 0

    def pread(*args: Any) -> bytes:
        nonlocal read
        read += 1
        if read == 3:
            raise OSError(errno.EIO, "broken")
        return real(*args)

    real = os.pread
    monkeypatch.setattr(os, "pread", pread)
    assert reader.read(150) == data[:150]
    with pytest.raises(OSError, match="broken"):
        reader.read(500)
    with pytest.raises(OSError, match="broken"):
        reader.read(500)


def test_what_was_put_aside_comes_back_whatever_happens(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "PIECE", 100)
    data = chunk(b"x" * HEADER) * 3 + b"\0" * 4
    reader = changegroups.Reader(Part([data]))

    def flush(self: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(tails.Spool, "flush", flush)
    with pytest.raises(RuntimeError):
        reader.spool(HEADER, 400, 0, os.fsencode(tmp_path))
    monkeypatch.undo()
    assert reader.read(len(data)) == data


@pytest.mark.parametrize("how", ["broken", "cut off"])
def test_a_group_that_cannot_be_read_to_its_end_is_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(tails, "PIECE", 100)
    data = chunk(b"x" * HEADER) * 8 + b"\0" * 4
    reader = changegroups.Reader(Part([data]))
    spool = reader.spool(HEADER, 1 << 20, 0, os.fsencode(tmp_path))
    assert spool is not None
    assert len(list(changegroups.spooled_deltas(spool, b"02"))) == 8
    if how == "cut off":
        # between two deltas
        spool.restart(len(chunk(b"x" * HEADER)) * 5)
        with pytest.raises(additions.Uncommon, match="end"):
            list(changegroups.spooled_deltas(spool, b"02"))
        return

    def pread(fd: int, size: int, at: int) -> bytes:
        if at > 300:
            raise OSError(errno.EIO, "broken")
        return real(fd, size, at)

    real = os.pread
    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises((OSError, additions.Uncommon)):
        list(changegroups.spooled_deltas(spool, b"02"))
