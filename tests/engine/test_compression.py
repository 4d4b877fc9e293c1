# engine/compression.py: the same bytes written, any frame read, no bombs.
# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import random
import struct
import threading
import zlib
from typing import Any

import pytest
from mercurial import error, revlog, util

from hgext3rd.fastrevlog.engine import compression

ENGINES = [
    *((b"zlib", level) for level in (None, *range(10))),
    *((b"zstd", level) for level in (None, *range(23))),
    (b"none", None),
]
LIMIT = 10_000_000  # bytes


def samples() -> list[bytes]:
    rng = random.Random(9)
    words = [rng.randbytes(rng.randrange(2, 9)) for _ in range(90)]
    text = b" ".join(rng.choice(words) for _ in range(4000))
    made = [b"", b"a", b"\0", b"\0" * 100, b"u" * 30, b"x\x9c not zlib", b"(\xb5/\xfd"]
    made += [text[:size] for size in (43, 44, 45, 49, 50, 51, 64, 1000, 12_000)]
    made += [rng.randbytes(size) for size in (44, 50, 60, 3000)]
    # above this Mercurial compresses in a stream
    made += [b"\0" + text * 45, text * 60, rng.randbytes(1_000_100)]
    return made


SAMPLES = samples()


def options(engine: bytes, level: int | None) -> dict[bytes, int]:
    return {} if level is None else {engine + b".level": level}


def stock_inner(engine: bytes = b"zlib", level: int | None = None) -> Any:
    """The parts of Mercurial's inner revlog that compress and decompress."""

    class Config:
        compression_engine = engine
        compression_engine_options = options(engine, level)

    inner = object.__new__(revlog._InnerRevlog)
    inner.feature_config = Config()
    inner._decompressors = {}
    return inner


def round_trip(chunk: bytes) -> bytes:
    return bytes(compression.decompress(chunk, LIMIT))


# writing


@pytest.mark.parametrize(("engine", "level"), ENGINES)
def test_what_is_written_is_what_mercurial_writes(
    engine: bytes, level: int | None
) -> None:
    stock = stock_inner(engine, level)
    ours = compression.revlog_compressor(engine, options(engine, level))
    fast = (level or 0) < 10 or engine == b"zlib"
    for sample in SAMPLES if fast else SAMPLES[:-3]:
        header, body = compression.compress(ours, sample)
        assert (header, body) == stock.compress(sample)
        assert round_trip(header + body) == sample
        assert bytes(stock.decompress(header + body)) == sample


@pytest.mark.parametrize(
    ("engine", "level"),
    [(b"zlib", -1), (b"zlib", 10), (b"zstd", -1), (b"zstd", 23)],
)
def test_a_level_that_there_is_not(engine: bytes, level: int) -> None:
    with pytest.raises(error.Abort) as caught:
        compression.revlog_compressor(engine, options(engine, level))
    told = bytes(caught.value)
    assert engine in told
    assert b"%d" % level in told
    assert b"0 to %d" % (9 if engine == b"zlib" else 22) in told


# reading


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_chunks_come_in_any_buffer(kind: Any) -> None:
    for engine in (b"zlib", b"zstd", b"none"):
        compressor = compression.revlog_compressor(engine, {})
        for sample in SAMPLES[:-3]:
            chunk = kind(b"".join(compression.compress(compressor, sample)))
            assert bytes(compression.decompress(chunk, LIMIT)) == sample


def frame(data: bytes, sized: bool = True) -> bytes:
    module = compression.zstd_module()
    if sized:
        return module.ZstdCompressor(write_content_size=True).compress(data)
    compressor = module.ZstdCompressor(write_content_size=False)
    return compressor.compress(data)


def streamed(data: bytes, size: int = -1) -> bytes:
    stream = compression.zstd_module().ZstdCompressor().compressobj(size=size)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize("size", [0, 1, 100, 1_000_000, 3_000_000])
@pytest.mark.parametrize("make", [frame, lambda d: frame(d, False), streamed])
def test_frames_with_and_without_a_content_size(make: Any, size: int) -> None:
    data = (b"some text, and more of it; " * (size // 20 + 1))[:size]
    assert round_trip(make(data)) == data


@pytest.mark.parametrize("cut", [1, 3, 5, 9, 20, -1, -4])
@pytest.mark.parametrize("make", [frame, streamed, zlib.compress])
def test_what_is_cut_off_is_an_error(make: Any, cut: int) -> None:
    chunk = make(random.Random(4).randbytes(200))[:cut]
    with pytest.raises(compression.BadChunk) as caught:
        round_trip(chunk)
    assert caught.value.why
    assert isinstance(caught.value.as_revlog_error(), error.RevlogError)
    # Mercurial's may answer with what there is of the text


def test_damage_anywhere_gives_the_text_or_an_error() -> None:
    text = b"".join(b"line %d\n" % n for n in range(40))
    for make in (frame, streamed, zlib.compress):
        good = make(text)
        for at in range(1, len(good)):
            chunk = bytearray(good)
            chunk[at] ^= 0x41
            try:
                expected = bytes(stock_inner().decompress(bytes(chunk)))
            except error.StorageError:
                expected = None
            try:
                got = round_trip(bytes(chunk))
            except compression.BadChunk:
                # nothing that could be read is refused
                assert expected != text
            else:
                assert got == expected


def test_what_follows_a_frame_is_not_looked_at() -> None:
    for make in (frame, streamed, zlib.compress):
        chunk = make(b"text " * 50) + b"garbage"
        assert round_trip(chunk) == bytes(stock_inner().decompress(chunk))


@pytest.mark.parametrize("head", [b"?", b"y", b"\x01", b"\xff"])
def test_an_encoding_that_nobody_knows(head: bytes) -> None:
    with pytest.raises(error.RevlogError) as expected:
        stock_inner().decompress(head + b"rest")
    with pytest.raises(error.RevlogError) as caught:
        compression.decompress(head + b"rest", LIMIT)
    assert bytes(caught.value) == bytes(expected.value)


def test_an_engine_of_an_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    class Compressor:
        def decompress(self, data: bytes) -> bytes:
            assert type(data) is bytes
            return data[1:][::-1]

    class Engine:
        def revlogcompressor(self, options: Any = None) -> Compressor:
            return Compressor()

    find = util.compengines.forrevlogheader

    def forrevlogheader(header: bytes) -> Any:
        return Engine() if header == b"R" else find(header)

    monkeypatch.setattr(util.compengines, "forrevlogheader", forrevlogheader)
    for chunk in (b"Rcba", memoryview(b"Rcba")):
        assert compression.decompress(chunk, LIMIT) == b"abc"


# bounds


def bomb(kind: str, size: int) -> bytes:
    if kind == "zlib":
        stream = zlib.compressobj(1)
        pieces = [stream.compress(b"\0" * (1 << 20)) for _ in range(size >> 20)]
        return b"".join(pieces) + stream.flush()
    stream = (
        compression.zstd_module()
        .ZstdCompressor()
        .compressobj(size=size if kind == "sized" else -1)
    )
    pieces = [stream.compress(b"\0" * (1 << 20)) for _ in range(size >> 20)]
    return b"".join(pieces) + stream.flush()


@pytest.mark.parametrize("kind", ["zlib", "sized", "streamed"])
def test_a_bomb_is_put_out_early(kind: str) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    chunk = bomb(kind, 128 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(compression.BadChunk) as caught:
            compression.decompress(chunk, 1 << 20)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert b"beyond the 1048576 bytes" in caught.value.why
    assert peak < 64 << 20
    # the same chunk is fine for an index that says so
    if kind != "streamed":
        assert len(compression.decompress(chunk, 128 << 20)) == 128 << 20


@pytest.mark.parametrize("kind", ["zlib", "sized", "streamed"])
def test_the_limit_is_exact_where_it_matters(kind: str) -> None:
    chunk = bomb(kind, 80 << 20)
    assert len(compression.decompress(chunk, 80 << 20)) == 80 << 20
    with pytest.raises(compression.BadChunk):
        compression.decompress(chunk, (80 << 20) - 1)


def test_a_frame_that_claims_two_gibibytes() -> None:
    # frame header with a content size of 8 bytes; then a raw block, the last
    header = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2 << 30)
    chunk = header + b"\x09\x00\x00" + b"x"
    for limit in (compression.expansion_limit(10), 1 << 20):
        with pytest.raises(compression.BadChunk):
            compression.decompress(chunk, limit)
    with pytest.raises(compression.BadChunk):
        compression.decompress(header, compression.UNLIMITED)


def test_how_far_a_chunk_may_expand() -> None:
    limit = compression.expansion_limit
    assert limit(-1) == 1 << 26
    assert limit(-1) - 26 < limit(compression.UNKNOWN_TEXT) <= limit(-1)
    assert limit(1 << 31) == compression.UNLIMITED
    assert limit(0) > 0
    # every second byte of a long text deleted: a hunk of 12 bytes for each
    for size in (1, 1000, 1_000_000):
        assert limit(size) >= 12 * (size + 1) + size


# threads


def test_each_thread_has_its_own_decompressor() -> None:
    rng = random.Random(3)
    texts = [rng.randbytes(500) * rng.randrange(1, 400) for _ in range(12)]
    chunks = [make(text) for text in texts for make in (frame, streamed)]
    decompressors: list[Any] = []
    wrong: list[Any] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        decompressors.append(compression.zstd().decompressor)
        for _ in range(15):
            for at, chunk in enumerate(chunks):
                if round_trip(chunk) != texts[at // 2]:
                    wrong.append(at)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len({id(made) for made in decompressors}) == 4


def test_which_frames_are_bounded() -> None:
    """Frames that are expanded without being asked for their size first."""
    module = compression.zstd_module()
    compress = module.ZstdCompressor().compress
    seen = set()
    for size in (0, 1, 2, 255, 256, 257, 65_791, 65_792, 65_793, 1 << 20):
        frame = compress(b"x" * size)
        bounded = bool(compression.BOUNDED[frame[4]])
        assert module.frame_content_size(frame) == size
        assert not bounded or size <= 65_791
        seen.add(bounded)
        if bounded:
            expand, _failures = compression.bulk()
            assert expand(frame) == b"x" * size
    assert seen == {True, False}
    stream = module.ZstdCompressor().compressobj()
    unsized = stream.compress(b"x" * 100) + stream.flush()
    assert not compression.BOUNDED[unsized[4]]


def test_what_bulk_may_raise_is_named() -> None:
    compression.zstd()
    expand, failures = compression.bulk()
    frame = compression.zstd_module().ZstdCompressor().compress(b"text" * 50)
    with pytest.raises(failures):
        expand(frame[:-4])
    with pytest.raises(failures):
        expand(frame[:1] + b"x" + frame[2:])
