# Where something is not as we know it, Mercurial's own code does the work.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Handing one revlog back: something of ours failed while reading in a way
that no repository, however damaged, should cause.  Mercurial's own inner revlog
takes the place of ours, over the same index and files, and the user is told once
how to report it.  A revlog that is being written, or that hides what it writes,
keeps its inner revlog, because that is where the writes are; Mercurial's code is
then made just for the one read.

Missing files, a full memory and the user's wish to stop are not trouble of ours
(:data:`STORAGE_ERRORS`): they go to the caller as they would without us.  So does
damage, after Mercurial's own code was asked for the text (:func:`ask_mercurial`): it
may find one where ours does not, and has its own words where it does not either.
What it may read and expand for that is bounded, as it is for ours.

Nothing here costs anything while all is well.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Callable

from mercurial import error
from mercurial.revlogutils import randomaccessfile

from . import process, stores
from .engine import compression, errors, format

# what reading may raise without anything being wrong with fastrevlog
STORAGE_ERRORS = (error.Error, error.ProgrammingError, OSError, MemoryError)

# the methods of an inner revlog that read, and that Mercurial calls by themselves
READS = ('raw_text', '_chunk', '_chunks', 'rev_diff', 'get_segment_for_revs')


def internal_error(exc: Exception, name: bytes, opener: Any) -> None:
    """Count an unexpected exception about the file ``name``; tell the user once.

    The user is the one of the repository whose store ``opener`` opens.
    """
    process.internal_error(exc, name, stores.of(opener).ui)


def read_by_mercurial(
    rl: Any, exc: Exception, load_inner: Callable[..., None], read: Callable[[], Any]
) -> Any:
    """The answer of ``read`` through Mercurial's own code, after ours raised ``exc``.

    ``load_inner`` is Mercurial's ``revlog._load_inner``.  The revlog ``rl`` stays
    with Mercurial's code if that is safe, and if that code fares better: what
    fails there as well is not for us to report.
    """
    inner, index = rl._inner, rl.index
    if not (inner.is_writing or inner.is_delaying):
        load_inner(rl, inner.cindex, None)
    try:
        answer = read()
    except Exception:
        rl._inner, rl.index = inner, index
        raise
    internal_error(exc, inner.index_file, inner.opener)
    return answer


def guarded(inner_class: type, stock_class: type) -> type:
    """A class as ``inner_class`` whose reading methods fall back on ``stock_class``."""
    methods: dict[str, Any] = {
        name: _guarded(getattr(inner_class, name), name, stock_class)
        for name in READS
        if hasattr(inner_class, name) and hasattr(stock_class, name)
    }
    methods['__module__'] = inner_class.__module__
    return type(inner_class.__name__, (inner_class,), methods)


def _guarded(
    method: Callable[..., Any], name: str, stock_class: type
) -> Callable[..., Any]:
    @functools.wraps(method)
    def guarded_read(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except error.StorageError as exc:
            stock = bounded_stock_inner(self, stock_class)
            read = functools.partial(getattr(stock, name), *args, **kwargs)
            return _answer_of(read, exc, self.verbatim)
        except STORAGE_ERRORS:
            raise
        except Exception as exc:
            stock = _stock_inner(self, stock_class)
            answer = getattr(stock, name)(*args, **kwargs)
            internal_error(exc, self.index_file, self.opener)
            return answer

    return guarded_read


def _stock_inner(inner: Any, stock_class: Any) -> Any:
    """Mercurial's inner revlog over the index and files of ours, for reading."""
    handle = inner.files.writing_handle
    if handle is not None:
        handle.flush()
    known = {
        'opener': inner.opener,
        'target': (0, inner.index_file),
        'index': inner.cindex,
        'index_file': inner.index_file,
        'data_file': inner.data_file,
        'sidedata_file': None,
        'inline': inner.inline,
        'data_config': inner.data_config,
        'delta_config': inner.delta_config,
        'feature_config': inner.feature_config,
        'chunk_cache': None,
        'default_compression_header': None,
    }
    code = stock_class.__init__.__code__
    names = code.co_varnames[1 : code.co_argcount]
    stock = stock_class(**{name: known[name] for name in names})
    # else chosen by the target, which our inner revlog does not know
    stock._diff_fn = inner._diff
    return stock


def ask_mercurial(rl: Any, exc: Exception, stock_class: Any, read: Any) -> Any:
    """What Mercurial's code reads from ``rl`` where ours raised ``exc``, or its error.

    ``read`` reads from ``rl``, in which Mercurial's inner revlog takes the place of
    ours meanwhile.
    """
    inner = rl._inner
    rl._inner = bounded_stock_inner(inner, stock_class)
    try:
        return _answer_of(read, exc, inner.verbatim)
    finally:
        rl._inner = inner


def _answer_of(read: Callable[[], Any], exc: Exception, verbatim: bool) -> Any:
    """What ``read`` returns; its error, or ``exc`` where it is no error message.

    Any error is its own if ``verbatim``.
    """
    try:
        answer = read()
    except STORAGE_ERRORS:
        raise
    except Exception:
        if verbatim:
            raise
        # Mercurial tripped over the damage
        raise exc from None
    process.counters.refuse('damage: read by Mercurial')
    return answer


def bound_expansion(stock: Any, cindex: Any, name: bytes) -> None:
    """Let Mercurial's inner revlog ``stock`` expand no chunk further than is sound.

    That is as far as the largest text in ``cindex`` allows; ``name`` is for messages.
    """
    sizes = [cindex[rev][2] for rev in range(len(cindex))]
    limit = max(map(compression.expansion_limit, sizes), default=0)
    plainly = stock.decompress

    def decompress(chunk: Any) -> Any:
        if len(chunk) and bytes(chunk[:1])[0] in (format.ZLIB, format.ZSTD):
            try:
                return compression.decompress(chunk, limit)
            except compression.ExpandsTooFar as exc:
                raise errors.expands_too_far(name, exc.limit) from None
            except compression.BadChunk:
                pass  # in Mercurial's words
        return plainly(chunk)

    stock.decompress = decompress


def bounded_stock_inner(inner: Any, stock_class: Any) -> Any:
    """Mercurial's inner revlog over a damaged revlog of ours, for one read.

    It reads no further than the file goes, and expands no chunk further than the
    largest text of the revlog allows.
    """
    stock = _stock_inner(inner, stock_class)
    if inner.inline and isinstance(inner.files.window[1], bytes):
        # as Mercurial has it: what was read with the index
        segments = stock._segmentfile
        segments._cached_chunk_position, segments._cached_chunk = inner.files.window
    bound_expansion(stock, inner.cindex, inner.files.name)
    segments = stock._segmentfile
    read_chunk = segments.read_chunk
    window = segments.default_cached_chunk_size

    def read_bounded(offset: int, length: int) -> Any:
        held = segments._cached_chunk_position
        if held <= offset and offset + length <= held + len(segments._cached_chunk):
            return read_chunk(offset, length)
        # Mercurial reads from and to a multiple of its window, and counts from there
        start = offset & -window
        with segments.reading(), segments._read_handle() as fp:
            end = fp.seek(0, os.SEEK_END)
            fp.seek(start)  # or fails, as Mercurial's would
        size = ((offset + length + window) & -window) - start
        got = min(size, max(end - start, 0)) - (offset - start)
        if size >= 0 and got < length:
            raise error.RevlogError(
                randomaccessfile.PARTIAL_READ_MSG
                % (segments.filename, length, offset, got)
            )
        return read_chunk(offset, length)

    segments.read_chunk = read_bounded
    return stock
