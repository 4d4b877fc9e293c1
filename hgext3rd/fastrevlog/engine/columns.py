# The parents of the revisions of an index, as two arrays.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fields of an index, one array a field, filled a block of revisions at a time.

Mercurial's C index answers for one revision at a time, with a tuple of twelve.  A
walk over a history of a hundred thousand revisions wants two numbers of each.  Where
an index is not inline its bytes are an array already, of sixteen words of four bytes
an entry: the two words that hold the parents are taken out by slices with a step.

Measured on CPython 3.11: 10 ns a revision to fill a block, 30 ns to see that it is in
order, a third less where many blocks are wanted at once; a question to the C index
takes 300 ns, one to the arrays 20 ns.

The format of an entry is described in ``docs/formats.md``.
"""

from __future__ import annotations

import bisect
import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from . import digits, format

NULL_REV = format.NULL_REV
_ENTRY_SIZE = format.ENTRY_SIZE
_WORD = 4  # bytes
_WORDS = _ENTRY_SIZE // _WORD
_P1 = format.PARENTS_OFFSET // _WORD  # the word of an entry
_P2 = _P1 + 1
_NULL_BYTES = b'\xff' * _WORD
BYTES_PER_REV = 2 * _WORD

# A block has 2 ** SHIFT revisions.  Smaller ones make more work of a whole index
# (256: a third more; 1,024: a tenth less), larger ones of a walk that ends soon.
SHIFT = 9
BLOCK = 1 << SHIFT

SUPPORTED = array('i').itemsize == _WORD

# what is known of a block: nothing, its values, that they are below their own rev, and
# that they are not below -1 either
UNKNOWN, FILLED, OLDER, ORDERED = range(4)
# Blocks that are filled, and looked at, together where many are wanted.  The numbers of
# 16,384 revisions fit into a processor's cache.
_RUN = 32
_DENSE = 16  # one of so many is often


class Disordered(Exception):
    """A parent is not older than its child, or below -1: the index is damaged.

    ``stop`` is the rev that ends the range which was looked at.
    """

    def __init__(self, stop: int) -> None:
        super().__init__(stop)
        self.stop = stop


class Columns:
    """The parents of the first ``len(p1)`` revisions of an index.

    ``state`` says of each block of revisions what is known; the arrays are
    meaningless where that is ``UNKNOWN``.  Values are those of the index, whatever
    they are; they are fit to be used as places in an array where it is ``ORDERED``.
    """

    __slots__ = ('p1', 'p2', 'state', '_cindex', '_source', '_canonical')

    def __init__(
        self, cindex: Any, count: int, source: Any, canonical_order: bool
    ) -> None:
        """Columns of the first ``count`` revisions of ``cindex``.

        ``source`` has ``data``, bytes that ``cindex`` was parsed from without texts
        in between, and the ``count`` of entries that are still valid.
        ``canonical_order`` puts a null first parent second, as Mercurial does for all
        but file logs.
        """
        blank = bytes(count * _WORD)
        self.p1 = array('i', blank)
        self.p2 = array('i', blank)
        self.state = bytearray((count + BLOCK - 1) >> SHIFT)
        self._cindex = cindex
        self._source = source
        self._canonical = canonical_order

    def __len__(self) -> int:
        return len(self.p1)

    def grown(self, count: int) -> Columns:
        """Columns of the first ``count`` revisions, not fewer, of the same index."""
        columns = Columns(self._cindex, count, self._source, self._canonical)
        whole = len(self.p1) >> SHIFT
        known = whole << SHIFT
        columns.p1[:known] = self.p1[:known]
        columns.p2[:known] = self.p2[:known]
        columns.state[:whole] = self.state[:whole]
        return columns

    def fill(self, block: int, end: int | None = None) -> None:
        """Make a block known, if it is not; or all those from it to the block ``end``.

        One that is known among them is filled again, with what is there.
        """
        if end is None:
            end = block + 1
        if UNKNOWN in self.state[block:end]:
            start = block << SHIFT
            stop = min(end << SHIFT, len(self.p1))
            p1, p2 = _parents(self._entries(start, stop))
            if self._canonical:
                _swap_null_parents(p1, p2)
            self.p1[start:stop] = p1
            self.p2[start:stop] = p2
            self.state[block:end] = self.state[block:end].replace(
                bytes([UNKNOWN]), bytes([FILLED])
            )

    def _entries(self, start: int, stop: int) -> Any:
        """The bytes of the entries of ``range(start, stop)``, from 0 or 4 on."""
        source = self._source
        if stop <= source.count:
            return source.data[start * _ENTRY_SIZE : stop * _ENTRY_SIZE]
        revs = range(start, stop)
        entries = b''.join(map(self._cindex.entry_binary, revs))
        # the first entry comes without what the header of the file covers
        return bytes(len(revs) * _ENTRY_SIZE - len(entries)) + entries

    def fill_all(self) -> None:
        """Make all blocks known."""
        block = self.state.find(UNKNOWN)
        while block >= 0:
            end = self._end_of_run(block, len(self.state), FILLED)
            self.fill(block, end)
            block = self.state.find(UNKNOWN, end)

    def _end_of_run(self, block: int, last: int, enough: int) -> int:
        """The end of the blocks, up to ``last``, to be looked at with ``block``.

        Of none of them as much is known as is ``enough``.
        """
        end = min(block + _RUN, last)
        for place in range(block + 1, end):
            if self.state[place] >= enough:
                return place
        return end

    def order(self, start: int, stop: int) -> None:
        """Make known all that is in ``range(start, stop)``, in order.

        Raises `Disordered` if a parent there is neither -1 nor an older revision.
        """
        state = self.state
        block = start >> SHIFT
        last = (stop + BLOCK - 1) >> SHIFT
        while block < last:
            if state[block] == ORDERED:
                block += 1
                continue
            end = self._end_of_run(block, last, ORDERED)
            self.fill(block, end)
            first = block << SHIFT
            for column in (self.p1, self.p2):
                part = column[first : end << SHIFT]
                parents, count = digits.number(part), len(part)
                if not (
                    digits.none_younger(parents, first, count)
                    and digits.none_below_null(parents, count)
                ):
                    raise Disordered(stop)
            state[block:end] = bytes([ORDERED]) * (end - block)
            block = end

    def band(self, low: int, stop: int) -> Band:
        """The revs of ``range(low, stop)``.

        Raises `Disordered` if a parent there is not older than its child.
        """
        state = self.state
        crossing: list[int] = []
        last = (stop + BLOCK - 1) >> SHIFT
        for block in range(low >> SHIFT, last, _RUN):
            end = min(block + _RUN, last)
            known = min(state[block:end]) >= OLDER
            if known and not low:
                continue
            self.fill(block, end)
            start = block << SHIFT
            parts = [column[start : end << SHIFT] for column in (self.p1, self.p2)]
            columns = list(map(digits.number, parts))
            count = len(parts[0])
            if not known:
                for parents in columns:
                    if not digits.none_younger(parents, start, count):
                        raise Disordered(stop)
                for place in range(block, end):
                    state[place] = max(state[place], OLDER)
            if low:
                found = digits.crossing(low, start, count, columns)
                if start < low or start + count > stop:
                    found = [rev for rev in found if low <= rev < stop]
                crossing += found
        return Band(self._cindex, self, low, stop, crossing)

    def ancestors(self, revs: list[int]) -> list[int]:
        """``revs``, which are in the index, and all ancestors of theirs, ascending.

        Raises `Disordered`.
        """
        return self.band(0, max(revs, default=NULL_REV) + 1).ancestors(revs)

    def descendants(self, seen: Collection[int], start: int) -> list[int]:
        """Those of ``seen`` and their descendants from ``start`` on, ascending.

        ``seen`` holds all descendants below ``start`` of what is in it.  Made by the
        C index, all at once.  Raises `Disordered`.
        """
        stop = len(self.p1)
        band = self.band(start, stop)
        p1, p2 = self.p1, self.p2
        roots = [rev for rev in seen if rev >= start]
        for rev in band.crossing:
            if p1[rev] in seen or p2[rev] in seen:
                roots.append(rev)
        return band.descendants(roots)


class Band:
    """The revs of a range that starts with ``low``; their parents are older than they.

    ``crossing`` are those that have a parent below ``low``, and perhaps a few more,
    ascending; null is not below.
    """

    __slots__ = ('_cindex', '_columns', 'low', '_stop', 'crossing')

    def __init__(
        self,
        cindex: Any,
        columns: Columns,
        low: int,
        stop: int,
        crossing: Sequence[int],
    ) -> None:
        self._cindex = cindex
        self._columns = columns
        self.low = low
        self._stop = stop
        self.crossing = crossing

    def ancestors(self, revs: list[int]) -> list[int]:
        """``revs``, which are in the band, and their ancestors there, ascending.

        Made by the C index, all at once.  Raises `Disordered`.
        """
        try:
            # All revisions with less than two parents descend from null, and the
            # others from these.  It refuses parents below -1.
            found: list[int] = self._cindex.reachableroots2(
                self.low or NULL_REV,
                [*revs, NULL_REV],
                [NULL_REV, *self.crossing],
                True,
            )
        except (ValueError, IndexError):
            raise Disordered(self._stop) from None
        if self.crossing:
            # what was given as a root comes first
            found.sort()
        return found[1:]

    def walk(self, revs: set[int]) -> tuple[list[int], set[int]]:
        """``revs`` and their ancestors in the band, ascending, and the next ones below.

        None of ``revs`` is above the band.  All ancestors of theirs are among the
        former, or ancestors of the latter.  Raises `Disordered`.
        """
        within = [rev for rev in revs if rev >= self.low]
        if not within:
            return [], revs
        found = self.ancestors(within)
        below = self.parents_below(found)
        below.update(rev for rev in revs if rev < self.low)
        return found, below

    def descendants(self, roots: list[int]) -> list[int]:
        """``roots`` and their descendants, of a band that ends with the index.

        Ascending.  Raises `Disordered`.
        """
        cindex = self._cindex
        try:
            # Whatever descends from them is an ancestor of a head.
            heads = [rev for rev in cindex.headrevs() if rev >= self.low]
            found: list[int] = cindex.reachableroots2(self.low, heads, roots, True)
        except (ValueError, IndexError):
            raise Disordered(self._stop) from None
        found.sort()
        return found

    def parents_below(self, found: list[int]) -> set[int]:
        """The parents below the band of ``found``, which `ancestors` returned."""
        low, crossing = self.low, self.crossing
        revs: Iterable[int] = found
        if len(crossing) * _DENSE < len(found):
            revs = [rev for rev in crossing if has(found, rev)]
        elif len(crossing) < len(found):
            revs = set(found).intersection(crossing)
        p1, p2 = self._columns.p1, self._columns.p2
        below = set(map(p1.__getitem__, revs))
        below.update(map(p2.__getitem__, revs))
        return {rev for rev in below if 0 <= rev < low}


def has(ascending_revs: Sequence[int], rev: int) -> bool:
    """Is ``rev`` one of them?"""
    place = bisect.bisect_left(ascending_revs, rev)
    return place < len(ascending_revs) and ascending_revs[place] == rev


def _parents(entries: Any) -> tuple[array[int], array[int]]:
    """The first and the second parents out of entries."""
    words = array('i')
    words.frombytes(entries)
    p1, p2 = words[_P1::_WORDS], words[_P2::_WORDS]
    if sys.byteorder == 'little':
        p1.byteswap()
        p2.byteswap()
    return p1, p2


def _swap_null_parents(p1: array[int], p2: array[int]) -> None:
    """Where only the first parent is null, make it the second one."""
    # a search for bytes takes a tenth of the time of array.index
    content = p1.tobytes()
    at = content.find(_NULL_BYTES)
    while at >= 0:
        if at % _WORD == 0:
            place = at // _WORD
            p1[place], p2[place] = p2[place], NULL_REV
        at = content.find(_NULL_BYTES, at + 1)
