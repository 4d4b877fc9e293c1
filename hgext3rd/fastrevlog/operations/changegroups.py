# The stream of a changegroup, read in large pieces.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a changegroup.

Mercurial reads each delta of a changegroup with three small reads, through three
layers of Python.  A :class:`Reader` stands between, as the unpacker's stream: it
takes large pieces and gives out whole groups at once, and to Mercurial's own code,
which may take over before any group, whatever that asks for.

What it cannot make sense of it does not touch: :meth:`Reader.group` answers None,
and Mercurial's code, reading the same bytes, says what is wrong with them.  An error
of the stream is kept until the bytes before it have been used up.

Format: ``hg help internals.changegroups``.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mercurial import bundle2, util

from ..engine import additions, format, tails

_LENGTH = format.CHUNK_LENGTH
_END = bytes(_LENGTH.size)  # the closing chunk of a group
_COMPACT = 1 << 20  # bytes
_PARTS = (bundle2.unbundlepart, bundle2.seekableunbundlepart)
_HEADERS = {
    b'01': struct.Struct('20s20s20s20s'),
    b'02': struct.Struct('20s20s20s20s20s'),
    b'03': struct.Struct('>20s20s20s20s20sH'),
}


class Reader:
    """A part of a bundle2, read by what it holds ready.

    Mercurial's parts fetch some pieces ahead (256 kB), and whatever is wrong with one
    of them is raised at once.  So that it is raised at the same moment here, nothing
    is asked of a part before Mercurial would have asked, and then all that the part
    has fetched is taken.
    """

    def __init__(self, part: Any, pieces: Iterable[bytes] = ()) -> None:
        self.stream = part
        # what comes before the rest of the part
        self._pieces = iter(pieces)
        self._fetched: Any = None if part is None else part._payloadstream
        self._data = bytearray()
        self._at = 0
        self._ended = False
        self._failure: Exception | None = None
        # who takes care of what was put aside
        self.receiver: Any = None

    @staticmethod
    def reads(part: Any) -> bool:
        """Is ``part`` one whose insides are known here?"""
        fetched = getattr(part, '_payloadstream', None)
        return (
            part.__class__ in _PARTS
            and fetched.__class__ is util.chunkbuffer
            and vars(fetched).keys() >= {'_queue', '_chunkoffset'}
        )

    def __getattr__(self, name: str) -> Any:
        # bundlerepo and the like ask their stream for more
        if name == 'stream':
            raise AttributeError(name)
        return getattr(self.stream, name)

    @classmethod
    def over(cls, pieces: Iterable[bytes]) -> Reader:
        """A reader of ``pieces`` alone."""
        reader = cls(None, pieces)
        reader._ended = True
        return reader

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, fewer at the end of the stream."""
        if size > 0 and not self._has(self._at + size) and self._failure is not None:
            raise self._failure
        start = self._at
        self._at = min(max(start + size, start), len(self._data))
        return self._bytes(start, self._at)

    def group(self, header_size: int, limit: int, before: bytes = b'') -> bytes | None:
        """``before``, and the bytes of one whole group, its closing chunk included.

        None, with nothing consumed, for an empty group, one of more than ``limit``
        bytes, and one that is damaged or cut off.
        """
        self._compact()
        start = at = self._at
        unpack = _LENGTH.unpack_from
        while True:
            if at - start > limit:
                return None
            if at + 4 > len(self._data) and not self._has(at + 4):
                return None
            (length,) = unpack(self._data, at)
            if length <= 4:
                break
            if length - 4 < header_size:
                return None
            at += length
        if length or at == start:
            return None
        self._at = at + 4
        with memoryview(self._data) as view, view[start : at + 4] as chunks:
            group = b''.join((before, chunks))
        if len(group) > _COMPACT:
            # what is large is not held twice
            del self._data[: self._at]
            self._at = 0
        return group

    def spool(
        self, header_size: int, limit: int, least: int, directory: bytes
    ) -> tails.Spool | None:
        """One whole group, as :meth:`group` gives it, in a file in ``directory``.

        None, with nothing consumed, where that would answer None, too, and where there
        is not much room for it.
        """
        self._compact()
        spool = None
        data = self._data
        at = self._at
        seen = 0  # bytes of the group before ``at``
        whole = False
        unpack = _LENGTH.unpack_from
        try:
            while seen <= limit and (at + 4 <= len(data) or self._has(at + 4)):
                (length,) = unpack(data, at)
                ends = length == 0 and seen and seen >= least
                if not ends and length - 4 < header_size:
                    break
                at += length or 4
                seen += length
                here = min(at, len(data))
                if ends or (seen >= least and here - self._at >= tails.PIECE):
                    if not tails.has_room(directory, seen):
                        break
                    spool = spool or tails.Spool(directory)
                    self._put_into(spool, here)
                    at -= here
                if ends and spool is not None:
                    spool.flush()
                    whole = True
                    break
        except OSError:
            pass
        finally:
            if spool is not None and not whole:
                rest = bytes(data[self._at :])
                pieces = spool.last_pieces()
                self._pieces = itertools.chain(pieces, (rest,), self._pieces)
                data.clear()
                self._at = 0
        return spool if whole else None

    def forget(self) -> None:
        """Nothing more is read: let go of what was put aside."""
        self._pieces = iter(())
        if self.receiver is not None:
            self.receiver.close()
            self.receiver = None

    def _put_into(self, spool: tails.Spool, end: int) -> None:
        """Move what comes before ``end``, a position in the buffer, to ``spool``."""
        try:
            with memoryview(self._data) as view, view[self._at : end] as chunks:
                spool.extend(chunks)
        finally:
            # it is in the spool in any case
            del self._data[:end]
            self._at = 0

    def delta(self, header_size: int) -> tuple[bytes, bytes] | None:
        """Header and content of the next delta of a group.

        None, with nothing consumed, at its end, and where it is damaged or cut off.
        """
        at = self._at
        if at > _COMPACT:
            self._compact()
            at = self._at
        data = self._data
        if at + 4 > len(data) and not self._has(at + 4):
            return None
        (length,) = _LENGTH.unpack_from(data, at)
        end = at + length
        if length - 4 < header_size or (end > len(data) and not self._has(end)):
            return None
        self._at = end
        middle = at + 4 + header_size
        with memoryview(data) as view:
            return bytes(view[at + 4 : middle]), bytes(view[middle:end])

    def _bytes(self, start: int, end: int) -> bytes:
        with memoryview(self._data) as view:
            return bytes(view[start:end])

    def _compact(self) -> None:
        """Let go of what was used, now and then."""
        at = self._at
        if at > _COMPACT and at > len(self._data) // 2:
            del self._data[:at]
            self._at = 0

    def _has(self, end: int) -> bool:
        """Make sure of the bytes before ``end``, a position in the buffer."""
        while end > len(self._data):
            if not (self._next_piece() or self._read_on()):
                return False
        return True

    def _next_piece(self) -> bool:
        """Take the next of the pieces that come before the rest of the part."""
        try:
            for piece in self._pieces:
                self._data += piece
                return True
        except OSError as exc:
            # what follows is not the next
            self._pieces = iter(())
            self._ended = True
            self._failure = exc
        return False

    def _read_on(self) -> bool:
        """Read what the part has ready; False: there is no more."""
        if self._ended:
            return False
        try:
            more = self.stream.read(1)
            if more:
                ready = sum(len(piece) for piece in self._fetched._queue)
                ready -= self._fetched._chunkoffset
                more += self.stream.read(ready) if ready else b''
            else:
                self._ended = True
        except Exception as exc:
            self._ended = True
            self._failure = exc
            return False
        self._data += more
        return True


def header_size(version: bytes) -> int:
    """Bytes of a delta's header in a changegroup ``version``."""
    return _HEADERS[version].size


def unpacker(version: bytes) -> Callable[[bytes, bytes | None], tuple[Any, ...]]:
    """A function that takes a delta's header apart.

    It is given the header and the node of the delta before, or None, and answers node,
    p1, p2, base, changeset and flags.
    """
    unpack = _HEADERS[version].unpack

    def unpack_1(header: bytes, before: bytes | None) -> tuple[Any, ...]:
        node, p1, p2, changeset = unpack(header)
        return node, p1, p2, p1 if before is None else before, changeset, 0

    def unpack_2(header: bytes, before: bytes | None) -> tuple[Any, ...]:
        return (*unpack(header), 0)

    def unpack_3(header: bytes, before: bytes | None) -> tuple[Any, ...]:
        return unpack(header)

    return {b'01': unpack_1, b'02': unpack_2, b'03': unpack_3}[version]


def deltas(
    group: bytes, version: bytes, start: int = 0
) -> Iterator[additions.Incoming]:
    """The deltas of one whole group, as :meth:`Reader.group` gives it.

    ``start`` is how many bytes were put before it.
    """
    size = _HEADERS[version].size
    unpack = unpacker(version)
    length_of: Callable[..., Any] = _LENGTH.unpack_from
    at = start + 4
    (length,) = length_of(group, start)
    before = None
    while length > 4:
        end = at + length - 4
        fields = unpack(group[at : at + size], before)
        before = fields[0]
        yield (*fields, group[at + size : end])  # type: ignore[misc]
        (length,) = length_of(group, end)
        at = end + 4


def spooled_deltas(group: tails.Spool, version: bytes) -> Iterator[additions.Incoming]:
    """The deltas of one whole group, as :meth:`Reader.spool` gives it.

    Raises ``OSError`` or :class:`..engine.tails.Uncommon` where it cannot be read to
    its end.
    """
    size = _HEADERS[version].size
    unpack = unpacker(version)
    reader = Reader.over(group.pieces())
    before = None
    while True:
        found = reader.delta(size)
        if found is None:
            # the end of the group, and not of what can be read of it
            if reader.read(_LENGTH.size) != _END:
                raise additions.Uncommon('a group without its end')
            return
        header, delta = found
        fields = unpack(header, before)
        before = fields[0]
        yield (*fields, delta)  # type: ignore[misc]
