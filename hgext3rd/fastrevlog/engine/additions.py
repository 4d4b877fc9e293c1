# A group of incoming revisions of one file, worked out before anything is written.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``filelog.addgroup`` would append to a file log, in memory.

The common revision has no flags, its delta is against a revision that is there,
and Mercurial would store that delta as it is, or the full text because there is
nothing else.  That is decided and done here.  Where Mercurial would search for a
better delta, its own code does (``search``), on top of the same in-memory tail.
For anything else :class:`Uncommon` is raised, nothing has happened, and the whole
group is to be added in Mercurial's own way, which has the right words, too.

Sources: ``filelog.addgroup``, ``rewrite.filter_delta_issue6528``,
``revlog.addgroup``, ``revlog._addrevision`` of Mercurial 7.1 and 7.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mercurial import mdiff, policy
from mercurial.utils import storageutil

from . import deltas as deltasmod
from . import format, tails

# node, p1, p2, base of the delta, changeset (20 bytes each), flags, delta
Incoming = tuple[bytes, bytes, bytes, bytes, bytes, int, bytes]

_HUNK = format.HUNK
_META = format.META_MARK
_CENSORED = b'\x01\ncensored:'
_FLAGS = format.FLAGS_MASK
_KEPT = 2 << 20  # bytes of uncompressed deltas of one group that are remembered
Uncommon = tails.Uncommon
PATCH_ERRORS = (
    policy.importmod('mpatch').mpatchError,
    ValueError,
    OverflowError,
)


class Outcome(NamedTuple):
    """What is to be appended to the files of a file log.

    For an inline revlog ``to_index`` is entries and chunks, interleaved, and
    ``to_data`` is None.
    """

    revs_before: int
    added: int
    index_size: int  # bytes of the index file before
    to_index: bytes | bytearray | memoryview
    data_size: int  # bytes of all chunks before
    to_data: bytes | bytearray | memoryview | None
    data_after: int  # bytes of all chunks afterwards


class Additions:
    """Adds incoming revisions to the inner revlog ``inner``, in memory.

    ``header`` is the first word of the index; ``fix_parents`` says whether parents
    in the wrong order are looked for (issue6528); ``forbidden`` holds nodes that no
    revision may have.  ``search`` is Mercurial's own way to add one revision:
    called with the :data:`Incoming`, its link rev, the rev of its base and its text
    (or None) within a write context, it appends to ``inner``.  ``tail`` is where the
    new end of a file of data is kept.
    """

    def __init__(
        self,
        inner: Any,
        header: int,
        limits: deltasmod.Limits,
        fix_parents: bool,
        forbidden: frozenset[bytes],
        search: Callable[[Incoming, int, int, bytes | None], None],
        tail: tails.Spool | None = None,
    ) -> None:
        self.inner = inner
        self.cindex = inner.cindex
        self.judge = deltasmod.Judge(inner.cindex, limits)
        self._fix_parents = fix_parents
        self._forbidden = forbidden
        self._search = search
        self._header = header
        self._compress = inner._compressor.compress
        self._chunks = inner.restorer.chunk_cache
        self._kept = 0  # bytes of what was put there
        # rev -> does its text begin with metadata?
        self._has_meta: dict[int, bool] = {-1: False}
        self._tail = tail
        self._open_tails()

    def _open_tails(self) -> None:
        inner = self.inner
        revs = self.revs_before = len(self.cindex)
        self.data_before = inner.end(revs - 1) if revs else 0
        self.offset = self.data_before
        index_size = revs * inner.index.entry_size
        storage = inner.storage
        if inner.inline:
            index_size += self.data_before
            data_tail = None
        else:
            data_tail = tails.MemoryTail(
                lambda: storage.reader(inner.data_file), self.data_before, self._tail
            )
        index_tail = tails.MemoryTail(
            lambda: storage.reader(inner.index_file), index_size
        )
        self.index_size = index_size
        self.index_tail, self.data_tail = index_tail, data_tail
        inner.writer.handles = (index_tail, data_tail, None)
        inner.files.writing_handle = data_tail or index_tail
        self._to_index = index_tail.tail.extend
        self._to_data = (data_tail or index_tail).tail.extend

    def close(self) -> None:
        """Let go of the files and the inner revlog."""
        self.inner.writer.handles = None
        self.inner.files.writing_handle = None
        self.index_tail.close()
        if self.data_tail is not None:
            self.data_tail.close()

    def add_all(
        self, deltas: Iterable[Incoming], link_of: Callable[[bytes], int | None]
    ) -> Outcome:
        """Add ``deltas``; ``link_of`` gives the rev of a changeset's node, or None.

        Raises :class:`Uncommon`, or what ``search`` and reading raise.
        """
        number = self.revs_before
        for incoming in deltas:
            self._add(incoming, number, link_of)
            number += 1
        if number == self.revs_before:
            raise Uncommon('an empty group')
        data = None if self.data_tail is None else self.data_tail.tail
        return Outcome(
            self.revs_before,
            len(self.cindex) - self.revs_before,
            self.index_size,
            self.index_tail.tail,  # type: ignore[arg-type]
            self.data_before,
            data,  # type: ignore[arg-type]
            self.offset,
        )

    def _add(
        self,
        incoming: Incoming,
        number: int,
        link_of: Callable[[bytes], int | None],
    ) -> None:
        """Add one revision; ``number`` is its rev if none before was known."""
        node, p1node, p2node, base_node, changeset, flags, delta = incoming
        cindex = self.cindex
        get_rev = cindex.get_rev
        base = get_rev(base_node)
        p1 = get_rev(p1node)
        p2 = get_rev(p2node)
        if base is None or p1 is None or p2 is None or flags:
            raise Uncommon('an unknown parent, an unknown base, or flags')
        entry = cindex[base]
        base_size = entry[2]
        if entry[0] & _FLAGS or base_size < 0 or delta[12:23] == _CENSORED:
            raise Uncommon('a base with flags, or a censored text')
        text = None
        if self._fix_parents:
            text = self._look_for_meta(number, base, base_size, p1, delta)
        if get_rev(node) is not None:
            return  # the same file was added to two heads
        link = link_of(changeset)
        if link is None or node in self._forbidden:
            raise Uncommon('an unknown changeset, or a node that is none')
        if text is not None:
            size = len(text)
        else:
            try:
                size = mdiff.patchedsize(base_size, delta)
            except PATCH_ERRORS as exc:
                raise Uncommon('a delta that cannot be decoded') from exc
        rev = len(cindex)
        store_base = rev
        chunk = None
        if size and rev and base >= 0:
            chunk = self._chunk_of_delta(base, p1, p2, delta, size)
            store_base = base
        elif not rev or not size or (p1 < 0 and p2 < 0 and self.judge.limits.sparse):
            # nothing to make a delta against, or nothing to store; where it is not
            # sparse, Mercurial tries the revision before
            if text is None:
                text = self._text(base, base_size, delta)
            chunk = self._compressed(text)
            delta = text
        if chunk is None:
            self._search(incoming, link, base, text)
            if len(cindex) != rev + 1:
                raise Uncommon('not added')
            self.offset += cindex[rev][1]
            return
        self._append((rev, store_base, link, p1, p2, node, size), chunk, delta)

    def _chunk_of_delta(
        self, base: int, p1: int, p2: int, delta: bytes, size: int
    ) -> tuple[bytes, bytes] | None:
        """The chunk that stores ``delta``, if it is stored as it is."""
        judge = self.judge
        if not judge.base_may_do(base, p1, p2, size):
            return None
        depth = judge.depth(base, p1, p2)
        if depth == deltasmod.REFUSED:
            return None
        if depth > 0 and not judge.may_be_small_enough(base, depth, len(delta), size):
            return None
        header, body = chunk = self._compressed(delta)
        stored = len(header) + len(body)
        if not judge.is_good(base, depth, stored, self.offset, size):
            return None
        return chunk

    def _compressed(self, data: bytes) -> tuple[bytes, bytes]:
        # compression.compress(), spelled out
        if not data:
            return b'', data
        compressed = self._compress(data)
        if compressed:
            return b'', compressed
        if data[0] == format.PLAIN:
            return b'', data
        return format.STORED_MARK, data

    def _append(
        self,
        facts: tuple[int, int, int, int, int, bytes, int],
        chunk: tuple[bytes, bytes],
        content: bytes,
    ) -> None:
        """Append a revision to index and tail; ``content`` is the chunk's."""
        rev, base, link, p1, p2, node, size = facts
        header, body = chunk
        stored = len(header) + len(body)
        offset = self.offset
        cindex = self.cindex
        cindex.append(
            (
                offset << format.OFFSET_SHIFT,
                stored,
                size,
                base,
                link,
                p1,
                p2,
                node,
                *format.SUFFIX,
            )
        )
        packed = cindex.entry_binary(rev)
        if not rev:
            self._to_index(cindex.pack_header(self._header))
        self._to_index(packed)
        if header:
            self._to_data(header)
        self._to_data(body)
        self._keep(rev, content)
        self.judge.note(rev, base, stored, offset)
        self.offset = offset + stored

    def _keep(self, rev: int, content: bytes) -> None:
        self._kept += len(content)
        if self._kept > _KEPT:
            # what is asked for again is decompressed from the tail
            self._chunks.clear()
            self._kept = len(content)
        self._chunks[rev] = content

    def _look_for_meta(
        self, number: int, base: int, base_size: int, p1: int, delta: bytes
    ) -> bytes | None:
        """Does the text begin with metadata?  Returns the text if it was needed.

        Raises :class:`Uncommon` if it does, and has a first parent: Mercurial
        exchanges the parents then.
        """
        text = None
        has_meta = self._meta_of_delta(base, delta)
        if has_meta is None:
            text = self._text(base, base_size, delta)
            has_meta = text[:2] == _META
        if has_meta and p1 >= 0:
            raise Uncommon('parents in the wrong order')
        self._has_meta[number] = has_meta
        return text

    def _meta_of_delta(self, base: int, delta: bytes) -> bool | None:
        """As far as the delta tells; None if it does not."""
        if base < 0:
            return None
        if len(delta) < _HUNK.size:
            if delta:
                raise Uncommon('a delta that is cut off')
            return self._has_meta.get(base)
        start, _end, length = _HUNK.unpack_from(delta)
        if start >= 2:
            return self._has_meta.get(base)
        if start < 0 or length < 0:
            raise Uncommon('a delta that cannot be decoded')
        first = delta[12 : 12 + max(min(2 - start, length - start), 0)]
        return first == _META if len(first) == 2 else None

    def _text(self, base: int, base_size: int, delta: bytes) -> bytes:
        """The text that ``delta`` makes of the text of ``base``.

        Raises :class:`Uncommon` for a censored one, metadata without an end, and a
        delta that does not fit.
        """
        if _HUNK.size <= len(delta) and delta[:12] == _HUNK.pack(
            0, base_size, len(delta) - 12
        ):
            text = delta[12:]
        else:
            try:
                text = bytes(mdiff.patch(self.inner.raw(base), delta))
            except PATCH_ERRORS as exc:
                raise Uncommon('a delta that does not fit') from exc
        if text[:2] == _META:
            if text.find(_META, len(_META)) < 0:
                raise Uncommon('metadata without an end')
            if storageutil.iscensoredtext(text):
                raise Uncommon('a censored text')
        return text
