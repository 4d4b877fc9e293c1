# Is there anything that `hg verify` would report about a file log?
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of one file log by itself, made for the common answer: no.

This is what Mercurial's ``verifier._verifyfiles`` and ``revlog.verifyintegrity``
look at, less everything that takes the changelog or the manifest to judge, in
one walk over the revisions that restores and hashes each text once.

It does not say what is wrong, or how much of it: a file log that is not
flawless, or not of the plainest kind, is left to Mercurial's own code.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

from mercurial import filelog, mdiff, revlog
from mercurial.node import bin
from mercurial.utils import storageutil

from ... import unchanged
from ...engine import compression, format, hashing
from ...engine.counters import counters

_ORIGINS = 32  # file logs kept open to look up what was copied from them
_HELD = 32 << 20  # bytes of texts held as bases of deltas
_ENTRY_SIZE = format.ENTRY_SIZE  # interleaved with data when inline
_FLAGS = format.FLAGS_MASK
# methods of a file log, and of its revlog, that are not called for a flawless one
LEFT_OUT = (
    'verifyintegrity renamed revision rawdata __iter__ node rev linkrev parents '
    'parentrevs'
)
LEFT_OUT_OF_REVLOGS = (
    'verifyintegrity revision rawdata _revisiondata _rawtext checkhash hash checksize '
    'rawsize __iter__ node rev flags parents parentrevs linkrev'
)


_OF_FILELOG = LEFT_OUT.split()
_OF_REVLOG = LEFT_OUT_OF_REVLOGS.split()


class FilelogFacts(NamedTuple):
    """What changelog, manifest and store must agree with, of a flawless file log."""

    files: list[bytes]  # below the store
    nodes: list[bytes]  # 20 bytes each, in the order of their revs, all different
    linkrevs: list[int]


class FilelogChecker:
    """Checks the file logs of the repository that ``verifier`` verifies."""

    def __init__(self, verifier: Any) -> None:
        self.repo = verifier.repo
        self.format = verifier.repo.changelog._format_version
        self.verbose = verifier.ui.verbose
        self.changectx = verifier.lrugetctx
        # copies come in groups: a file often has several revisions with one origin
        self._origin = functools.lru_cache(_ORIGINS)(self.repo.file)

    def check(self, path: bytes) -> FilelogFacts | None:
        """The facts about the file log of ``path``, or None if it is not flawless.

        Raises whatever comes of reading a damaged one.
        """
        fl = self.repo.file(path)
        if type(fl) not in (filelog.filelog, filelog.narrowfilelog):
            return None
        rl = fl._revlog
        if unchanged.has_own(fl, _OF_FILELOG) or unchanged.has_own(rl, _OF_REVLOG):
            return None
        count = len(rl)
        if type(rl) is not revlog.revlog or not count:
            return None
        inner = rl._inner
        if not getattr(inner, 'is_fastrevlog', False):
            return None
        if rl._format_version != self.format:
            return None
        nullid = rl.nullid
        # unless it is fast, this is Mercurial's function; and what is not flawless by
        # the fast one, Mercurial looks at again
        policy = inner.storage.hash_policy
        matches = hashing.node_matches
        nodes: list[bytes] = []
        linkrevs = []
        stored = 0  # bytes
        with nullcontext() if inner.inline else inner.reading():
            for entry, text in _texts(inner, count):
                offset_flags, length, size, _base, linkrev, p1, p2, node = entry[:8]
                rev = len(nodes)
                if offset_flags & _FLAGS or not (-1 <= p1 < rev and -1 <= p2 < rev):
                    return None
                p1node = nullid if p1 < 0 else nodes[p1]
                p2node = nullid if p2 < 0 else nodes[p2]
                if len(text) != size:
                    return None
                if not matches(text, node, p1node, p2node, policy):
                    return None
                if p1 < 0 and not self._origin_is_fine(fl, linkrev, text):
                    return None
                stored += length
                nodes.append(node)
                linkrevs.append(linkrev)
        counters.texts += count
        if not _sizes_are_right(rl, stored):
            return None
        if nullid in nodes or len(set(nodes)) != count:
            return None
        return FilelogFacts(fl.files(), nodes, linkrevs)

    def _origin_is_fine(self, fl: Any, linkrev: int, text: bytes) -> bool:
        """Whether nothing is to be said about what ``text`` is a copy of, if it is."""
        meta = storageutil.parsemeta(text)[0]
        if not meta or b'copy' not in meta or b'copyrev' not in meta:
            return True
        source, node = meta[b'copy'], bin(meta[b'copyrev'])
        if type(fl) is filelog.narrowfilelog and not fl._narrowmatch(source):
            return True
        if self.verbose:
            parents = self.changectx(linkrev).parents()
            if not any(source in parent for parent in parents):
                return False
        origin = self._origin(source)
        if not len(origin):
            return False
        if node == self.repo.nullid:
            return not self.verbose
        origin.rev(node)  # or raises
        return True


def _texts(inner: Any, count: int) -> Iterator[tuple[Any, bytes]]:
    """Index entry and raw text of each rev, ascending, unchecked.

    Mostly at the cost of one chunk and one delta each: the texts that came last
    are held, as bases.  Raises whatever comes of a damaged revlog.
    """
    cindex = inner.cindex
    fetch = inner.files.fetch
    shift = _ENTRY_SIZE if inner.inline else 0
    general_delta = inner.delta_config.general_delta
    held: dict[int, bytes] = {}
    room = _HELD
    for rev in range(count):
        entry = cindex[rev]
        length = entry[1]
        chunk = b''
        if length:
            start = (entry[0] >> format.OFFSET_SHIFT) + shift * (rev + 1)
            at, data = fetch(start, start + length)
            start -= at
            limit = compression.expansion_limit(entry[2])
            chunk = compression.decompress(data[start : start + length], limit)
        base = entry[3]
        if base == rev:
            text = bytes(chunk)
        else:
            old = held.get(base if general_delta else rev - 1)
            if old is None:
                text = inner.restorer.raw_text(rev)
            else:
                text = mdiff.patches(old, [chunk])
        held[rev] = text
        room -= len(text)
        while room < 0 and len(held) > 1:
            room += len(held.pop(next(iter(held))))
        yield entry, text


def _sizes_are_right(rl: Any, stored: int) -> bool:
    """Whether the files are as long as an index with ``stored`` bytes of data says."""
    size_of = rl.opener.stat
    index_size = len(rl) * rl.index.entry_size
    if rl._inline:
        return size_of(rl._indexfile).st_size == index_size + stored
    return size_of(rl._indexfile).st_size == index_size and size_of(
        rl._datafile
    ).st_size == rl.end(len(rl) - 1)
