# What decompression, patching and SHA-1 alone take: how fast can reading get?
# SPDX-License-Identifier: GPL-2.0-or-later
"""The physical limit of reading texts.

A storage layer has to decompress each chunk, to patch each text and to hash it;
everything else that it does is its own. Here those three are done alone, on chunks
that are in memory already, by somebody who knows in advance which texts will be asked
for: in ascending order, each from the nearest text before it in its delta chain, so
that no chunk is decompressed twice while the texts kept fit into :data:`_KEPT`. In
ascending order that is what a perfect reader would do; in any other order nobody can
know so much, and more than a part of the limit cannot be had.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple

from mercurial import mdiff

from ..engine import compression, format

_KEPT = 64 << 20  # bytes of texts; as much as the caches have by default


class Step(NamedTuple):
    """One text: from which kept one or None, by which chunks, of which parents.

    ``needed`` is whether a later step starts from it, ``last`` whether this step is
    the last that starts from where it starts: memory that is given back at once is
    still in the processor's caches.
    """

    rev: int
    start: int | None
    chunks: list[tuple[Callable[[bytes], bytes], bytes]]
    parents: bytes
    needed: bool
    last: bool


def _as_it_is(chunk: bytes) -> bytes:
    return chunk


def _without_mark(chunk: bytes) -> bytes:
    return chunk[1:]


def _decompressors() -> dict[bytes, Callable[[bytes], bytes]]:
    """The function for the first byte of a chunk; others are stored as they are."""
    zstd = compression.zstd_module()
    one_shot = zstd.ZstdDecompressor().decompress

    def any_frame(chunk: bytes) -> bytes:
        # what was compressed as a stream does not say how large it is
        if zstd.frame_content_size(chunk) < 0:
            return zstd.ZstdDecompressor().decompressobj().decompress(chunk)
        return one_shot(chunk)

    return {
        bytes([format.ZSTD]): any_frame,
        bytes([format.ZLIB]): zlib.decompress,
        format.STORED_MARK: _without_mark,
    }


def plan(rl: Any, revs: Iterable[int]) -> list[Step]:
    """What a reader of ``revs`` of the revlog ``rl`` cannot help doing."""
    known = _decompressors()
    kept: dict[int, int] = {}  # rev: bytes of its text
    total = 0
    steps = []
    for rev in sorted(set(revs)):
        chain = list(rl._deltachain(rev)[0])
        start = None
        for at in range(len(chain) - 1, -1, -1):
            if chain[at] in kept:
                start, chain = chain[at], chain[at + 1 :]
                break
        chunks = []
        for each in chain:
            chunk = bytes(rl._inner.get_segment_for_revs(each, each)[1])
            chunks.append((known.get(chunk[:1], _as_it_is), chunk))
        kept[rev] = size = max(rl.rawsize(rev), 0)
        total += size
        while total > _KEPT and len(kept) > 1:
            total -= kept.pop(next(iter(kept)))
        parents = b''.join(sorted(map(rl.node, rl.parentrevs(rev))))
        steps.append(Step(rev, start, chunks, parents, False, False))
    later: set[int | None] = set()
    for at in range(len(steps) - 1, -1, -1):
        step = steps[at]
        last = step.start is not None and step.start not in later
        steps[at] = step._replace(needed=step.rev in later, last=last)
        later.add(step.start)
    return steps


def run(plans: Iterable[list[Step]]) -> float:
    """Do it, for one revlog after the other; the seconds of the processor it took."""
    patches = mdiff.patches
    begin = time.process_time()
    for steps in plans:
        texts: dict[int, bytes] = {}
        for rev, start, chunks, parents, needed, last in steps:
            parts = [decompress(chunk) for decompress, chunk in chunks]
            if start is None:
                text = parts.pop(0)
            else:
                text = texts.pop(start) if last else texts[start]
            if parts:
                text = patches(text, parts)
            digest = hashlib.sha1(parents, usedforsecurity=False)
            digest.update(text)
            digest.digest()
            if needed:
                texts[rev] = text
    return time.process_time() - begin
