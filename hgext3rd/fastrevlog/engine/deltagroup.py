# The delta group of one revlog in a changegroup, straight from its chunks.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Delta groups of changegroups, versions 1 to 3.

A group is a row of chunks, each of them a length (four bytes, itself included),
nodes (the revision's, its parents', from version 2 on its delta base's, the
changeset's), in version 3 two bytes of flags, and a delta; a length of zero ends it
(``hg help internals.changegroups``).

First all delta bases are chosen (:func:`plan`), by Mercurial's rules and without
reading a chunk; anything out of the ordinary is an answer too: let Mercurial make
this group.  Then the chunks are read in the order of the file and written out
(:func:`pieces`).  A stored delta goes out as it is; a text is checked against its
node first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mercurial import ancestor

from . import compression, errors, format, hashing

# how delta bases are chosen (mercurial/interfaces/repository.py, CG_DELTAMODE_*)
STORED, PREVIOUS, FULL, PARENT = 'stored', 'previous', 'full', 'parent'

KNOWN_HEADER = format.VERSION_1 | format.INLINE | format.GENERAL_DELTA
PIECE = 1 << 17  # bytes; what is collected before it is handed on

# the fields of an entry are those that the C index gives first, in the same order
_ENTRY = format.ENTRY
_ENTRY_SIZE = format.ENTRY_SIZE
_LENGTH = format.CHUNK_LENGTH
CLOSE = b'\0\0\0\0'


class Source(NamedTuple):
    """A revlog to read from.

    ``entries[rev]`` begins with the eight fields of :data:`.format.ENTRY`, and rev -1
    is the null revision.  ``fetch(start, end)`` gives a piece of the data file that
    covers this range, and its offset; ``shift`` is what an inline index adds for each
    revision.  ``canonical`` says that a null first parent is to come second.
    """

    entries: Sequence[tuple[Any, ...]]
    revisions: int
    fetch: Callable[[int, int], tuple[int, Any]]
    shift: int
    general_delta: bool
    canonical: bool
    policy: hashing.HashPolicy


class Layout(NamedTuple):
    """What a version of the format puts before a delta."""

    base: bool  # the node of the delta base
    flags: bool  # two bytes


LAYOUTS = {
    b'01': Layout(False, False),
    b'02': Layout(True, False),
    b'03': Layout(True, True),
}


class Pieces:
    """Bytes that are not handed on yet."""

    __slots__ = ('parts', 'size')

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)

    def take(self) -> bytes:
        """All that was added."""
        data = b''.join(self.parts)
        self.parts.clear()
        self.size = 0
        return data


def read_index(data: bytes) -> tuple[list[tuple[Any, ...]], int] | None:
    """The entries of an index file, the null entry last, and its flags.

    None if it is not of version 1, or not whole.
    """
    size = len(data)
    if size < _ENTRY_SIZE:
        return None
    (header,) = format.HEADER.unpack_from(data)
    if header & ~KNOWN_HEADER or header & format.VERSION_MASK != format.VERSION_1:
        return None
    entries = []
    if header & format.INLINE:
        at = 0
        unpack = _ENTRY.unpack_from
        while at + _ENTRY_SIZE <= size:
            entry = unpack(data, at)
            if entry[1] < 0:
                return None
            entries.append(entry)
            at += _ENTRY_SIZE + entry[1]
        if at != size:
            return None
    elif size % _ENTRY_SIZE:
        return None
    else:
        entries = list(_ENTRY.iter_unpack(data))
    # the offset of the first revision is 0; its place is taken by the header
    entries[0] = (entries[0][0] & format.FLAGS_MASK, *entries[0][1:])
    entries.append(format.NULL_ENTRY)
    return entries, header


def plan(
    source: Source, revs: Sequence[int], mode: str, neutral: int
) -> list[int] | None:
    """The delta base of each of ``revs`` (ascending), or None: there is more to it.

    ``neutral`` are flags that say nothing about the text and are not sent.
    """
    entries = source.entries
    revisions = source.revisions
    unusual = format.FLAGS_MASK & ~neutral
    general = source.general_delta
    canonical = source.canonical
    first = entries[revs[0]]
    previous = first[6] if canonical and first[5] < 0 else first[5]
    whole = revs[-1] - revs[0] + 1 == len(revs)
    sent: Any = range(revs[0], revs[-1] + 1) if whole else set(revs)
    known: Any = None
    bases = []
    for rev in revs:
        entry = entries[rev]
        p1 = entry[5]
        p2 = entry[6]
        stored = entry[3]
        if (
            entry[0] & unusual
            or not -1 <= stored <= rev
            or not -1 <= p1 < rev
            or not -1 <= p2 < rev
        ):
            return None
        if stored == rev:
            stored = -1
        elif not general:
            stored = rev - 1
        if canonical and p1 < 0:
            p1, p2 = p2, p1
        if mode == STORED:
            base = stored
            if base >= 0 and base not in sent:
                if known is None:
                    known = _known(source, revs, sent)
                if base not in known:
                    if entry[0] & neutral:
                        return None  # it may say which parent is better
                    base = previous
                    for parent in (p2, p1):
                        if parent >= 0 and (parent in sent or parent in known):
                            base = parent
        elif mode == FULL:
            base = -1
        elif mode == PARENT:
            base = p1
        else:
            base = previous
        if base >= revisions or entries[base][0] & unusual:
            return None
        bases.append(base)
        previous = rev
    return bases


def _known(source: Source, revs: Sequence[int], sent: Any) -> Any:
    """The revs that the receiver has: ancestors of what is sent."""
    entries = source.entries

    def parents(rev: int) -> tuple[int, int]:
        entry = entries[rev]
        return entry[5], entry[6]

    heads = {parent for rev in revs for parent in parents(rev) if parent not in sent}
    return ancestor.lazyancestors(parents, heads, inclusive=True)


def pieces(
    source: Source,
    revs: Sequence[int],
    bases: Sequence[int],
    links: Iterable[bytes],
    layout: Layout,
    made: Callable[[int, int], tuple[bytes, bytes]],
    mode: str,
    out: Pieces,
    seen: Callable[[bytes, bytes], None] | None = None,
) -> Iterator[bytes]:
    """The chunks of a group, without its end; what is left at the end is in ``out``.

    ``links`` gives the changeset's node for each of ``revs``.  ``made(rev, base)`` is
    asked for what is not stored like that, or found damaged: the delta in two parts,
    the first of which may be empty.  ``seen(node, text)`` is called with each full
    text before its link is asked for.  Raises what ``fetch`` and ``made`` do.
    """
    entries = source.entries
    fetch = source.fetch
    shift = source.shift
    general = source.general_delta
    canonical = source.canonical
    with_base, with_flags = layout
    fixed = _LENGTH.size + (5 if with_base else 4) * format.NODE_SIZE
    fixed += 2 if with_flags else 0
    zstd, failures = compression.bulk()
    zstd_byte = format.ZSTD
    bounded = compression.BOUNDED
    decompress = compression.decompress
    policy = source.policy
    pack_length = _LENGTH.pack
    whole_as_delta = mode == PREVIOUS
    offset_shift = format.OFFSET_SHIFT
    start, data = 0, b''
    end = 0
    next_link = iter(links).__next__
    for rev, base in zip(revs, bases):
        entry = entries[rev]
        p1 = entry[5]
        p2 = entry[6]
        if canonical and p1 < 0:
            p1, p2 = p2, p1
        node = entry[7]
        node1 = entries[p1][7]
        node2 = entries[p2][7]
        stored = entry[3]
        if stored == rev:
            stored = -1
        elif not general:
            stored = rev - 1
        prefix = b''
        text: Any = None
        if stored == base and (base >= 0 or not whole_as_delta):
            length = entry[1]
            at = (entry[0] >> offset_shift) + shift * (rev + 1)
            stop = at + length
            try:
                if at < start or stop > end:
                    start, data = fetch(at, stop)
                    end = start + len(data)
                chunk = data[at - start : stop - start]
                if length > 8 and chunk[0] == zstd_byte and bounded[chunk[4]]:
                    text = zstd(chunk)
                elif length:
                    limit = compression.expansion_limit(entry[2])
                    if base >= 0:
                        limit += 26 * max(entries[base][2], 0)
                    text = bytes(decompress(chunk, limit))
                else:
                    text = b''
                if base < 0:
                    if not hashing.node_matches(text, node, node1, node2, policy):
                        text = None
                    elif text:
                        prefix = format.HUNK.pack(0, 0, len(text))
            except failures:
                text = None
            except errors.RevlogError:
                text = None  # a short read; Mercurial finds the words
        if text is None:
            prefix, text = made(rev, base)
            zstd, failures = compression.bulk()
        if seen is not None and base < 0:
            seen(node, text)
        size = fixed + len(prefix) + len(text)
        head = pack_length(size) + node + node1 + node2
        if with_base:
            head += entries[base][7]
        head += next_link()
        if with_flags:
            head += b'\0\0'
        if prefix:
            head += prefix
        out.parts.append(head)
        out.parts.append(text)
        out.size += size
        if out.size >= PIECE:
            yield out.take()
