# Is this delta good?  The decisions of the write side, without their machinery.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Mercurial decides about a delta that comes with an incoming revision.

A delta that another repository stored is kept as it is where its base may be used
at all (:meth:`Judge.base_may_do`), where what it would be is allowed
(:meth:`Judge.depth`, :meth:`Judge.may_be_small_enough`) and where its result is
within the bounds (:meth:`Judge.is_good`).  If one of them says no, Mercurial
searches for a better one, and this module has nothing to say.

Source: ``mercurial/revlogutils/deltas.py`` of 7.1 and 7.2, the classes
``_GeneralDeltaSearch`` and ``_SparseDeltaSearch`` in their stage ``CACHED`` and
``deltacomputer._builddeltainfo``.  All sizes are in bytes, all revs are of one
revlog with general delta.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import format

# the data of a chain may be so many times as large as the text it leads to
_CHAIN_TO_TEXT = 2
# a base whose text is so many times smaller than the new one is of no use
_TEXT_TO_BASE = 500
# the span of a chain may be so many times as large as the text it leads to
_SPAN_TO_TEXT = 4

NO_SNAPSHOT = -1
REFUSED = -2


class Limits(NamedTuple):
    """The bounds that a revlog's configuration sets."""

    sparse: bool  # may deltas be snapshots, and chains have gaps?
    max_chain_length: int | None  # revs; none or 0: any
    max_span: int | None  # bytes, without sparse; none or 0: any
    # how many times at most a text is expected to shrink; None: not looked at
    compression_bound: int | None
    # refuse a delta against neither a parent nor a snapshot?
    filter_suspicious: bool


class Chain(NamedTuple):
    """The delta chain that leads to a rev."""

    length: int  # deltas, the full text at its start not counted
    size: int  # stored bytes
    start: int  # offset of its full text


class Judge:
    """Decides about deltas that are to be appended to the revlog of ``cindex``."""

    __slots__ = ('cindex', 'limits', '_chains')

    def __init__(self, cindex: Any, limits: Limits) -> None:
        self.cindex = cindex
        self.limits = limits
        self._chains: dict[int, Chain] = {}

    def chain(self, rev: int) -> Chain:
        """Facts of the chain of ``rev``.  Raises ``IndexError``."""
        known = self._chains.get(rev)
        if known is not None:
            return known
        index = self.cindex
        chains = self._chains
        steps = []
        at = rev
        while True:
            entry = index[at]
            if entry[3] == at:
                found = chains[at] = Chain(0, entry[1], entry[0] >> format.OFFSET_SHIFT)
                break
            steps.append((at, entry[1]))
            at = entry[3]
            if at in chains:
                found = chains[at]
                break
            if at < 0 or len(steps) > rev + 1:
                raise IndexError('the delta chain has no start')
        length, size, start = found
        for at, stored in reversed(steps):
            length += 1
            size += stored
            chains[at] = found = Chain(length, size, start)
        return found

    def note(self, rev: int, base: int, stored: int, offset: int) -> None:
        """``rev`` was appended: ``stored`` bytes at ``offset``, against ``base``."""
        if base == rev:
            self._chains[rev] = Chain(0, stored, offset)
        else:
            length, size, start = self._chains[base]
            self._chains[rev] = Chain(length + 1, size + stored, start)

    def base_may_do(self, base: int, p1: int, p2: int, text_size: int) -> bool:
        """May ``base``, not null and without flags, be a base at all?

        ``text_size`` is the size of the text to be stored.
        """
        limits = self.limits
        entry = self.cindex[base]
        stored = entry[1]
        most = text_size * _CHAIN_TO_TEXT
        if most < stored:
            return False
        chain = self._chains.get(base) or self.chain(base)
        if limits.max_chain_length and chain.length >= limits.max_chain_length:
            return False
        if most < chain.size:
            return False
        if not limits.sparse:
            return True
        base_size = entry[2]
        if base_size < text_size // _TEXT_TO_BASE:
            return False
        if (
            limits.compression_bound is not None
            and base != p1
            and base != p2
            and self.cindex.issnapshot(base)
        ):
            # the delta can hardly be smaller than this
            least = max(text_size - base_size, 0) // limits.compression_bound
            if text_size >> chain.length < least or stored < least:
                return False
        return True

    def depth(self, base: int, p1: int, p2: int) -> int:
        """The level of snapshot that a delta against ``base`` would be.

        :data:`NO_SNAPSHOT` for a plain delta, :data:`REFUSED` for one that is not
        allowed.
        """
        if base in (p1, p2) or not self.limits.sparse:
            return NO_SNAPSHOT
        if base in self._same_as(p1) or base in self._same_as(p2):
            return NO_SNAPSHOT
        if self.cindex.issnapshot(base):
            return (self._chains.get(base) or self.chain(base)).length + 1
        return REFUSED if self.limits.filter_suspicious else NO_SNAPSHOT

    def _same_as(self, rev: int) -> list[int]:
        """The revs from which ``rev`` differs by nothing but empty deltas."""
        same: list[int] = []
        while rev >= 0:
            entry = self.cindex[rev]
            if entry[1] or entry[3] == rev:
                break
            rev = entry[3]
            same.append(rev)
        return same

    def may_be_small_enough(
        self, base: int, depth: int, delta_size: int, text_size: int
    ) -> bool:
        """Before it is compressed: could this snapshot still be good?"""
        bound = self.limits.compression_bound
        if bound is None or depth <= 0:
            return True
        least = delta_size // bound
        return text_size >> depth >= least and self.cindex[base][1] >= least

    def is_good(
        self, base: int, depth: int, stored: int, offset: int, text_size: int
    ) -> bool:
        """Is the delta, ``stored`` bytes at ``offset``, within the bounds?"""
        limits = self.limits
        if text_size < stored:
            return False
        chain = self._chains.get(base) or self.chain(base)
        if not limits.sparse and limits.max_span:
            span = stored + offset - chain.start
            if max(limits.max_span, text_size * _SPAN_TO_TEXT) < span:
                return False
        if text_size * _CHAIN_TO_TEXT < chain.size + stored:
            return False
        if limits.max_chain_length and limits.max_chain_length < chain.length + 1:
            return False
        if depth > 0:
            return text_size >> depth >= stored and self.cindex[base][1] >= stored
        return True
