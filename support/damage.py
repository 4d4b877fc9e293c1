# Ways to damage a revlog, for tests that read what is left.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input, made on purpose.

A `Log` is one revlog of a repository on the disk: its entries can be rewritten,
its chunks replaced. The layout is that of revlog version 1 (Mercurial's `hg help
internals.revlogs`): entries of 64 bytes, big endian; of the first one the first
four bytes are the header of the file.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Callable

ENTRY = struct.Struct(">Qiiiiii20s12x")
FIELDS = ("offset_flags", "clen", "ulen", "base", "link", "p1", "p2", "node")
INLINE = 1 << 16
GIB = 1 << 30


class Log:
    """One revlog, by the path of its index without the suffix."""

    def __init__(self, stem: Path) -> None:
        self.index = stem.with_name(stem.name + ".i")
        self.data = stem.with_name(stem.name + ".d")
        raw = self.index.read_bytes()
        self.inline = bool(struct.unpack_from(">I", raw)[0] & INLINE)
        self.places: list[int] = []
        place = 0
        while place + ENTRY.size <= len(raw):
            self.places.append(place)
            clen = ENTRY.unpack_from(raw, place)[1]
            place += ENTRY.size + (clen if self.inline else 0)

    def entry(self, rev: int) -> dict[str, int]:
        """The fields of an entry."""
        raw = self.index.read_bytes()
        return dict(zip(FIELDS, ENTRY.unpack_from(raw, self.places[rev])))

    def change(self, rev: int, **fields: int) -> None:
        """Overwrite fields of an entry."""
        raw = bytearray(self.index.read_bytes())
        whole = self.entry(rev)
        whole.update(fields)
        ENTRY.pack_into(raw, self.places[rev], *(whole[name] for name in FIELDS))
        self.index.write_bytes(bytes(raw))

    def offset(self, rev: int) -> int:
        """Where the data of a revision begins, by its entry."""
        return self.entry(rev)["offset_flags"] >> 16 if rev else 0

    def _chunk_file(self, rev: int) -> tuple[Path, int]:
        if self.inline:
            return self.index, self.places[rev] + ENTRY.size
        return self.data, self.offset(rev)

    def chunk(self, rev: int) -> bytes:
        """The stored chunk of a revision."""
        path, start = self._chunk_file(rev)
        return path.read_bytes()[start : start + self.entry(rev)["clen"]]

    def overwrite(self, rev: int, chunk: bytes) -> None:
        """Put `chunk` over the stored one, cut or filled up to its length."""
        path, start = self._chunk_file(rev)
        length = self.entry(rev)["clen"]
        raw = bytearray(path.read_bytes())
        raw[start : start + length] = (chunk + b"\0" * length)[:length]
        path.write_bytes(bytes(raw))

    def replace_last(self, chunk: bytes, **fields: int) -> None:
        """Give the last revision another chunk, of any length."""
        rev = len(self.places) - 1
        path, start = self._chunk_file(rev)
        self.change(rev, clen=len(chunk), **fields)
        raw = path.read_bytes()[:start]
        path.write_bytes(raw + chunk)

    def cut(self, path: Path, length: int) -> None:
        """Cut a file of this log to `length` bytes, from its end if negative."""
        raw = path.read_bytes()
        path.write_bytes(raw[:length])


def delta(start: int, end: int, text: bytes, claimed: int | None = None) -> bytes:
    """An uncompressed chunk that holds one hunk of a binary patch."""
    length = len(text) if claimed is None else claimed
    # "u" where the first byte would be taken for the mark of a compressor.
    return b"u" + struct.pack(">lll", start, end, length) + text


def zstd_frame(size: int, window: bool, blocks: int, claim: int | None = None) -> bytes:
    """A zstd frame of `blocks` blocks that each expand to `size` zero bytes.

    With `window` the frame keeps its size to itself, as frames of streams do;
    otherwise it claims `claim` bytes (by default the truth). Source: RFC 8878.
    """
    head = struct.pack("<I", 0xFD2FB528)
    if window:
        head += bytes([0x00, 0x50])  # no content size; a window of 1 MiB
    else:
        head += bytes([0xE0]) + struct.pack(
            "<Q", blocks * size if claim is None else claim
        )
    each = struct.pack("<I", (size << 3) | 2)[:3] + b"\0"  # a run-length block
    last = struct.pack("<I", (size << 3) | 3)[:3] + b"\0"
    return head + each * (blocks - 1) + last


def zlib_bomb(megabytes: int) -> bytes:
    """A zlib stream that expands to that many MiB of zero bytes."""
    step = 1 << 20
    packer = zlib.compressobj(9)
    begin = packer.compress(b"\0" * step) + packer.flush(zlib.Z_FULL_FLUSH)
    more = packer.compress(b"\0" * step) + packer.flush(zlib.Z_FULL_FLUSH)
    size = megabytes * step
    checksum = struct.pack(">I", ((size % 65521) << 16) | 1)
    return begin + more * (megabytes - 1) + b"\x03\x00" + checksum


Damage = Callable[[Log], object]


def _flip(log: Log, rev: int, place: int) -> None:
    chunk = bytearray(log.chunk(rev))
    chunk[place] ^= 0xFF
    log.overwrite(rev, bytes(chunk))


def _loop(log: Log) -> None:
    log.change(1, base=_last(log))
    log.change(_last(log), base=1)


def _last(log: Log) -> int:
    return len(log.places) - 1


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "index cut inside the last entry": lambda log: log.cut(
        log.index, log.places[-1] + 30
    ),
    "index cut inside the first entry": lambda log: log.cut(log.index, 30),
    "index cut inside the header": lambda log: log.cut(log.index, 3),
    "index empty": lambda log: log.cut(log.index, 0),
    "index with bytes after the end": lambda log: log.index.write_bytes(
        log.index.read_bytes() + b"\0" * 17
    ),
    "index is a folder": lambda log: _directory(log.index),
    "index of an unknown version": lambda log: log.change(
        0, offset_flags=(0x0001_00FF << 32)
    ),
    "index with unknown flags": lambda log: log.change(
        0, offset_flags=(0x8003_0001 << 32)
    ),
    "index claims the other form": lambda log: log.change(
        0, offset_flags=log.entry(0)["offset_flags"] ^ (INLINE << 32)
    ),
    "chunk with an unknown header": lambda log: log.overwrite(
        _last(log), b"Q" + log.chunk(_last(log))[1:]
    ),
    "chunk with an unknown header, first": lambda log: log.overwrite(
        0, b"Q" + log.chunk(0)[1:]
    ),
    "chunk of zero bytes": lambda log: log.overwrite(_last(log), b""),
    "chunk flipped in its middle": lambda log: _flip(log, 0, log.entry(0)["clen"] // 2),
    "chunk flipped near its end": lambda log: _flip(log, 0, log.entry(0)["clen"] - 2),
    "zlib of garbage": lambda log: log.overwrite(
        _last(log), b"x\x9c" + b"\xde\xad" * 400
    ),
    "zlib cut short": lambda log: log.replace_last(zlib.compress(b"text" * 999)[:9]),
    "zlib with bytes after the end": lambda log: log.replace_last(
        zlib.compress(delta(0, 0, b"")[1:]) + b"tail"
    ),
    "zlib bomb": lambda log: log.replace_last(zlib_bomb(2048)),
    "zstd of garbage": lambda log: log.overwrite(
        _last(log), b"\x28\xb5\x2f\xfd" + b"\xde\xad" * 400
    ),
    "zstd magic alone": lambda log: log.replace_last(b"\x28\xb5\x2f\xfd"),
    "zstd cut short": lambda log: log.replace_last(zstd_frame(1 << 10, True, 9)[:-9]),
    "zstd claims 2 GiB": lambda log: log.replace_last(
        zstd_frame(100, False, 1, claim=2 * GIB)
    ),
    "zstd claims too little": lambda log: log.replace_last(
        zstd_frame(1 << 10, False, 50, claim=10)
    ),
    "zstd claims 2**63 bytes": lambda log: log.replace_last(
        zstd_frame(100, False, 1, claim=1 << 63)
    ),
    "zstd bomb": lambda log: log.replace_last(zstd_frame(1 << 17, False, 1 << 14)),
    "zstd bomb of unknown size": lambda log: log.replace_last(
        zstd_frame(1 << 17, True, 1 << 14)
    ),
    "delta outside its base": lambda log: log.replace_last(
        delta(10**6, 10**6 + 5, b"x"), base=_last(log) - 1
    ),
    "delta that ends before it starts": lambda log: log.replace_last(
        delta(50, 10, b"x"), base=_last(log) - 1
    ),
    "delta of negative places": lambda log: log.replace_last(
        delta(-9, -5, b"x"), base=_last(log) - 1
    ),
    "delta that claims more than it has": lambda log: log.replace_last(
        delta(0, 1, b"x", claimed=2**31 - 1), base=_last(log) - 1
    ),
    "delta shorter than its header": lambda log: log.replace_last(
        b"u\0\0\0", base=_last(log) - 1
    ),
    "text with another hash": lambda log: log.replace_last(
        b"usomething else\n", base=_last(log)
    ),
    "base is a later revision": lambda log: log.change(1, base=_last(log)),
    "bases in a loop": _loop,
    "base beyond the end": lambda log: log.change(_last(log), base=10**6),
    "base of -1": lambda log: log.change(_last(log), base=-1),
    "base of -7": lambda log: log.change(_last(log), base=-7),
    "offset beyond the file": lambda log: log.change(
        _last(log), offset_flags=(1 << 40) << 16
    ),
    "offset of the largest number": lambda log: log.change(
        _last(log), offset_flags=2**64 - 1 - 0xFFFF
    ),
    "unknown revision flags": lambda log: log.change(
        _last(log), offset_flags=log.entry(_last(log))["offset_flags"] | 0x0111
    ),
    "stored length negative": lambda log: log.change(_last(log), clen=-5),
    "stored length negative, first": lambda log: log.change(0, clen=-5),
    "stored length huge": lambda log: log.change(_last(log), clen=2**31 - 1),
    "stored length zero": lambda log: log.change(_last(log), clen=0),
    "text length negative": lambda log: log.change(_last(log), ulen=-5),
    "text length huge": lambda log: log.change(_last(log), ulen=2**31 - 1),
    "text length wrong": lambda log: log.change(_last(log), ulen=5),
    "parent beyond the end": lambda log: log.change(_last(log), p1=10**6),
    "parent is a later revision": lambda log: log.change(0, p1=1),
    "parent of -7": lambda log: log.change(_last(log), p1=-7),
    "second parent of -7": lambda log: log.change(_last(log), p2=-7),
    "second parent beyond the end": lambda log: log.change(2, p2=10**6),
    "parent beyond the end, in the middle": lambda log: log.change(2, p1=10**6),
    "base beyond the end, in the middle": lambda log: log.change(2, base=10**6),
    "entry that stands twice": lambda log: log.change(3, **log.entry(2)),
    "offset of one link of a chain": lambda log: log.change(
        2, offset_flags=(1 << 40) << 16
    ),
    "link beyond the end": lambda log: log.change(_last(log), link=10**6),
}

SPLIT_ONLY: dict[str, Damage] = {
    "data missing": lambda log: log.data.unlink(),
    "data empty": lambda log: log.cut(log.data, 0),
    "data cut in half": lambda log: log.cut(log.data, log.data.stat().st_size // 2),
    "data cut by one byte": lambda log: log.cut(log.data, -1),
    "data is a folder": lambda log: _directory(log.data),
    "index missing": lambda log: log.index.unlink(),
}

# These need a process that permissions bind.
PERMISSIONS: dict[str, Damage] = {
    "index unreadable": lambda log: log.index.chmod(0),
    "data unreadable": lambda log: (log.data if log.data.exists() else log.index).chmod(
        0
    ),
    "index read-only": lambda log: log.index.chmod(0o444),
    "folder read-only": lambda log: log.index.parent.chmod(0o555),
}
