# Chunks: what their first byte says, and how far they may expand.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compression of chunks.

A chunk begins with a byte that names its encoding (``mercurial/revlog.py``):
``x`` zlib, ``(`` zstd, ``u`` stored as it is after this byte, and a zero byte
stored as it is, this byte included.  Other bytes belong to engines that
extensions register with Mercurial.

What is written comes from Mercurial's own engines, so that a store is the same
byte for byte.  What is read is bounded: a chunk says how large it is, and is
not to be trusted.
"""

from __future__ import annotations

import threading
import zlib
from typing import Any, Callable

from mercurial import error, util
from mercurial.i18n import _

from . import errors, format

ZLIB = format.ZLIB
ZSTD = format.ZSTD
STORED = format.STORED
PLAIN = format.PLAIN

UNLIMITED = format.LARGEST_TEXT
# What a chunk may expand to where the index does not tell the size of the text: 64 MiB,
# which is as much as the caches take by default.  Mercurial has written all sizes since
# there is format 1, so that it is damage that takes one away.
UNKNOWN = 1 << 26
_PER_BYTE = 26  # see expansion_limit()
_LEAST = 65536
# the text that a size which is not known is taken for, as one of several
UNKNOWN_TEXT = (UNKNOWN - _LEAST) // _PER_BYTE
_zlib_decompress = zlib.decompress
# deflate cannot expand beyond this factor, so short chunks need no bounded call
_ZLIB_MAX_RATIO = 1032
# bytes; what so much of a zstd frame may expand to (32 MiB) is always affordable
_SLICE = 1024
_LEVELS = {b'zlib': (0, 9), b'zstd': (0, 22)}


def zstd_module() -> Any:
    # Mercurial's own copy, where it has one, is loaded in any case; the
    # zstandard package serves a Mercurial that was built without
    try:
        from mercurial import zstd

        zstd.ZstdDecompressor  # noqa: B018 -- demandimport: load it now
        return zstd
    except ImportError:
        import zstandard

        return zstandard


Bulk = tuple[Callable[[Any], bytes], tuple[type[Exception], ...]]


class _PerThread(threading.local):
    """zstd contexts must not be shared between threads (hgweb has several)."""

    def __init__(self) -> None:
        module = zstd_module()
        self.content_size: Callable[[Any], int] = module.frame_content_size
        self.error: type[Exception] = module.ZstdError
        self.decompressor = module.ZstdDecompressor()
        self.decompress: Callable[[Any], bytes] = self.decompressor.decompress
        self.bulk: Bulk = self.decompress, (BadChunk, self.error, MemoryError)


class _Loaded:
    """What this process has loaded so far."""

    zstd: _PerThread | None = None


_loaded = _Loaded()


def zstd() -> _PerThread:
    """This thread's zstd functions; imported when the first chunk needs them."""
    if _loaded.zstd is None:
        _loaded.zstd = _PerThread()
    return _loaded.zstd


def _bounded_frames() -> bytes:
    """For each frame header descriptor of zstd: is the content size given, and
    in one byte or two?  (RFC 8878, section 3.1.1.1.)"""
    table = bytearray(256)
    for descriptor in range(256):
        size_flag = descriptor >> 6
        single_segment = descriptor & 0x20
        table[descriptor] = size_flag == 1 or (size_flag == 0 and single_segment != 0)
    return bytes(table)


# by the fifth byte of a frame: such a frame expands to at most 65,791 bytes
BOUNDED = _bounded_frames()


class BadChunk(Exception):
    """A chunk that cannot be turned into data, and why (bytes)."""

    def __init__(self, why: Any) -> None:
        if not isinstance(why, bytes):
            why = str(why).encode('utf-8', 'replace')
        super().__init__(why)
        self.why: bytes = why

    @classmethod
    def of(cls, exc: Exception) -> BadChunk:
        """What a decompressor raised, as a ``BadChunk``."""
        return exc if isinstance(exc, cls) else cls(exc)

    def as_revlog_error(self) -> Exception:
        return errors.RevlogError(_(b'revlog decompress error: %s') % self.why)


class ExpandsTooFar(BadChunk):
    """A chunk that expands to more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(b'it expands beyond the %d bytes its index allows' % limit)
        self.limit = limit


def expansion_limit(rawsize: int) -> int:
    """Bytes that a chunk may expand to, for texts of at most ``rawsize`` bytes.

    A full text is ``rawsize`` long.  A delta carries at most the new text, plus
    12 bytes for each hunk, and each hunk replaces or inserts something.  A negative
    size is one that the index does not tell.
    """
    if rawsize < 0:
        return UNKNOWN
    return min(_LEAST + _PER_BYTE * rawsize, UNLIMITED)


def decompress(chunk: Any, limit: int) -> Any:
    """The content of one stored chunk: bytes, or a buffer for stored ones.

    ``limit`` is in bytes.  Raises :class:`BadChunk`, or ``RevlogError`` for an
    encoding that nobody registered.
    """
    if not chunk:
        return chunk
    head = chunk[0]
    if head == ZSTD:
        z = _loaded.zstd or zstd()
        try:
            if 0 < z.content_size(chunk) <= limit:
                return z.decompress(chunk)
        except (z.error, MemoryError) as exc:
            raise BadChunk(exc) from None
        return _decompress_zstd_stream(chunk, limit)
    if head == ZLIB:
        return _decompress_zlib(chunk, limit)
    if head == PLAIN:
        return chunk
    if head == STORED:
        return chunk[1:]
    return _decompress_other(bytes(chunk))


def bulk() -> Bulk:
    """For a loop over many chunks: what to call, and what that may raise.

    The function expands a chunk that starts with :data:`ZSTD` and whose fifth byte
    is :data:`BOUNDED`, for which :func:`decompress` would do nothing more.
    """
    z = _loaded.zstd
    if z is None:
        # zstd is loaded for those who have such chunks
        return _decompress_first, (BadChunk,)
    return z.bulk


def _decompress_first(chunk: Any) -> bytes:
    data: bytes = decompress(chunk, UNLIMITED)
    return data


def _decompress_zstd_stream(chunk: Any, limit: int) -> bytes:
    """A frame that is too large, or does not say how large it is.

    Revisions above 1,000,000 bytes are compressed as a stream, whose frame has no
    content size.
    """
    z = zstd()
    pieces = []
    got = 0
    view = memoryview(chunk)
    try:
        if z.content_size(chunk) > limit:
            raise ExpandsTooFar(limit)
        stream = z.decompressor.decompressobj()
        for at in range(0, len(view), _SLICE):
            piece = stream.decompress(view[at : at + _SLICE])
            got += len(piece)
            if got > limit:
                raise ExpandsTooFar(limit)
            pieces.append(piece)
            if stream.eof:
                break
        else:
            raise BadChunk(b'the frame is cut off')
    except (z.error, MemoryError) as exc:
        raise BadChunk(exc) from None
    return b''.join(pieces)


def _decompress_zlib(chunk: Any, limit: int) -> bytes:
    try:
        if len(chunk) * _ZLIB_MAX_RATIO <= max(limit, 1 << 26):
            data = _zlib_decompress(chunk)
            if len(data) > limit:
                raise ExpandsTooFar(limit)
            return data
        stream = zlib.decompressobj()
        data = stream.decompress(chunk, limit + 1)
        if len(data) > limit:
            raise ExpandsTooFar(limit)
        if not stream.eof:
            raise BadChunk(b'incomplete or truncated stream')
        return data
    except zlib.error as exc:
        raise BadChunk(exc) from None


def _decompress_other(chunk: bytes) -> bytes:
    try:
        engine = util.compengines.forrevlogheader(chunk[:1])
    except KeyError:
        raise errors.unknown_compression(chunk[:1]) from None
    return engine.revlogcompressor({}).decompress(chunk)


def revlog_compressor(engine: bytes, options: dict[bytes, Any]) -> Any:
    """Mercurial's compressor ``engine``, by name; ``options`` are its levels.

    Raises ``Abort`` for a level that the engine does not have.
    """
    level = options.get(engine + b'.level')
    if level is not None and engine in _LEVELS:
        low, high = _LEVELS[engine]
        if not low <= level <= high:
            raise error.Abort(
                _(b'invalid %s compression level %d, expected %d to %d')
                % (engine, level, low, high)
            )
    return util.compengines[engine].revlogcompressor(options)


def compress(compressor: Any, data: bytes) -> tuple[bytes, bytes]:
    """``(header, body)``: what a revlog stores for ``data``."""
    if not data:
        return b'', data
    compressed = compressor.compress(data)
    if compressed:
        return b'', compressed
    if data[0] == PLAIN:
        return b'', data
    return format.STORED_MARK, data
