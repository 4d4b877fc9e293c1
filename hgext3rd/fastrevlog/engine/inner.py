# The inner revlog: the parts of the engine tied together.
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Mercurial's ``revlog`` delegates to, in one object per open revlog.

The parts do the work: :mod:`.texts` reads, :mod:`.writer` writes,
:mod:`.revlogfiles` and :mod:`.vfs` know files, :mod:`.compression` knows chunks.
The generations of Mercurial expect slightly different names of this object; they
are added in ``compat/``.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Callable

from . import (
    caches,
    compression,
    counters,
    errors,
    format,
    hashing,
    index,
    options,
    revlogfiles,
    texts,
    vfs,
)
from . import writer as writingmod

NULL_REV = format.NULL_REV
NULL_NODE = format.NULL_NODE
_ALTERING = format.ALTERING_FLAGS
_SMALL = hashing.SMALL
_sha1 = hashing.sha1
_budget = caches.budget
_counters = counters.counters


class InnerRevlog(format.EntryAccess):
    """The storage of one revlog, format version 1.

    ``storage`` opens the files; ``cindex`` is Mercurial's parsed C index, which
    this object owns; ``window`` is the part of an inline revlog's file that was
    read with the index, as ``(offset, bytes)``.  ``share_texts`` says that texts
    may be shared with later objects of the same history (file logs).
    """

    is_fastrevlog = True
    # is what Mercurial's code raises about damage passed on as it is?
    verbatim = False
    has_revdiff_extra = False

    def __init__(
        self,
        storage: vfs.StoreVFS,
        cindex: Any,
        index_file: bytes,
        data_file: bytes,
        inline: bool,
        data_config: Any,
        delta_config: Any,
        feature_config: Any,
        read_options: options.ReadOptions,
        window: tuple[int, bytes] | None = None,
        share_texts: bool = False,
        diff: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None:
        self.cindex = cindex
        # changelog and manifest live long; file logs come by the thousand
        make = index.IndexProxy if share_texts else index.IndexProxy.bound
        self.index = make(cindex)
        self.index.share = share = storage.share
        self.data_config = data_config
        self.delta_config = delta_config
        self.feature_config = feature_config
        self._share_texts = share_texts
        self._diff = diff
        self.files = revlogfiles.RevlogFiles(
            storage, cindex, index_file, data_file, inline, window
        )
        self.restorer = texts.Restorer(cindex, self.files, read_options, share)
        self._writer: writingmod.Writer | None = None
        self._engine: Any = None

    def __len__(self) -> int:
        return len(self.cindex)

    # the store

    @property
    def opener(self) -> Any:
        """Mercurial's opener of the store; may be replaced (``repocache``)."""
        return self.files.storage.opener

    @opener.setter
    def opener(self, opener: Any) -> None:
        self.storage = self.files.storage.through(opener)

    @property
    def storage(self) -> vfs.StoreVFS:
        """What is read and written through; caches are kept within its share."""
        return self.files.storage

    @storage.setter
    def storage(self, storage: vfs.StoreVFS) -> None:
        self.files.storage = storage
        self.restorer.share = storage.share
        self.index.share = storage.share

    @property
    def index_file(self) -> bytes:
        """The index file in use; Mercurial sets it when a split ends."""
        return self.files.index_file

    @index_file.setter
    def index_file(self, name: bytes) -> None:
        self.files.use_index_file(name)

    @property
    def data_file(self) -> bytes:
        """The file of the data, where the revlog is not inline."""
        return self.files.data_file

    @property
    def inline(self) -> bool:
        """Do index and data share one file?"""
        return self.files.inline

    @inline.setter
    def inline(self, inline: bool) -> None:
        # Mercurial takes a split back when the transaction is aborted
        if inline != self.files.inline:
            self.files.use_inline(inline)

    # reading

    def checked_text(self, rev: int, entry: tuple[Any, ...]) -> bytes | None:
        """The raw text of ``rev``, found to match its node; None if it does not.

        ``entry`` is the index entry of ``rev``.  For revisions whose flags leave
        the text alone.  Raises ``RevlogError`` and ``OSError``.
        """
        node = entry[7]
        base = entry[3]
        restorer = self.restorer
        share = restorer.share
        held = restorer.text_cache.get(rev)
        if held is not None and held[0] == node:
            text = held[1]
            if held[2]:
                _budget.text_hits += 1
                return text
        else:
            if self._share_texts:
                by_node = share.by_node
                shared = by_node.get((node, rev))
                if shared is not None:
                    _budget.text_hits += 1
                    return shared
                # the usual next base: was it restored through another object?
                if rev > base >= 0 and base not in restorer.text_cache:
                    below = self.cindex[base]
                    shared = by_node.get((below[7], base))
                    # of a censored revision, say, another text is stored
                    if shared is not None and not below[0] & _ALTERING:
                        held = (below[7], shared, True)
                        share.put(restorer.text_cache, base, held, len(shared))
            if base == rev:
                text = restorer.full_text(rev, entry)
            else:
                text = restorer.raw_text(rev)
            _counters.texts += 1
        cindex = self.cindex
        try:
            # below -1 there is no entry either
            p1 = NULL_NODE if entry[5] == NULL_REV else cindex[entry[5]][7]
            p2 = NULL_NODE if entry[6] == NULL_REV else cindex[entry[6]][7]
        except IndexError:
            why = b'a parent is out of range'
            raise errors.bad_index(self.files.name, rev, why) from None
        size = len(text)
        policy = self.files.storage.hash_policy
        # hashing.node_matches(), spelled out for the small texts of a changelog
        small = size < _SMALL and not policy.collision_detection
        parents = p1 + p2 if p1 < p2 else p2 + p1
        if not (
            small and _sha1(parents + text).digest() == node
        ) and not hashing.node_matches(text, node, p1, p2, policy):
            # what was cached may be what is wrong: once more, from the disk
            self.forget()
            text = restorer.raw_text(rev)
            if not hashing.node_matches(text, node, p1, p2, policy):
                return None
            size = len(text)
        share.put(restorer.text_cache, rev, (node, text, True), size)
        if self._share_texts:
            share.put(share.by_node, (node, rev), text, size)
        return text

    def unchecked_text(self, rev: int) -> tuple[bytes, bool]:
        """The raw text of ``rev`` and whether it was found to match its node.

        Raises ``RevlogError`` and ``OSError``.
        """
        held = self.held_text(rev)
        if held is not None:
            return held
        _counters.texts += 1
        return self.restorer.raw_text(rev), False

    def held_text(self, rev: int) -> tuple[bytes, bool] | None:
        """The cached raw text of ``rev`` and whether it was checked, or None."""
        held = self.restorer.text_cache.get(rev)
        if held is None or held[0] != self.cindex[rev][7]:
            return None
        return held[1], held[2]

    def keep_text(self, rev: int, text: bytes, checked: bool) -> None:
        """Remember the raw text of ``rev``; a checked one is not replaced."""
        node = self.cindex[rev][7]
        texts = self.restorer.text_cache
        held = texts.get(rev)
        if held is None or held[0] != node or not held[2]:
            share = self.restorer.share
            share.put(texts, rev, (node, text, checked), len(text))

    def drop_text(self, rev: int) -> None:
        """Forget the text of ``rev``."""
        held = self.restorer.text_cache.pop(rev, None)
        if held is not None:
            self.restorer.share.by_node.pop((held[0], rev), None)

    def forget(self) -> None:
        """Forget all that was read."""
        self.restorer.clear()
        self.files.clear_cache()

    def clear_cache(self) -> None:
        """As :meth:`forget`; not while writes are hidden."""
        assert not self.is_delaying
        self.forget()

    def get_segment_for_revs(self, startrev: int, endrev: int) -> tuple[int, Any]:
        """``(offset, bytes)`` of the file from one rev's chunk to another's end.

        In an inline revlog this includes the index entries in between.
        """
        return self.files.segment(startrev, endrev)

    def _chunk(self, rev: int) -> Any:
        """The decompressed chunk of ``rev``."""
        return self.restorer.chunks([rev], keep=False)[0]

    def _chunks(self, revs: list[int], targetsize: int | None = None) -> list[Any]:
        """The decompressed chunks of ``revs``, which ascend."""
        if not revs:
            return []
        return self.restorer.chunks(list(revs), keep=True, target=targetsize)

    def decompress(self, data: Any) -> Any:
        """The content of a chunk that need not be in this revlog."""
        try:
            return compression.decompress(data, compression.UNLIMITED)
        except compression.BadChunk as exc:
            raise exc.as_revlog_error() from None

    def rev_diff(
        self, rev_1: int, rev_2: int, extra_delta: bytes | None = None
    ) -> bytes:
        """A delta from the raw text of one rev to that of another."""
        if extra_delta is not None or self._diff is None:
            raise errors.ProgrammingError(b'a delta on top needs Mercurial in Rust')
        old = self.raw(rev_1)
        return self._diff(old, self.raw(rev_2))

    def raw(self, rev: int) -> bytes:
        """The raw text of ``rev``, remembered, not necessarily checked."""
        if rev == NULL_REV:
            return b''
        text, checked = self.unchecked_text(rev)
        if not checked:
            self.keep_text(rev, text, False)
        return text

    def reading(self) -> Any:
        """A context that keeps the data file open."""
        if not len(self.cindex):
            return nullcontext()
        writer = self._writer
        if self.files.inline and writer is not None and writer.delayed is not None:
            raise writingmod.inline_delay()
        return self.files.reading()

    @property
    def is_open(self) -> bool:
        """Is a handle held?"""
        return self.files.is_open

    # writing

    @property
    def writer(self) -> writingmod.Writer:
        if self._writer is None:
            self._writer = writingmod.Writer(self.files, self.data_config)
        return self._writer

    @property
    def _compressor(self) -> Any:
        # made at first use; contrib/perf.py puts others in its place
        if self._engine is None:
            config = self.feature_config
            self._engine = self.files.storage.compressor(
                config.compression_engine, config.compression_engine_options
            )
        return self._engine

    @_compressor.setter
    def _compressor(self, compressor: Any) -> None:
        self._engine = compressor

    def compress(self, data: bytes) -> tuple[bytes, bytes]:
        """``(header, body)`` of the chunk that stores ``data``."""
        return compression.compress(self._compressor, data)

    @property
    def is_writing(self) -> bool:
        """Is a write context open?"""
        return self._writer is not None and self._writer.handles is not None

    @property
    def is_delaying(self) -> bool:
        """Are writes hidden, in memory or in a side file?"""
        return self._writer is not None and self._writer.is_delaying

    @property
    def _writinghandles(self) -> Any:
        return None if self._writer is None else self._writer.handles

    @property
    def canonical_index_file(self) -> bytes:
        """The index file that counts, also while writes are diverted."""
        writer = self._writer
        return self.index_file if writer is None else writer.canonical_index_file

    def writing(
        self,
        transaction: Any,
        data_end: int | None = None,
        sidedata_end: int | None = None,
    ) -> Any:
        """A context in which revisions can be added; nests."""
        return self.writer.writing(transaction, data_end)

    def write_entry(
        self,
        transaction: Any,
        entry: bytes,
        data: tuple[bytes, bytes],
        link: int,
        offset: int,
        sidedata: bytes,
        sidedata_offset: int,
        index_end: int | None,
        data_end: int | None,
        sidedata_end: int | None,
    ) -> tuple[int, int | None, int | None]:
        """Append one revision; see :meth:`.writer.Writer.write_entry`."""
        return self.writer.write_entry(transaction, entry, data, offset)

    def split_inline(
        self, tr: Any, header: int, new_index_file_path: bytes | None = None
    ) -> bytes:
        """Give the data a file of their own; returns the index file in use."""
        return self.writer.split_inline(header, new_index_file_path)

    def delay(self) -> bytes | None:
        """From now on hide what is added; see :mod:`.writer`."""
        return self.writer.delay()

    def write_pending(self) -> tuple[bytes | None, bool]:
        """Let the hooks of this transaction see what is hidden."""
        return self.writer.write_pending()

    def finalize_pending(self) -> bytes:
        """End of hiding; returns the index file."""
        return self.writer.finalize_pending()
