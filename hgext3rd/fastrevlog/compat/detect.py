# Which generation of Mercurial is this?  Found by looking, not by its version.
# SPDX-License-Identifier: GPL-2.0-or-later
"""Probing Mercurial's revlog module.

A generation is recognised by the signatures of what we replace and call.  Then
every name of Mercurial's own inner revlog has to exist on ours: a newer Mercurial
that calls something we do not have is not served, rather than broken.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..engine import format

_WRITE_ENTRY = (
    'self transaction entry data link offset sidedata sidedata_offset '
    'index_end data_end sidedata_end'
)
# internals of Mercurial's inner revlog that nothing outside of it calls
_INTERNAL = frozenset(
    '_decompressor _get_decompressor _divert_index _segmentfile '
    '_segmentfile_sidedata _diff_fn'.split()
)

_MOST_WRAPPERS = 50  # against a circle


class HgApi(NamedTuple):
    """What a Mercurial calls: its name, and the inner revlog class that answers.

    ``altering_flags`` are those flags of a revision that may alter its text.
    """

    name: str
    inner: type[Any]
    altering_flags: int


def arguments_of(function: Any) -> str:
    """The names of a Python function's positional arguments, joined by spaces."""
    code = getattr(function, '__code__', None)
    if code is None:
        return ''
    return ' '.join(code.co_varnames[: code.co_argcount])


def _wrapped(function: Any) -> Any:
    """What is below the wrappers of other extensions, as far as these tell.

    Those made with ``extensions.wrapfunction`` and ``functools.wraps`` do.
    """
    for _ in range(_MOST_WRAPPERS):
        inner = getattr(function, '_origfunc', getattr(function, '__wrapped__', None))
        if inner is None:
            break
        function = inner
    return function


def detect(revlog: Any) -> HgApi | str:
    """The generation of the module ``mercurial.revlog``, or why there is none."""
    outer = getattr(revlog, 'revlog', None)
    stock = getattr(revlog, '_InnerRevlog', None)
    if outer is None or stock is None:
        return 'unknown Mercurial: no inner revlog'
    expected = {
        '_loadindex': 'self docket',
        '_load_inner': 'self index chunk_cache',
        'checkhash': 'self text node p1 p2 rev',
    }
    for name, arguments in expected.items():
        if arguments_of(_wrapped(getattr(outer, name, None))) != arguments:
            return 'unknown Mercurial: revlog.%s' % name
    if arguments_of(getattr(stock, 'write_entry', None)) != _WRITE_ENTRY:
        return 'unknown Mercurial: write_entry'
    read = arguments_of(_wrapped(getattr(outer, '_revisiondata', None)))
    if read not in ('self nodeorrev raw', 'self nodeorrev raw validate'):
        return 'unknown Mercurial: revlog._revisiondata'
    raw_text = arguments_of(getattr(stock, 'raw_text', None))
    inner: type[Any]
    if raw_text == 'self node rev':
        from . import hg70

        name, inner = '7.0', hg70.InnerRevlog
    elif raw_text == 'self rev':
        from . import hg72

        name, inner = '7.2', hg72.InnerRevlog
    else:
        return 'unknown Mercurial: raw_text'
    for attribute in vars(stock):
        if attribute.startswith(('__', '_InnerRevlog__')) or attribute in _INTERNAL:
            continue
        if not hasattr(inner, attribute):
            return 'unknown Mercurial: _InnerRevlog.%s' % attribute
    return HgApi(name, inner, format.ALTERING_FLAGS)
