# Reading a changegroup from a part of a bundle.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from mercurial import bundle2, error, util

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


def deltas_of(group: bytes) -> list[bytes]:
    return [
        base + p1 + p2 + node + cs + delta
        for base, p1, p2, node, cs, _flags, delta in changegroups.deltas(group, b"02")
    ]


@pytest.mark.parametrize("seed", range(8))
def test_groups_deltas_and_bytes_by_turns(seed: int) -> None:
    rng = random.Random(seed)
    data, made = stream(rng, 30)
    reader = changegroups.Reader(Part(pieces_of(data, rng)))
    for deltas in made:
        how = rng.randrange(3)
        if how == 0:
            assert deltas_of(reader.group(HEADER, 1 << 20) or b"") == deltas
        elif how == 1:
            for delta in deltas:
                header, rest = reader.delta(HEADER) or (b"", b"")
                assert header + rest == delta
            assert reader.delta(HEADER) is None
            assert reader.read(4) == b"\0" * 4
        else:
            whole = b"".join(map(chunk, deltas)) + b"\0" * 4
            assert reader.read(len(whole)) == whole
    assert reader.read(4) == b""
    assert reader.group(HEADER, 1000) is None


def test_what_is_odd_is_not_consumed() -> None:
    for data in (
        b"\0" * 4,
        struct.pack(">l", 3),
        struct.pack(">l", -7),
        struct.pack(">l", 1 << 30) + b"x" * 500,
        chunk(b"x" * 50),
        chunk(b"x" * HEADER),
        chunk(b"x" * 500),
    ):
        reader = changegroups.Reader(Part([data]))
        assert reader.group(HEADER, 400) is None
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
