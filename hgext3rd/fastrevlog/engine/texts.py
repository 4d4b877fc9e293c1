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

from . import caches, compression, errors, format, revlogfiles, segments

_ENTRY_SIZE = format.ENTRY_SIZE  # interleaved with data when inline
_OFFSET = format.OFFSET_SHIFT
_BACKWARD = 63  # revs; a step back of at most this is a walk backwards
_STEPS = 48  # texts kept on the way of a backward walk, at the most
_budget = caches.budget
_decompress = compression.decompress
_bulk = compression.bulk
_BOUNDED = compression.BOUNDED
_ZSTD = format.ZSTD
# what a damaged chain makes of Mercurial's C functions
_PATCH_ERRORS: tuple[type[Exception], ...] = (
    policy.importmod('mpatch').mpatchError,
    ValueError,
    MemoryError,
    OverflowError,
)


class Restorer:
    """Texts and chunks of one revlog, and the caches of both.

    ``share`` is charged for what the caches hold.
    ``text_cache`` maps a rev to ``(node, text, checked)``, ``chunk_cache`` a rev to
    the decompressed chunk.
    """

    __slots__ = (
        'cindex',
        'files',
        'options',
        'share',
        'text_cache',
        'chunk_cache',
        '_last',
    )

    def __init__(
        self,
        cindex: Any,
        files: revlogfiles.RevlogFiles,
        options: Any,
        share: caches.Share,
    ) -> None:
        self.cindex = cindex
        self.files = files
        self.options = options
        self.share = share
        self.text_cache: dict[int, tuple[bytes, bytes, bool]] = {}
        self.chunk_cache: dict[int, bytes] = {}
        # the rev that was restored last, and the chain that led to it
        self._last: tuple[int, list[int]] = (-1, [])

    def clear(self) -> None:
        # new objects: what other revlogs' budget still counts is let go there
        self.text_cache = {}
        self.chunk_cache = {}
        self._last = (-1, [])

    def keep_chunk(self, rev: int, chunk: bytes) -> None:
        """Remember the decompressed chunk of ``rev``."""
        if chunk.__class__ is not bytes:
            # a view would hold on to all that it is a part of
            chunk = bytes(chunk)
        self.share.put(self.chunk_cache, rev, chunk, len(chunk))

    def chain(self, rev: int) -> list[int]:
        """The delta chain of ``rev``, ascending.  Raises ``RevlogError``."""
        try:
            return self.cindex.deltachain(rev, None)[0]
        except (ValueError, IndexError, SystemError) as exc:
            raise errors.bad_index(self.files.name, rev, str(exc).encode()) from None

    def full_text(self, rev: int, entry: tuple[Any, ...]) -> bytes:
        """The text of a ``rev`` that is stored whole, unchecked.

        The common case of a changelog, done without plan or chain.  ``entry`` is
        the index entry.  Raises as :meth:`raw_text` does.
        """
        length = entry[1]
        if not length:
            return b''
        if self.chunk_cache:
            # what was just written is asked for again, before it is on the disk
            held = self.chunk_cache.get(rev)
            if held is not None:
                return held
        offset = entry[0] >> _OFFSET
        files = self.files
        if files.inline:
            offset += _ENTRY_SIZE * (rev + 1)
        start, data = files.window
        if offset < start or offset + length > start + len(data):
            start, data = files.fetch(offset, offset + length)
        offset -= start
        chunk = data[offset : offset + length]
        zstd, failures = _bulk()
        try:
            if length > 8 and chunk[0] == _ZSTD and _BOUNDED[chunk[4]]:
                return zstd(chunk)
            text = _decompress(chunk, compression.expansion_limit(entry[2]))
        except failures as exc:
            raise self._bad_chunk(rev, exc) from None
        return text if text.__class__ is bytes else bytes(text)

    def raw_text(self, rev: int) -> bytes:
        """The raw text of ``rev``, unchecked, from the nearest cached text.

        Nothing is remembered of it but its chunks: the caller decides.
        Raises ``RevlogError`` for anything damaged, ``OSError`` for files.
        """
        chain = self.chain(rev)
        if not chain:
            return b''
        texts = self.text_cache
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
        if (
            last_rev - _BACKWARD <= rev < last_rev
            and len(chain) - first > 2
            and chain[0] == last_chain[0]
        ):
            steps = self._affordable_steps(rev)
        rest = chain[first:] if first else chain
        # file logs are often opened for one text; what a second one shares with
        # it is worth keeping
        bins = self.chunks(rest, keep=last_rev >= 0 and len(rest) > 2)
        if base is None:
            base = bytes(bins[0])
            bins = bins[1:]
            rest = rest[1:]
        if not bins:
            return base
        try:
            if steps > 1 and len(bins) > 2:
                return self.apply_keeping_intermediates(base, rest, bins, steps)
            return mdiff.patches(base, bins)
        except _PATCH_ERRORS as exc:
            raise errors.bad_delta(self.files.name, rev, str(exc).encode()) from None

    def _affordable_steps(self, rev: int) -> int:
        size = max(self.cindex[rev][2], 1024)
        return min(_STEPS, self.share.limit // 4 // size)

    def apply_keeping_intermediates(
        self, base: bytes, revs: list[int], bins: list[Any], steps: int
    ) -> bytes:
        """Apply ``bins``, keeping the texts of the last ``steps`` revs."""
        lead = max(len(bins) - steps, 0)
        text = mdiff.patches(base, bins[:lead]) if lead else base
        cindex = self.cindex
        texts = self.text_cache
        put = self.share.put
        last = len(bins) - 1
        for at in range(lead, last):
            text = mdiff.patches(text, [bins[at]])
            rev = revs[at]
            if rev not in texts:
                put(texts, rev, (cindex[rev][7], text, False), len(text))
        return mdiff.patches(text, [bins[last]])

    def chunks(
        self, revs: list[int], keep: bool, target: int | None = None
    ) -> list[Any]:
        """The decompressed chunks of ``revs`` (ascending), cached or read.

        ``keep`` says whether what is read is worth remembering; ``target`` is
        the size in bytes that one read should not exceed.
        Raises ``RevlogError`` or ``OSError``.
        """
        chunks = self.chunk_cache
        found: list[Any] = []
        missing = revs
        if chunks:
            found = [chunks.get(rev) for rev in revs]
            missing = [rev for rev, chunk in zip(revs, found) if chunk is None]
            _budget.chunk_hits += len(revs) - len(missing)
            if not missing:
                return found
        _budget.chunk_reads += len(missing)
        fresh = self._read_window(missing)
        if fresh is None:
            fresh = self._read_planned(missing, target)
        if keep:
            put = self.share.put
            for rev, chunk in zip(missing, fresh):
                put(chunks, rev, chunk, len(chunk))
        if missing is revs:
            return fresh
        supply = iter(fresh)
        return [next(supply) if chunk is None else chunk for chunk in found]

    def _read_window(self, revs: list[int]) -> list[Any] | None:
        """The chunks of ``revs``, if the bytes that are at hand hold them all.

        They do for inline revlogs, which were read whole with their index.
        """
        files = self.files
        start, data = files.window
        end = len(data)
        if not end or data.__class__ is not bytes:
            return None
        cindex = self.cindex
        step = _ENTRY_SIZE if files.inline else 0
        start -= step
        last = cindex[revs[-1]]
        if (last[0] >> _OFFSET) + step * revs[-1] - start + last[1] > end:
            # found out before the others are decompressed in vain
            return None
        result: list[Any] = []
        add = result.append
        largest = 0
        zstd, failures = _bulk()
        rev = -1
        try:
            for rev in revs:
                entry = cindex[rev]
                at = (entry[0] >> _OFFSET) + step * rev - start
                stop = at + entry[1]
                if at < 0 or stop > end:
                    return None
                rawsize = entry[2]
                if rawsize > largest:
                    largest = rawsize
                elif rawsize < 0:
                    largest = max(largest, compression.UNKNOWN_TEXT)
                chunk = data[at:stop]
                if stop - at > 8 and chunk[0] == _ZSTD and _BOUNDED[chunk[4]]:
                    add(zstd(chunk))
                else:
                    # the limit is compression.expansion_limit(), spelled out
                    add(_decompress(chunk, 65536 + 26 * largest))
        except failures as exc:
            raise self._bad_chunk(rev, exc) from None
        return result

    def _read_planned(self, revs: list[int], target: int | None) -> list[Any]:
        """The chunks of ``revs``, from few reads of the data file."""
        cindex = self.cindex
        shift = _ENTRY_SIZE if self.files.inline else 0
        wanted = []
        largest = 0
        position = -1
        ascending = True
        empty = False
        for rev in revs:
            entry = cindex[rev]
            length = entry[1]
            if not length:
                empty = True
                continue
            rawsize = entry[2]
            if rawsize > largest:
                largest = rawsize
            elif rawsize < 0:
                largest = max(largest, compression.UNKNOWN_TEXT)
            offset = (entry[0] >> _OFFSET) + shift * (rev + 1)
            if offset < position:
                ascending = False
            position = offset + length
            wanted.append((rev, offset, length))
        if not wanted:
            return [b''] * len(revs)
        plan: Any = (wanted,)
        if len(wanted) > 1:
            if not ascending:
                # a damaged or a foreign index: nothing can be read at once
                plan = [[chunk] for chunk in wanted]
            elif self.options.sparse_read and not shift:
                if target is None:
                    target = 4 * largest
                plan = segments.slices(cindex, self.options, wanted, target)
        limit = compression.expansion_limit(largest)
        result: list[Any] = []
        with self.files.reading():
            for group in plan:
                self._decompress_group(group, limit, result)
        if empty:
            by_rev = {w[0]: chunk for w, chunk in zip(wanted, result)}
            return [by_rev.get(rev, b'') for rev in revs]
        return result

    def _decompress_group(
        self, group: segments.Wanted, limit: int, result: list[Any]
    ) -> None:
        """Read the chunks of ``group`` at once, append their contents."""
        first = group[0][1]
        end = group[-1][1] + group[-1][2]
        start, data = self.files.fetch(first, end)
        if data.__class__ is not bytes:
            # a mapped index: do not let small pieces hold on to it
            data = bytes(data[first - start : end - start])
            start = first
        zstd, failures = _bulk()
        before = len(result)
        try:
            for _rev, offset, length in group:
                offset -= start
                chunk = data[offset : offset + length]
                if length > 8 and chunk[0] == _ZSTD and _BOUNDED[chunk[4]]:
                    result.append(zstd(chunk))
                else:
                    result.append(_decompress(chunk, limit))
        except failures as exc:
            rev = group[len(result) - before][0]
            raise self._bad_chunk(rev, exc) from None

    def _bad_chunk(self, rev: int, exc: Exception) -> Exception:
        if isinstance(exc, compression.ExpandsTooFar):
            return errors.expands_too_far(self.files.name, exc.limit)
        return errors.bad_chunk(self.files.name, rev, compression.BadChunk.of(exc).why)
