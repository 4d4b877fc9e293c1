# From a delta chain to a text.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Restoring raw texts.

A text is the first chunk of its delta chain with all the others applied to it.
The chain is cut short at the nearest text that is still cached; the chunks that
are not cached are read in few large reads, each decompressed with one call, and
all deltas are folded into one by Mercurial's ``mpatch`` before they are applied.

A caller that walks backwards, as ``hg log -p`` does, asks next for a text that
this chain passes through.  When that pattern shows, the last deltas of a chain
are applied one at a time and every text on the way is kept, so that a walk in
either direction costs about one delta a text.
"""

from __future__ import annotations

from typing import Any

from mercurial import mdiff, policy

from . import caches, compression, errors, segments

_ENTRY_SIZE = 64  # bytes of an index entry, interleaved with data when inline
_STEPS = 48  # texts kept on the way of a backward walk, at the most
_budget = caches.budget
_keep = caches.budget.keep
# what a damaged chain makes of Mercurial's C functions
_PATCH_ERRORS: tuple[type[Exception], ...] = (
    policy.importmod('mpatch').mpatchError,
    ValueError,
    MemoryError,
    OverflowError,
)


class Restorer:
    """Texts and chunks of one revlog, and the caches of both.

    ``name`` is for messages.  ``texts`` maps a rev to ``(node, text, checked)``,
    ``chunks`` maps a rev to the decompressed chunk.
    """

    __slots__ = (
        'cindex',
        'datafile',
        'inline',
        'name',
        'options',
        'texts',
        'chunks',
        '_last',
    )

    def __init__(
        self, cindex: Any, datafile: Any, inline: bool, name: bytes, options: Any
    ) -> None:
        self.cindex = cindex
        self.datafile = datafile
        self.inline = inline
        self.name = name
        self.options = options
        self.texts: dict[int, tuple[bytes, bytes, bool]] = {}
        self.chunks: dict[int, bytes] = {}
        # the rev that was restored last, and the chain that led to it
        self._last: tuple[int, list[int]] = (-1, [])

    def clear(self) -> None:
        # new objects: what other revlogs' budget still counts is let go there
        self.texts = {}
        self.chunks = {}
        self._last = (-1, [])

    def keep_chunk(self, rev: int, chunk: bytes) -> None:
        """Remember the decompressed chunk of ``rev``."""
        _keep(self.chunks, rev, chunk, len(chunk))

    def chain(self, rev: int) -> list[int]:
        """The delta chain of ``rev``, ascending.  Raises ``RevlogError``."""
        try:
            return self.cindex.deltachain(rev, None)[0]
        except (ValueError, IndexError) as exc:
            raise errors.bad_index(self.name, rev, str(exc).encode()) from None

    def restore(self, rev: int) -> bytes:
        """The raw text of ``rev``, unchecked, from the nearest cached text.

        Nothing is remembered of it but its chunks: the caller decides.
        Raises ``RevlogError`` for anything damaged, ``OSError`` for files.
        """
        chain = self.chain(rev)
        if not chain:
            return b''
        texts = self.texts
        base: bytes | None = None
        first = 0
        if texts:
            for at in range(len(chain) - 1, -1, -1):
                held = texts.get(chain[at])
                if held is not None:
                    base = held[1]
                    first = at + 1
                    break
        if first == len(chain) and base is not None:
            # the chain ends in empty deltas
            return base
        last_rev, last_chain = self._last
        self._last = (rev, chain)
        steps = 0
        if rev < last_rev and len(chain) - first > 2 and last_rev - rev < 64:
            if chain[0] == (last_chain[0] if last_chain else -1):
                steps = self._affordable_steps(rev)
        rest = chain[first:] if first else chain
        bins = self.fetch(rest, keep=len(rest) > 2)
        if base is None:
            base = bytes(bins[0])
            bins = bins[1:]
            rest = rest[1:]
        if not bins:
            return base
        try:
            if steps > 1 and len(bins) > 2:
                return self._stepwise(base, rest, bins, steps)
            return mdiff.patches(base, bins)
        except _PATCH_ERRORS as exc:
            raise errors.bad_delta(self.name, rev, str(exc).encode()) from None

    def _affordable_steps(self, rev: int) -> int:
        size = max(self.cindex[rev][2], 1024)
        return min(_STEPS, caches.budget.limit // 4 // size)

    def _stepwise(
        self, base: bytes, revs: list[int], bins: list[Any], steps: int
    ) -> bytes:
        """Apply ``bins``, keeping the texts of the last ``steps`` revs."""
        lead = max(len(bins) - steps, 0)
        text = mdiff.patches(base, bins[:lead]) if lead else base
        cindex = self.cindex
        texts = self.texts
        last = len(bins) - 1
        for at in range(lead, last):
            text = mdiff.patches(text, [bins[at]])
            rev = revs[at]
            if rev not in texts:
                _keep(texts, rev, (cindex[rev][7], text, False), len(text))
        return mdiff.patches(text, [bins[last]])

    def fetch(self, revs: list[int], keep: bool, target: int | None = None) -> list[Any]:
        """The decompressed chunks of ``revs`` (ascending), cached or read.

        ``keep`` says whether what is read is worth remembering; ``target`` is
        the size in bytes that one read should not exceed.
        Raises ``RevlogError`` or ``OSError``.
        """
        chunks = self.chunks
        if not chunks:
            _budget.misses += len(revs)
            fresh = self._read(revs, keep, target)
            return [fresh[rev] for rev in revs]
        found = [chunks.get(rev) for rev in revs]
        missing = [rev for rev, chunk in zip(revs, found) if chunk is None]
        _budget.hits += len(revs) - len(missing)
        if not missing:
            return found
        _budget.misses += len(missing)
        fresh = self._read(missing, keep, target)
        return [
            fresh[rev] if chunk is None else chunk for rev, chunk in zip(revs, found)
        ]

    def _read(self, revs: list[int], keep: bool, target: int | None) -> dict[int, Any]:
        """Read and decompress the chunks of ``revs``: a dictionary by rev."""
        cindex = self.cindex
        shift = _ENTRY_SIZE if self.inline else 0
        fresh: dict[int, Any] = {}
        wanted = []
        largest = 0
        position = -1
        ascending = True
        for rev in revs:
            entry = cindex[rev]
            length = entry[1]
            if not length:
                fresh[rev] = b''
                continue
            rawsize = entry[2]
            if rawsize > largest:
                largest = rawsize
            elif rawsize < 0:
                largest = compression.UNLIMITED
            offset = (entry[0] >> 16) + shift * (rev + 1)
            if offset < position:
                ascending = False
            position = offset + length
            wanted.append((rev, offset, length))
        if not wanted:
            return fresh
        limit = compression.expansion_limit(largest)
        plan: Any = (wanted,)
        if len(wanted) > 1:
            if not ascending:
                # a damaged or a foreign index: nothing can be read at once
                plan = [[chunk] for chunk in wanted]
            elif self.options.sparse_read and not shift:
                if target is None:
                    target = 4 * largest
                plan = segments.slices(cindex, self.options, wanted, target)
        chunks = self.chunks
        decompress = compression.decompress
        try:
            for group in plan:
                last = group[-1]
                start, data = self.datafile.fetch(group[0][1], last[1] + last[2])
                if type(data) is not bytes:
                    # a mapped index: do not let small pieces hold on to it
                    start, data = group[0][1], bytes(
                        data[group[0][1] - start : last[1] + last[2] - start]
                    )
                for rev, offset, length in group:
                    offset -= start
                    piece = decompress(data[offset : offset + length], limit)
                    fresh[rev] = piece
                    if keep:
                        _keep(chunks, rev, piece, len(piece))
        except compression.BadChunk as exc:
            raise errors.bad_chunk(self.name, rev, exc.why) from None
        return fresh
